"""Is this commit slower on this board? With evidence that others can check.

    hotpath fps                     what `hotpath track` runs here, against this board's reference
    hotpath fps save [EVIDENCE]     keep a run of `--rounds 30`, the last one, as this board's
                                    reference
    hotpath fps --against GITREF    this checkout and another commit, in turns
    hotpath fps compare A B         two evidence files
    hotpath fps report EVIDENCE...  Markdown anew

Exit codes: 0 as fast or faster, or nothing to compare with; 1 slower; 2 it can't be done (a
sentence says why); 3 invalid, as of a hot or busy board; 4 undecided. Rounds go on until the answer
is clear or --minutes are over. An invalid run ends after two. A run with --quick compares nothing,
so it ends with 0 and a warning where others disturbed it.
"""

import argparse
import pathlib
import signal
import sys
from typing import Any, Dict, List, NoReturn, Optional, Sequence

from hotpath.boards.files import Root
from hotpath.deploy.fps import against, clips, compare, report, run
from hotpath.deploy.fps import evidence as files
from hotpath.deploy.fps import place as places
from hotpath.deploy.fps.evidence import Evidence
from hotpath.kernels.cli import exit_code
from hotpath.kernels.commands import program
from hotpath.runtime import engines, loading, precision
from hotpath.runtime.arguments import add_networks_dir
from hotpath.runtime.networks import default_of
from hotpath.runtime.options import Options

OUT = "out/fps"
ROUNDS = 5
MINUTES = 10.0
LOOK_S = 2.0  # at the load of other processes before a run
AS_THEY_ARE = "frames minutes threads networks_dir int8_dir".split()
QUICK = {"rounds": 1, "frames": 100, "warm_s": 5.0, "look_s": 0.2}


