"""python -m hotpath_research.train.release: make the repository ship new weights, if they are
better.

    python -m hotpath_research.train.release RUN/head.pt --clips DIR --validation DIR \
        --report DIR
    python -m hotpath_research.train.release A.pt --name kestrel_fast --clips DIR \
        --validation DIR

--name says which network is replaced. The steps, in order:

    export       the ONNX files and the TOML of the candidate, in OUT
    int8         its table of ranges and its INT8 form, measured on --clips
    judge        the candidate and its INT8 form against the network that ships (``judge.py``)
    install      copy both forms and the table of ranges into runtime/networks
    search       thresholds of a loss and of the search (hotpath_lab.thresholds), only with --films
    prepared     the copy for boards without onnx, deploy/bundles/shipped
                 (hotpath_research.train.ship), and what bring-up compares with
                 (hotpath.deploy.doctor.bringup.reference)

A candidate that is not better stops the command before anything is installed. Thresholds and files
are written for both forms, fp32 and INT8. A step that is left out says so. Figures for the
documents are those of ``hotpath_lab.evaluate``.

--steps runs some steps again, such as the last ones after a change by hand. Some take minutes;
search takes longest.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from hotpath.base import toml
from hotpath.calib import command, int8
from hotpath.calib.command import say
from hotpath.calib.errors import BadRun
from hotpath.graphs import table
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import FOLDER, load_network
from hotpath_lab import thresholds
from hotpath_lab.scorer import SEARCH
from hotpath_lab.tune import changed
from hotpath_research.train import export, judge

ROOT = Path(__file__).resolve().parents[4]  # of the clone
NAMES = ("kestrel", "kestrel_fast")  # networks that are trained here
INT8 = "-int8"  # behind the name of an INT8 form
SHIPPED = "hotpath/deploy/bundles/shipped"
REFERENCE = "hotpath/deploy/doctor/bringup"
SAME_CELL = 0.97  # share of pairs on which whole numbers should choose the cell of fp32


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath_research.train.release", __doc__)
    cli.add_argument("checkpoint", help="such as RUN/head.pt")
    cli.add_argument("--backbone", metavar="FILE", help="as of hotpath_research.train.export")
    cli.add_argument("--name", default=NAMES[0], choices=NAMES, help="the network to replace")
    cli.add_argument(
        "--clips", nargs="+", required=True, metavar="DIR", help="annotated clips to measure on"
    )
    cli.add_argument("--validation", nargs="+", default=[], metavar="DIR", help="clips that decide")
    cli.add_argument(
        "--report", nargs="*", default=[], metavar="DIR", help="clips that nothing is chosen by"
    )
    cli.add_argument(
        "--films",
        metavar="FILE",
        help="films for step search, by hotpath_lab.longterm.films",
    )
    cli.add_argument(
        "--film-clips", nargs="+", metavar="DIR", help="clips of the films (default: --clips)"
    )
    cli.add_argument("--steps", nargs="+", default=list(STEPS), choices=STEPS, metavar="STEP")
    cli.add_argument("--out", metavar="DIR", help="where the work lies (default: out/NAME)")
    cli.add_argument("--root", default=str(ROOT), metavar="DIR", help="the repository")
    return cli


def run(options: argparse.Namespace) -> None:
    """Run the steps in their order; a failing one stops the command."""
    check(options)
    for name, step in STEPS.items():
        if name in options.steps:
            say("-- " + name)
            step(options)


def check(options: argparse.Namespace) -> None:
    """Stop before the first step if something is missing that a later one needs."""
    if "judge" in options.steps and not options.validation:
        raise BadRun("no clips to judge by; name them with --validation")
    if "search" in options.steps and options.films and not Path(options.films).is_file():
        raise BadRun(f"no {options.films}; make it with hotpath_lab.longterm.films")


def passed(name: str, code: int) -> None:
    """Stop if a command that this one calls has failed."""
    if code:
        raise BadRun(f"{name} failed, see above; nothing after it was done")


def work(options: argparse.Namespace, *parts: str) -> Path:
    """A path in the folder of the work."""
    return Path(options.out or "out/" + options.name, *parts)


def networks(options: argparse.Namespace) -> Path:
    """The folder of the networks that ship."""
    return Path(options.root) / FOLDER.relative_to(ROOT)


def tomls(options: argparse.Namespace, folder: Path) -> tuple[Path, Path]:
    """The TOMLs of both forms in a folder: fp32, INT8."""
    return folder / (options.name + ".toml"), folder / "int8" / (options.name + INT8 + ".toml")


def run_export(options: argparse.Namespace) -> None:
    """Write ONNX and TOML of the checkpoint."""
    exported = export.export(options.checkpoint, work(options), options.name, options.backbone)
    say(json.dumps(exported))


def run_int8(options: argparse.Namespace) -> None:
    """Measure the ranges and write the INT8 form."""
    network, derived = tomls(options, work(options))
    arguments = ["--network", str(network), "--clips", *options.clips]
    arguments += ["--out", str(derived.parent)]
    passed("hotpath.calib.int8", int8.main(arguments))
    forms = json.loads(derived.with_suffix(".json").read_text())["forms"]
    for form, figures in forms.items():
        if form != "fp32" and figures["same_cell"] < SAME_CELL:
            same = figures["same_cell"]
            say(f"{form} chooses the cell of fp32 in {same:.1%}, below {SAME_CELL:.0%}")


def run_judge(options: argparse.Namespace) -> None:
    """Hold the candidate and its INT8 form to the rule."""
    shipped = str(tomls(options, networks(options))[0])
    arguments = [*map(str, tomls(options, work(options))), "--against", shipped]
    arguments += ["--validation", *options.validation, "--report", *options.report]
    if judge.main(arguments):
        raise BadRun("the candidate is not better than what ships; nothing was installed")


def run_install(options: argparse.Namespace) -> None:
    """Copy both forms of the network, and the table of ranges without what nobody reads there."""
    shipped = tomls(options, networks(options))[0]
    tracking = toml.read(shipped, BadNetwork)["tracking"] if shipped.is_file() else {}
    kept = {key: tracking[key] for key in SEARCH if key in tracking}
    paths = [
        path.with_name(path.stem + end)
        for path in tomls(options, work(options))
        for end in ("_exemplar.onnx", "_search.onnx", ".toml")
    ]
    ranges = work(options, "int8", options.name + "-ranges.json")
    for path in [*paths, ranges]:
        if not path.is_file():
            raise BadRun(f"{path} is not there; run the steps export and int8 first")
    (networks(options) / "int8").mkdir(exist_ok=True)
    for path in paths:
        to = networks(options) / path.relative_to(work(options))
        shutil.copyfile(str(path), str(to))
        if to.suffix == ".toml":
            to.write_text(changed(to, {"tracking": kept}))
    table.write(table.trimmed(table.read(ranges)), networks(options) / ranges.name)


def run_search(options: argparse.Namespace) -> None:
    """Fit the thresholds of the search for lost targets, and write them into the TOMLs."""
    if not options.films:
        network = load_network(str(tomls(options, networks(options))[0]))
        numbers = ", ".join(f"{key} {getattr(network, key):g}" for key in SEARCH)
        say("left out, because no --films are named; the thresholds of before stay: " + numbers)
        return
    path = tomls(options, networks(options))[0]
    clips = options.film_clips or options.clips
    arguments = ["--networks", str(path), "--clips", *clips, "--films", options.films, "--write"]
    arguments += ["--out", str(work(options, "search"))]
    passed("hotpath_lab.thresholds", thresholds.main(arguments))


def run_prepared(options: argparse.Namespace) -> None:
    """Prepare the network anew for boards without onnx, if it comes prepared.

    The maps that ``boards bringup`` knows are of it too.
    """
    folder = Path(options.root).resolve() / SHIPPED
    if not (folder / options.name).is_dir():
        say(f"left out: {options.name} does not come prepared")
        return
    path = tomls(options, networks(options))[0].resolve()
    reference = str(Path(options.root).resolve() / REFERENCE)
    for module, *more in (
        ("hotpath_research.train.ship", "--out", str(folder)),
        ("hotpath.deploy.doctor.bringup.reference", reference),
    ):
        done = subprocess.run([sys.executable, "-m", module, str(path), *more], cwd=str(ROOT))
        passed(module, done.returncode)


STEPS = {
    "export": run_export,
    "int8": run_int8,
    "judge": run_judge,
    "install": run_install,
    "search": run_search,
    "prepared": run_prepared,
}
main = command.main("hotpath_research.train.release", run, parser, "stopped")

if __name__ == "__main__":
    raise SystemExit(main())
