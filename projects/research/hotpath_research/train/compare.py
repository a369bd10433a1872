"""python -m hotpath_research.train.compare: a table of backbones, each trained alike.

    python -m hotpath_research.train.compare nine timm:mobileone_s0=5000 --report DIR \
        --int8-clips DIR --out runs/backbones --training "--images DIR --networks-dir MODELS"

For each backbone it runs stage features and joins the backbone with the head of a network that
ships (--against), whose projection is found again on held-out crops. Then it makes the INT8 form,
with all layers in 8 bit. It measures one-step overlap on the clips of --report, and milliseconds
of a search region by OpenVINO, of all networks in turns. A killed command continues.
OUT/backbones.md is the table, below its date, commit and machine.
"""

import argparse
import shlex
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hotpath.calib import command, int8
from hotpath.calib.one_step_overlap import Answers, Finder
from hotpath.graphs import counting
from hotpath.runtime import engines
from hotpath.runtime.networks import load_network
from hotpath.video.clips import find_clips
from hotpath_lab.provenance import commit, processor
from hotpath_research.pytorch import torch
from hotpath_research.train import __main__ as training
from hotpath_research.train import export, judge
from hotpath_research.train.loop import read_log, save
from hotpath_research.train.options import parser as options_of_training
from hotpath_research.train.stages import Work
from hotpath_research.train.teacher import Teacher
from hotpath_research.train.unfold import unfolded

FORMS = ("fp32", "int8")
MIDDLE = "a box of the right size in the middle"
ROUNDS = 40  # of the timing, after which the median is taken
HEADING = (
    "backbone | pairs | R² | one-step overlap, fp32 | below .3 | the same, INT8 | MMAC | "
    "ms, fp32 | ms, INT8"
)


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath_research.train.compare", __doc__)
    text = "a --shape of the training, with its own number of pairs behind = or not"
    cli.add_argument("shapes", nargs="+", metavar="SHAPE[=PAIRS]", help=text)
    cli.add_argument("--report", nargs="+", required=True, metavar="DIR", help="annotated clips")
    text = "options of hotpath_research.train for all, in one pair of quotes"
    cli.add_argument("--training", required=True, metavar='"OPTIONS"', help=text)
    cli.add_argument("--against", default="kestrel", metavar="NETWORK", help="whose head is used")
    cli.add_argument("--out", required=True, metavar="DIR", help="folder of the runs")
    text = "clips for the ranges of the INT8 forms (default: none are made)"
    cli.add_argument("--int8-clips", nargs="+", metavar="DIR", help=text)
    return cli


def run(options: argparse.Namespace) -> None:
    """Train, export, measure, and write the table."""
    out = Path(options.out)
    candidates = {}
    for text in options.shapes:
        shape, _, pairs = text.partition("=")
        folder = out / shape.replace(":", "_")
        arguments = [
            *shlex.split(options.training),
            "--shape",
            shape,
            "--stages",
            "features",
            "--out",
            str(folder),
        ]
        arguments += ["--pairs", f"features={pairs}"] if pairs else []
        settings = options_of_training().parse_args([*arguments, "--cache", str(out / "cache")])
        if not _finished(folder):
            training.run(settings)
        head = out / "head.pt"
        if not head.is_file():
            _write_head(head, options.against, settings, folder)
        written = export.export(head, folder / "export", folder.name, folder / "features.pt")
        judged = [line for line in read_log(folder / "log.jsonl") if "r2_search" in line][-1]
        candidates[shape] = (Path(written["toml"]), judged["pairs"], judged["r2_search"])
    shipped = str(load_network(options.against).path)
    candidates[f"{options.against}, as it ships"] = (Path(shipped), "", "")
    forms = {
        name: _forms(candidate[0], options, out / "int8") for name, candidate in candidates.items()
    }
    finders = {
        (name, form): _finder(toml) for name, tomls in forms.items() for form, toml in tomls.items()
    }
    judges: dict[Any, Any] = dict(finders)
    judges[MIDDLE] = Middle(next(iter(finders.values())).network)
    overlaps_of = judge.overlaps(judge.by_source(find_clips(options.report)), judges)
    summaries = {key: judge.summary(values) for key, values in overlaps_of.items()}
    ms = milliseconds({key: finder.engine for key, finder in finders.items()})
    rows = [_row(name, *candidate, summaries, ms) for name, candidate in candidates.items()]
    least = summaries[MIDDLE]
    rows.append(f"{MIDDLE} | | | {least['one_step']:.4f} | {least['lost']:.1%} | | | |")
    table = [HEADING, "|".join(["---"] * (HEADING.count("|") + 1)), *rows]
    path = out / "backbones.md"
    place = f"{time.strftime('%Y-%m-%d')}, commit {commit()}, {processor()}."
    path.write_text(place + "\n\n" + "".join(f"| {row} |\n" for row in table))
    print(path.read_text())
    command.wrote(path)