def main(arguments: Optional[List[str]] = None) -> int:
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser(arguments).parse_args(arguments)
    stopped = "stopped; the rounds that are finished are kept"
    return exit_code("hotpath fps", lambda: options.run(options), stopped)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program("fps", "hotpath.deploy.fps"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = {"compare": _compare, "report": _report, "save": _save}
    if arguments and arguments[0] in commands:
        parser.add_argument("command", choices=sorted(commands))
        parser.set_defaults(run=commands[arguments[0]])
        parser.add_argument("files", nargs="*", metavar="EVIDENCE")
    else:
        parser.set_defaults(run=_run)
        _add_run(parser)
    parser.add_argument("--out", default=OUT, metavar="DIR", help="(default: %(default)s)")
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    names: Dict[str, Any] = dict(
        type=lambda text: [name for name in text.split(",") if name], metavar="NAME,NAME"
    )
    parser.add_argument("--networks", default=None, help="default: the board's own", **names)
    parser.add_argument("--precision", default=None, help="default: the board's own", **names)
    parser.add_argument("--engines", default=["auto"], help=", ".join(engines.choices()), **names)
    parser.add_argument("--clips", metavar="DIR", help="default: a film made here")
    parser.add_argument(
        "--rounds",
        type=_count,
        metavar="N",
        default=ROUNDS,
        help="the fewest (default: %(default)s)",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=MINUTES,
        metavar="M",
        help="for more rounds while the answer is not clear (default: %(default)g)",
    )
    parser.add_argument("--frames", type=_count, default=200, metavar="N", help="of a round")
    parser.add_argument("--quick", action="store_true", help="one short round, under a minute")
    parser.add_argument("--threads", type=_count, default=1, metavar="N")
    add_networks_dir(parser)
    parser.add_argument(
        "--int8-dir",
        default="out/int8",
        metavar="DIR",
        help="networks of `hotpath int8`",
    )
    parser.add_argument("--board", default="auto", help="what this must be, else it is refused")
    parser.add_argument("--root", default="/", help="folder that stands for / (default: /)")
    parser.add_argument("--no-sampling", action="store_true", help="leave the sensors alone")
    parser.add_argument(
        "--warm-up", type=float, default=run.WARM_S, metavar="SECONDS", help="the longest"
    )
    parser.add_argument("--against", metavar="GITREF", help="take turns with this commit")


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not above zero")
    return value


def _settings(options: argparse.Namespace, place: places.Place) -> run.Settings:
    chosen = options.engines
    is_here = Root(options.root).is_this_computer
    if chosen == ["auto"] and is_here and not engines.find(place.board.engine).runs_files:
        chosen = [place.board.engine]
    settings = run.Settings(
        networks=options.networks or [default_of(place.board)],
        engines=chosen,
        precisions=options.precision or [_precision(options, place, chosen)],
        period_s=0.0 if options.no_sampling else 1.0,
        warm_s=options.warm_up,
        rounds=options.rounds,
        look_s=LOOK_S,
        **{name: getattr(options, name) for name in AS_THEY_ARE},
    )
    if options.quick:
        settings.__dict__.update(QUICK)
    settings.clips = clips.load(options.clips)
    return settings


def _precision(options: argparse.Namespace, place: places.Place, chosen: List[str]) -> str:
    """The one in which ``track`` runs here; on another root or engine the board's own."""
    usual: str = place.board.precision["default"]
    if chosen != ["auto"] or not Root(options.root).is_this_computer:
        return usual
    network = (options.networks or [default_of(place.board)])[0]
    asked = Options(network, networks_dir=options.networks_dir, threads=options.threads)
    return precision.usual(loading.choose(asked))


def _run(options: argparse.Namespace) -> int:
    place = places.Place(options.root, options.board)
    settings = _settings(options, place)
    out = pathlib.Path(options.out)
    if options.against:
        return _against(options, settings, place, out)
    reference = None if options.quick else compare.reference_of(place.describe())
    path = _free(out, place.board.name)
    evidence = run.measure(settings, place, path, reference)
    print(f"evidence: {path}")
    if options.quick:
        return _conclude_quickly(out, evidence)
    return _conclude(out, [evidence], reference, evidence)


def _against(
    options: argparse.Namespace, settings: run.Settings, place: places.Place, out: pathlib.Path
) -> int:
    with against.worktree(options.against) as (tree, commit):
        pair = against.measure(
            settings,
            place,
            (tree, places.CHECKOUT),
            ((commit, False), places.commit()),
            lambda side: out / f"evidence-{place.board.name}-{side}.json",
        )
    return _conclude(out, pair, *pair)


def _conclude_quickly(out: pathlib.Path, evidence: Evidence) -> int:
    """Print the figures, and what disturbed them as a warning: one short round compares nothing."""
    print(report.markdown([evidence], [], None, is_quick=True))
    print("wrote {}".format(report.write(out, [evidence], [], None, is_quick=True)))
    if evidence["verdict"]["state"] == "invalid":
        why = "; ".join(r["text"] for r in evidence["verdict"]["reasons"])
        print(f"hotpath fps: warning: {why}; at rest this board may be faster", file=sys.stderr)
    return 0


def _conclude(
    out: pathlib.Path, runs: Sequence[Evidence], base: Optional[Evidence], new: Evidence
) -> int:
    """Compare, write the reports, print; the exit code."""
    comparisons = []
    refused, other_speed = None, False
    if base is not None and new["verdict"]["state"] != "invalid":
        try:
            comparisons = compare.compare(base, new)
        except compare.CannotCompare as error:
            refused, other_speed = str(error), isinstance(error, compare.OtherSpeed)
    print(report.markdown(runs, comparisons, refused))
    print("wrote {}".format(report.write(out, runs, comparisons, refused)))
    print(f"hotpath fps: {_answer(runs, comparisons, refused)}")
    if other_speed or any(evidence["verdict"]["state"] == "invalid" for evidence in runs):
        return compare.EXIT["invalid"]
    return compare.exit_code(comparisons)


def _answer(
    runs: Sequence[Evidence], comparisons: Sequence[compare.Named], refused: Optional[str]
) -> str:
    """The last line of a run, for a person."""
    for evidence in runs:
        if evidence["verdict"]["state"] == "invalid":
            why = "; ".join(reason["text"] for reason in evidence["verdict"]["reasons"])
            return f"invalid, and compared with nothing: {why}"
    if comparisons:
        return compare.answer(comparisons)
    keep = (
        f"measure with --rounds 30, and keep it with `{program('fps', 'hotpath.deploy.fps')} save`"
    )
    return f"not compared: {refused}" if refused else f"no reference of this board yet; {keep}"


def _free(out: pathlib.Path, board: str) -> pathlib.Path:
    """A name that no evidence has yet."""
    number = 1
    while (out / f"evidence-{board}-{number}.json").exists():
        number += 1
    return out / f"evidence-{board}-{number}.json"


def _compare(options: argparse.Namespace) -> int:
    if len(options.files) not in (1, 2):
        raise files.BadEvidence("compare takes two evidence files, or one beside the reference")
    runs = [files.read(path) for path in options.files]
    if len(runs) == 1:
        board = runs[0]["board"]["name"]
        reference = compare.reference_of(runs[0]["board"])
        if reference is None:
            where = compare.OWN
            raise files.BadEvidence(f"no reference of {board} is in {where}; name a second file")
        runs.insert(0, reference)
    for path, evidence in zip(options.files[-2:], runs[-len(options.files) :]):
        if evidence["verdict"]["state"] == "invalid":
            why = evidence["verdict"]["reasons"][0]["text"]
            print(f"hotpath fps: {path} is invalid: {why}", file=sys.stderr)
            return compare.EXIT["invalid"]
    comparisons = compare.compare(*runs)
    for name, comparison in comparisons:
        print(compare.sentence(name, comparison))
    return compare.exit_code(comparisons)


def _save(options: argparse.Namespace) -> int:
    """Keep a run, by default the last one in --out, as this board's reference."""
    if len(options.files) > 1:
        raise files.BadEvidence("save takes one evidence file, or none for the last run")
    out = pathlib.Path(options.out)
    runs = options.files or sorted(out.glob("evidence-*.json"), key=lambda p: p.stat().st_mtime)
    if not runs:
        raise files.BadEvidence(f"{out} has no evidence of a run; run `hotpath fps` first")
    path = pathlib.Path(runs[-1])
    evidence = files.read(path)
    kept = compare.save(evidence, path)
    print(f"{kept}: {report.title(evidence)}")
    print(f"it adds {compare.reach(evidence):.1%} to the interval of each comparison")
    return 0


def _report(options: argparse.Namespace) -> int:
    if not options.files:
        raise files.BadEvidence("report takes evidence files")
    runs = [files.read(path) for path in options.files]
    pair = runs if len(runs) == 2 else (None, runs[-1])
    return _conclude(pathlib.Path(options.out), runs, *pair)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt  # so that worktrees are removed


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main())
