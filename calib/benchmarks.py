"""Whole public data sets by name, in their own layout, by their own protocol.

``python -m calib.evaluate --benchmark otb100 --data DIR --networks kestrel`` follows every sequence
and prints accuracy and frames a second. The GOT-10k toolkit (Huang et al., "GOT-10k", TPAMI 2019)
reads the data sets and computes the figures. Its classes are used with these exceptions:

- Its OTB experiment would download the data set, so the data set is opened without that.
- Its LaSOT class cannot be opened (version 0.1.3), so ``LaSot`` below reads LaSOT's test set.
- Its VOT experiment needs an old NumPy, so ``vot`` runs the VOT toolkit (``calib.vot``).

Result files have the toolkit's layout. For GOT-10k's test set they are packed into the ZIP file
that its server takes. A sequence that has results is not run again.
"""

import argparse
import contextlib
import glob
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from calib import vot
from calib.clips import find_clips
from calib.command import say
from calib.errors import BadClips, BadRun, Missing
from calib.trackers import tracker_options
from runtime import load_tracker

Make = Callable[[Any, str, Path], Any]  # toolkit, data, out -> an experiment
VOT_LENGTHS = (115, 755)  # frames over which VOT2020 averages the expected overlap
VOT_FPS = 20  # of the real-time experiment's camera
COLUMNS = (
    ("success_score", "success"),
    ("precision_score", "precision"),
    ("success_rate", "SR50"),
    ("ao", "AO"),
    ("sr", "SR50"),
    ("speed_fps", "FPS"),
)


def names() -> tuple[str, ...]:
    """Names of the benchmarks, in the order of the help text."""
    return tuple(sorted(EXPERIMENTS)) + ("vot",)


def run(options: argparse.Namespace) -> None:
    """Run the networks of the options over a benchmark; print a table and write the files."""
    out = Path(options.out) / options.benchmark
    networks = options.networks.split(",")
    if not os.path.isdir(options.data):
        raise BadClips(f"--data {options.data} is not a folder; name the data set's folder")
    out.mkdir(parents=True, exist_ok=True)
    if options.benchmark == "vot":
        _run_vot(options, networks, out.resolve())
        return
    log = out / "log.txt"
    with open(log, "a") as file:
        experiment = _open(options.benchmark, options.data, out, file)
        found = _run_all(experiment, options, networks, file)
    if found is None:
        for path in sorted(out.glob("results/GOT-10k/*.zip")):
            say(f"wrote {path}; GOT-10k's server takes it")
        return
    (out / "figures.json").write_text(json.dumps(found, indent=1))
    print(text(found))
    say("wrote {}".format(out / "figures.json"))


def _run_vot(options: argparse.Namespace, networks: Sequence[str], workspace: Path) -> None:
    """VOT2020's multi-start protocol on the sequences of --data, by the VOT toolkit."""
    vot.write_workspace(workspace, find_clips([options.data], log=say), *VOT_LENGTHS, VOT_FPS)
    labels = vot.write_trackers(workspace, networks, options.networks_dir, options.engine)
    vot.run_toolkit(workspace, labels)


def _open(name: str, data: str, out: Path, log: TextIO) -> Any:
    """Open a data set and read every annotation, so that a run does not end half-way.

    Raises:
        BadClips: the data set is not whole, or not in its own layout.
    """
    toolkit, told = _toolkit(), io.StringIO()
    try:
        with contextlib.redirect_stdout(told):
            experiment = EXPERIMENTS[name](toolkit, data, out)
            count = sum(1 for _ in experiment.dataset)
    except Exception as error:  # the toolkit raises assertions and bare exceptions
        raise BadClips(
            f"{data} is not a whole {name} in its own layout: {error or type(error).__name__}; "
            f"{log.name} has the toolkit's words"
        ) from None
    finally:
        log.write(told.getvalue())
    if not count:
        raise BadClips(f"{data} holds no sequence of {name}")
    missing = told.getvalue().count(" not exists")
    if missing:
        say(f"{data} lacks {missing} sequences of {name}: figures are of {count}")
    return experiment


def _run_all(
    experiment: Any, options: argparse.Namespace, networks: Sequence[str], log: TextIO
) -> dict[str, Any] | None:
    """Run an experiment of the toolkit; returns its figures, None where a server computes them."""
    run_names = []
    for network in networks:
        shared = tracker_options(options)
        tracker = load_tracker(**shared._replace(network=network)._asdict())
        say(f"{tracker.name} on {len(experiment.dataset)} sequences of {options.benchmark}")
        with contextlib.redirect_stdout(log):
            experiment.run(tracker)
        tracker.close()
        run_names.append(tracker.name)
    with contextlib.redirect_stdout(log):
        return experiment.report(run_names)


