"""Time the frames of this commit on this board, and report whether it is slower.

    hotpath fps                     time what `hotpath track` runs here (the network and its
                                    witness, one after the other), against this board's reference
    hotpath fps save [EVIDENCE]     keep the last run of `--rounds 30` as this board's reference
    hotpath fps --against GITREF    time this checkout and another commit, in turns
    hotpath fps compare A [B]       compare two evidence files, or one with the reference

Exit codes: 0 as fast or faster, or no reference; 1 slower; 2 not possible (the message has the
reason); 3 invalid, because the board was hot or busy; 4 undecided. A busy board is not measured,
except with --quick, which compares nothing and only warns.
"""

import argparse
import pathlib
import signal
import sys
import time
from typing import Any, Dict, List, Optional, Sequence

from hotpath.base import cache
from hotpath.base.cli import Parser, between, number
from hotpath.base.common_options import add_networks_dir
from hotpath.base.exit_codes import exit_code
from hotpath.base.messages import program_command
from hotpath.boards import detect, snapshot
from hotpath.boards.board_schema import PRECISIONS
from hotpath.boards.errors import UnknownBoard
from hotpath.deploy.errors import BadEvidence, CannotCompare, OtherMachine
from hotpath.deploy.fps import Evidence, compare, speed_report
from hotpath.deploy.fps.cases import SpeedCase
from hotpath.deploy.fps.checkout import worktree
from hotpath.deploy.fps.evidence import read_evidence
from hotpath.deploy.fps.measure import Side, SpeedRun, SpeedSettings
from hotpath.runtime import engines
from hotpath.runtime.choice import choose, choose_witness
from hotpath.runtime.engines.shared import precision
from hotpath.runtime.errors import BadBundle
from hotpath.runtime.options import AUTO, Options

INVALID = 3  # exit code
OUT = "out/fps"
LOOK_S = 2.0  # at the load of other processes before a run
QUICK: Dict[str, Any] = {"rounds": 1, "frames": 100, "warm_s": 0.0, "look_s": 0.0}