class Middle(NamedTuple):
    """Answers a box of the right size in the middle of each crop, as a network that learnt nothing.

    It stands in for a ``Finder``.
    """

    network: Any

    def run(self, pairs: Any) -> Answers:
        """Return the middle of every pair, without weights of cells."""
        boxes = [np.array([0.0, 0.0, *box[2:]]) for box in pairs.boxes]
        cells = np.zeros(len(boxes), int)
        return Answers(cells, pairs.overlaps_of(boxes), boxes, [None] * len(boxes))


def _finished(folder: Path) -> bool:
    path = folder / "features.pt"
    return path.is_file() and bool(torch.load(path, weights_only=True)["finished"])


def _write_head(path: Path, name: str, settings: argparse.Namespace, folder: Path) -> None:
    """The head of a network that ships, with the standardisation of this run's held-out pairs."""
    teacher = Teacher(settings.teacher, settings.networks_dir)
    with np.load(folder / "held.npz") as file:
        work: Any = Work(None, dict(file), {}, teacher, "cpu", 1)  # type: ignore[arg-type]
    network = unfolded(name, work)
    save(path, {"config": network.config, "average": network.state_dict()})


def _forms(toml: Path, options: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """The TOMLs of a network in fp32 and, where clips were named and it can be made, in INT8."""
    forms = {"fp32": toml}
    if options.int8_clips:
        arguments = ["--network", str(toml), "--clips", *options.int8_clips, "--out", str(folder)]
        arguments += ["--exemplars", "4", "--searches", "8", "--tolerance", "1"]
        derived = folder / (toml.stem + "-int8.toml")
        if derived.is_file() or not int8.main(arguments):
            forms["int8"] = derived
    return forms


def _row(name: str, toml: Path, pairs: Any, r2: Any, summaries: Any, ms: dict[Any, float]) -> str:
    """A row of the table; a dash where there is no INT8 form."""
    network = load_network(str(toml))
    macs = counting.count_parts(network, network.locate(None))["a frame"].macs or 0
    fp32, int8_form = (summaries.get((name, form)) for form in FORMS)
    cells = [name, pairs, f"{r2:.3f}" if r2 else "", f"{fp32['one_step']:.4f}"]
    cells += [f"{fp32['lost']:.1%}", f"{int8_form['one_step']:.4f}" if int8_form else "-"]
    times = [f"{ms[name, form]:.2f}" if (name, form) in ms else "-" for form in FORMS]
    return " | ".join(map(str, [*cells, f"{macs / 1e6:.0f}", *times]))


def _finder(toml: Path) -> Finder:
    network = load_network(str(toml))
    return Finder(network, engines.create("openvino", network, network.locate(None)))


def milliseconds(engines_of: dict[Any, Any]) -> dict[Any, float]:
    """Median milliseconds of a search region; the engines take turns."""
    features = {name: engine.exemplar() for name, engine in engines_of.items()}
    times: dict[Any, list[float]] = {name: [] for name in engines_of}
    for _ in range(ROUNDS):
        for name, engine in engines_of.items():
            started = time.perf_counter()
            engine.search(features[name])
            times[name].append((time.perf_counter() - started) * 1e3)
    return {name: float(np.median(values)) for name, values in times.items()}


main = command.main("hotpath_research.train.compare", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