def text(found: dict[str, Any]) -> str:
    """The figures of a report as lines: one a network."""
    first = next(iter(found.values()))["overall"]
    columns = [(key, title) for key, title in COLUMNS if key in first]
    lines = ["{:<24}".format("network") + "".join(f"{t:>11}" for _, t in columns)]
    for name, entry in found.items():
        cells = ("{:11.1f}" if key == "speed_fps" else "{:11.3f}" for key, _ in columns)
        values = (entry["overall"][key] for key, _ in columns)
        lines.append(f"{name:<24}" + "".join(c.format(v) for c, v in zip(cells, values)))
    return "\n".join(lines)


class LaSot:
    """The test set of LaSOT: ``CLASS/CLASS-N/img/*.jpg`` with ``groundtruth.txt`` beside ``img``.

    Args:
        folder: of the data set.
        listed: names of the test set's sequences, as its authors list them.

    Raises:
        BadRun: a sequence of the list is missing.
    """

    def __init__(self, folder: str, listed: Sequence[str]) -> None:
        self.seq_names = list(listed)
        self._folders = [
            os.path.join(str(folder), name.rsplit("-", 1)[0], name) for name in self.seq_names
        ]
        missing = [path for path in self._folders if not os.path.isdir(path)]
        if missing:
            raise BadRun(f"there is no folder {missing[0]}")

    def __len__(self) -> int:
        return len(self.seq_names)

    def __getitem__(self, index: int) -> tuple[list[str], np.ndarray]:
        if index >= len(self):
            raise IndexError(index)
        folder = self._folders[index]
        pictures = sorted(glob.glob(os.path.join(folder, "img", "*.jpg")))
        return pictures, np.loadtxt(os.path.join(folder, "groundtruth.txt"), delimiter=",")


# -- the experiments of the toolkit


def _toolkit() -> Any:
    """The toolkit's package, its plots set up to be drawn into files."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import got10k.datasets
        import got10k.experiments
    except ImportError as error:
        raise Missing(
            f"benchmarks need the GOT-10k toolkit ({error}); run `pip install got10k==0.1.3 six "
            "matplotlib`"
        ) from None
    return got10k


def _one_pass(toolkit: Any, dataset: Any, name: str, out: Path) -> Any:
    """OTB's protocol (one pass, success and precision curves) on a data set."""
    experiment = toolkit.experiments.ExperimentOTB.__new__(toolkit.experiments.ExperimentOTB)
    experiment.dataset = dataset
    experiment.result_dir = str(out / "results" / name)
    experiment.report_dir = str(out / "reports" / name)
    experiment.nbins_iou, experiment.nbins_ce = 21, 51  # thresholds of overlap, of pixels
    return experiment


def _otb(version: Any, title: str) -> Make:
    def make(toolkit: Any, data: str, out: Path) -> Any:
        dataset = toolkit.datasets.OTB(data, version, download=False)
        return _one_pass(toolkit, dataset, title, out)

    return make


def _lasot(toolkit: Any, data: str, out: Path) -> Any:
    listed = Path(toolkit.datasets.__file__).with_name("lasot.json").read_text()
    return _one_pass(toolkit, LaSot(data, json.loads(listed)["test"]), "LaSOT", out)


def _uav(version: Any) -> Make:
    def make(toolkit: Any, data: str, out: Path) -> Any:
        return toolkit.experiments.ExperimentUAV123(
            data, version, str(out / "results"), str(out / "reports")
        )

    return make


def _dtb70(toolkit: Any, data: str, out: Path) -> Any:
    return toolkit.experiments.ExperimentDTB70(data, str(out / "results"), str(out / "reports"))


def _got10k(subset: str) -> Make:
    def make(toolkit: Any, data: str, out: Path) -> Any:
        return toolkit.experiments.ExperimentGOT10k(
            data, subset, str(out / "results"), str(out / "reports")
        )

    return make


EXPERIMENTS = {
    "otb2013": _otb(2013, "OTB2013"),
    "otb50": _otb("tb50", "OTB50"),
    "otb100": _otb(2015, "OTB2015"),
    "uav123": _uav("UAV123"),
    "uav20l": _uav("UAV20L"),
    "dtb70": _dtb70,
    "lasot": _lasot,
    "got10k-val": _got10k("val"),
    "got10k-test": _got10k("test"),
}
