"""python -m hotpath_release.speed: time each network beside OpenCV's TrackerNano.

    python -m hotpath_release.speed --video CLIP --box X,Y,W,H --networks-dir DIR

Frames are decoded before. Each round is a process of its own, in which both trackers take turns on
blocks of frames, so that what disturbs the machine disturbs both. Writes docs/results/speed.json
and speed.md with the rounds' medians.
"""

import argparse
import datetime
import json
import multiprocessing
import os
import re
import statistics
import time

import cv2

from hotpath.app.cli.boxes import parsed_box
from hotpath.app.cli.profile import Profile
from hotpath.runtime import load_tracker
from hotpath.runtime.networks import load_network
from hotpath.video.sources import open_source
from hotpath_lab import provenance
from tests.support import ROOT

OUT = ROOT / "docs" / "results"
NETWORKS = (
    ("kestrel", "int8"),
    ("kestrel", "fp32"),
    ("kestrel_fast", "int8"),
    ("kestrel_fast", "fp32"),
    ("kestrel_small", "int8"),
    ("kestrel_small", "fp32"),
    ("nanotrack_v1", "fp32"),
    ("nanotrack_v2", "fp32"),
    ("nanotrack_v3", "fp32"),
    ("fear_xs", "fp32"),
    ("lightfc", "fp32"),
)
STEPS = ("crop", "network", "select")
BLOCK = 20  # frames before the other tracker's turn
MOST_LOAD = 0.5  # mean number of running processes in the minute before
WARM_UP = 20  # frames that are run once before any is counted
USUAL = "nanotrack_v2"  # what OpenCV runs where it can't run the network that is timed


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m hotpath_release.speed")
    parser.add_argument("--video", required=True)
    parser.add_argument("--box", required=True)
    parser.add_argument("--networks-dir", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=400)
    options = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    if load > MOST_LOAD:
        print(
            f"hotpath_release.speed: this computer has a load of {load:.1f}, so times mean ", end=""
        )
        print(f"nothing; wait until it is below {MOST_LOAD}")
        return 2
    taken = {one: [] for one in NETWORKS}
    for _ in range(options.rounds):  # in turns, so that what disturbs for long disturbs all
        for network, precision in NETWORKS:
            with multiprocessing.get_context("spawn").Pool(1) as process:
                report = process.apply(once, (options, network, precision))
            taken[network, precision].append(report)
    today, commit = datetime.date.today().isoformat(), (provenance.commit() or "unknown")[:7]
    results = {
        "date": today,
        "commit": commit,
        "machine": f"{provenance.processor()}, {os.cpu_count()} cores",
        "load": round(load, 2),
        "rounds": options.rounds,
        "frames": options.frames,
        "rows": [row(*one, rounds) for one, rounds in taken.items()],
    }
    (OUT / "speed.json").write_text(json.dumps(results, indent=1) + "\n")
    page = (OUT / "speed.md").read_text()
    for pattern, new in (
        (r"^20.*?(?=\. Raw)", f"{today}, commit {commit}, {results['machine']}, load {load:.2f}"),
        (r"--rounds \d+ --frames \d+", f"--rounds {options.rounds} --frames {options.frames}"),
        (r"^`kestrel` in INT8 takes .*", answer(results["rows"])),
        (r"\d+ rounds of \d+ frames", f"{options.rounds} rounds of {options.frames} frames"),
        (r"(?<=\|---\|\n)(\|.*\n)+", "".join(line(one) + "\n" for one in results["rows"])),
    ):
        page = re.sub(pattern, new, page, count=1, flags=re.MULTILINE)
    (OUT / "speed.md").write_text(page)
    return 0


def once(options, network, precision):
    """Milliseconds of each step, medians, of one round of both trackers."""
    cv2.setNumThreads(1)
    frames = []
    with open_source(options.video) as source:
        frame = source.read()
        while frame is not None:
            frames.append(frame)
            frame = source.read()
    box = parsed_box("--box", options.box, frames[0].shape[1::-1])
    given = {"engine": "openvino", "precision": precision, "networks_dir": options.networks_dir}
    tracker = load_tracker(network, threads=1, **given)
    peer = OpenCvNano(load_network(network), options.networks_dir)
    profile, peer_ms = take_turns(tracker, peer, frames, box, options.frames)
    ms = {step: profile.figures(step)["median"] for step in (*STEPS, "total")}
    return dict(ms, opencv=statistics.median(peer_ms))


class OpenCvNano:
    """OpenCV's TrackerNano, on the same files where it can run them, else on those of ``USUAL``."""

    def __init__(self, network, networks_dir):
        paths, self.runs = network.locate(networks_dir), network.name
        if set(paths) != {"backbone", "head"} or network.map_size != 16:
            paths, self.runs = load_network(USUAL).locate(networks_dir), USUAL
        params = cv2.TrackerNano_Params()
        params.backbone = str(paths["backbone"])
        params.neckhead = str(paths["head"])
        self._tracker = cv2.TrackerNano_create(params)
        self.update = self._tracker.update

    def init(self, frame, box):
        self._tracker.init(frame, tuple(int(round(value)) for value in box))


def take_turns(tracker, peer, frames, box, count):
    """Run both over the same frames in blocks. Return our profile and the peer's milliseconds."""
    profile = Profile()
    peer_ms = []
    for index in range(-WARM_UP, count, BLOCK):
        block = [(i + WARM_UP) % len(frames) for i in range(index, min(index + BLOCK, count))]
        for number in block:
            ms = timed(tracker, frames, number, box)
            if index >= 0 and number:
                profile.add(0.0, tracker.step_ms, ms)
        for number in block:
            ms = timed(peer, frames, number, box)
            if index >= 0 and number:
                peer_ms.append(ms)
    return profile, peer_ms


def timed(tracker, frames, number, box):
    """Milliseconds of one frame; the first of the clip initialises the tracker again."""
    if number == 0:
        tracker.init(frames[0], box)
        return 0.0
    started = time.perf_counter()
    tracker.update(frames[number])
    return (time.perf_counter() - started) * 1e3


def row(network, precision, rounds):
    """The medians of the rounds of one network."""
    ms = {key: round(statistics.median(one[key] for one in rounds), 3) for key in rounds[0]}
    return {
        "network": network,
        "precision": precision,
        "opencv_ms": ms.pop("opencv"),
        "ms": ms,
        "ratios": sorted(round(one["opencv"] / one["total"], 2) for one in rounds),
    }


def answer(rows):
    """The page's answer: the default network beside OpenCV's tracker."""
    figures = next(one for one in rows if (one["network"], one["precision"]) == NETWORKS[0])
    return (
        f"`kestrel` in INT8 takes {figures['ms']['total']:.2f} ms a frame and is "
        f"{statistics.median(figures['ratios']):.1f} times as fast as OpenCV's TrackerNano."
    )


def line(figures):
    ratios = figures["ratios"]
    ratio = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    ms = [f"{figures['ms'][step]:.2f}" for step in (*STEPS, "total")]
    cells = [f"`{figures['network']}`", figures["precision"], *ms]
    return "| " + " | ".join([*cells, f"{figures['opencv_ms']:.2f}", ratio]) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