def main(arguments: Optional[List[str]] = None) -> int:
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser(arguments).parse_args(arguments)
    return exit_code("hotpath fps", lambda: options.run(options), "stopped; its rounds are kept")


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = Parser(
        prog=program_command("fps", "hotpath.deploy.fps"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = {"compare": _compare, "save": _save}
    if arguments and arguments[0] in commands:
        parser.add_argument("command", choices=sorted(commands))
        parser.set_defaults(run=commands[arguments[0]])
        is_one = arguments[0] == "save"
        parser.add_argument("files", nargs="?" if is_one else "+", metavar="EVIDENCE")
    elif arguments and not arguments[0].startswith("-"):
        parser.add_argument("command", choices=sorted(commands))
        parser.add_argument("files", nargs="*")
    else:
        parser.set_defaults(run=_run)
        _add_run(parser)
    parser.add_argument(
        "--out", default=OUT, metavar="DIR", help="folder to write to (default: %(default)s)"
    )
    return parser


def _names(text: str) -> List[str]:
    return [name for name in text.split(",") if name]


def _forms(text: str) -> List[str]:
    for form in set(_names(text)) - set(PRECISIONS):
        names = ", ".join(PRECISIONS)
        raise argparse.ArgumentTypeError(f"{form!r} is not a precision; write one of {names}")
    return _names(text)


def _add_run(parser: argparse.ArgumentParser) -> None:
    usual = SpeedSettings(())
    add, count = parser.add_argument, between(1, float("inf"))
    names: Dict[str, Any] = dict(type=_names, metavar="NAME,NAME")
    add("--networks", help="networks to time (default: the board's and its witness)", **names)
    form = dict(names, type=_forms)
    add("--precision", help=f"some of {', '.join(PRECISIONS)} (default: the board's)", **form)
    add("--engines", default=[AUTO], help=", ".join(engines.choices()), **names)
    add(
        "--rounds", type=count, default=usual.rounds, help="number of rounds (default: %(default)s)"
    )
    add(
        "--frames", type=count, default=usual.frames, help="frames per round (default: %(default)s)"
    )
    add("--quick", action="store_true", help="one short round, under a minute")
    add("--threads", type=count, default=1, help="threads that run the network")
    add_networks_dir(parser)
    warm = "shortest warm-up before the first round (default: %(default)g)"
    add("--warm-up", type=number(0.0, 3600.0), default=usual.warm_s, metavar="SECONDS", help=warm)
    add("--against", metavar="GITREF", help="take turns with this commit")


def _settings(options: argparse.Namespace) -> SpeedSettings:
    """What is timed: by default exactly what `hotpath track` runs here.

    Raises:
        BadBundle: a bundle is to be built first; or see ``hotpath.runtime.choice``.
    """
    networks, forms, on = options.networks, options.precision, options.engines
    asked = Options(
        networks[0] if networks else None,
        engine=on[0],
        precision=forms[0] if forms else AUTO,
        networks_dir=options.networks_dir,
        threads=options.threads,
    )
    setup = choose(asked)
    witness, _ = choose_witness(setup, asked)
    if setup.missing:
        raise BadBundle(setup.missing, what="no bundle")
    if setup.bundle is not None and on == [AUTO]:
        on = [setup.bundle.engine]
    precisions = forms or [
        setup.bundle.precision if setup.bundle else precision.default_precision(setup)
    ]
    cases = [
        SpeedCase(network, form, engine, options.threads, options.networks_dir)
        for network in networks or [each.network.name for each in (setup, witness) if each]
        for form in precisions
        for engine in on
    ]
    settings = SpeedSettings(cases, options.frames, options.rounds, options.warm_up, LOOK_S)
    return settings._replace(**QUICK) if options.quick else settings


def _run(options: argparse.Namespace) -> int:
    name = _board()
    settings = _settings(options)
    out = pathlib.Path(options.out)
    if options.against:
        with worktree(options.against) as tree:
            base = Side(out / f"evidence-{name}-base.json", tree)
            new = Side(out / f"evidence-{name}-new.json")
            runs = SpeedRun(settings, [base, new]).measure()
        return _conclude(out, runs, runs[0], options.quick)
    reference = None if options.quick else compare.reference_of(snapshot.describe())
    path = out / f"evidence-{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    runs = SpeedRun(settings, [Side(path)]).measure()
    print(f"evidence: {path}")
    return _conclude(out, runs, reference, options.quick)


def _board() -> str:
    """The name of this board, by which its evidence and its reference are named."""
    detection = detect.detect()
    if detection.board is None:
        raise UnknownBoard(
            f"this is a {detection.soc} ({detection.model or 'no model name'}), but it is not "
            f"known which board of {', '.join(detection.candidates)}; run `hotpath boards`"
        )
    return detection.board.name


def _conclude(
    out: pathlib.Path, runs: Sequence[Evidence], base: Optional[Evidence], is_quick: bool = False
) -> int:
    """Compare the last run with another one, write the report, print the answer; the exit code."""
    lines: List[str] = []
    code = 0
    invalid = "; ".join(next((run["invalid"] for run in runs if run["invalid"]), []))
    if is_quick:
        answer = "one short round, compared with nothing"
        if invalid:
            answer += f"; warning: {invalid}; at rest this board may be faster"
    elif invalid:
        code, answer = INVALID, f"invalid, and compared with nothing: {invalid}"
    elif base is None:
        save = program_command("fps", "hotpath.deploy.fps") + " save"
        answer = f"no reference of this board yet; measure with --rounds 30, then `{save}`"
    else:
        try:
            comparisons = compare.compare(base, runs[-1])
            lines = [f"- {name}: {compare.sentence(found)}" for name, found in comparisons]
            name, found = compare.worst(comparisons)
            code = compare.EXIT.get(found.decision, 0)
            answer = compare.sentence(found) + (f" ({name})" if len(comparisons) > 1 else "")
        except CannotCompare as error:
            code = INVALID if isinstance(error, OtherMachine) else 2
            answer = f"not compared: {error}"
    told = "\n".join([*map(speed_report.describe_run, runs), *lines, f"hotpath fps: {answer}"])
    out.mkdir(parents=True, exist_ok=True)
    cache.write_text(out / "report.md", told + "\n")
    print(f"wrote {out / 'report.md'}\n\n{told}")
    return code


def _compare(options: argparse.Namespace) -> int:
    if len(options.files) > 2:
        raise BadEvidence("compare takes two evidence files, or one beside the reference")
    runs = [read_evidence(path) for path in options.files]
    base = runs[0] if len(runs) == 2 else compare.reference_of(runs[0]["before"])
    if base is None:
        board = runs[0]["before"]["board"]
        raise BadEvidence(f"no reference of {board} is in {compare.OWN}; name a second file")
    return _conclude(pathlib.Path(options.out), runs, base)


def _save(options: argparse.Namespace) -> int:
    """Keep a run, by default the last one in --out, as this board's reference."""
    out = pathlib.Path(options.out)
    runs = sorted(out.glob("evidence-*.json"), key=lambda path: path.stat().st_mtime)
    if not options.files and not runs:
        raise BadEvidence(f"{out} has no evidence of a run; run `hotpath fps` first")
    path = pathlib.Path(options.files or runs[-1])
    evidence = read_evidence(path)
    kept = compare.save(evidence, path)
    print(f"{kept}: {speed_report.title(evidence)}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # worktrees are removed
    sys.exit(main())
