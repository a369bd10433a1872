"""python -m hotpath.boards.fps: time a tracker's frame, step by step, beside OpenCV's own tracker.

    python -m hotpath.boards.fps --video CLIP --box X,Y,W,H --network nanotrack_v2 --against opencv

Frames are decoded before. The trackers take turns on blocks of frames in one process, so that what
disturbs the machine disturbs both; a ratio above 1 says how many times faster ours is. A
network that OpenCV cannot run is timed beside nanotrack_v2 there.
"""

import argparse
import json
import sys
import time

import cv2
import numpy as np

from hotpath.kernels.commands import program
from hotpath.runtime import DEFAULT_NETWORK, load_tracker, plan
from hotpath.runtime.arguments import add_engine, add_networks_dir
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import given_in
from hotpath.runtime.track.cli.boxes import given_boxes
from hotpath.runtime.track.cli.profile import STEPS, Profile
from hotpath.runtime.track.video.sources import open_source

BLOCK = 20  # frames before the other tracker's turn
USUAL = "nanotrack_v2"  # what the peer runs where it can't run the network that is timed
WARM_UP = 20  # frames that are run once before any is counted


def main(arguments=None):
    parser = argparse.ArgumentParser(prog=program("fps", "hotpath.boards.fps"), description=__doc__)
    parser.add_argument("--video", required=True, help="as runtime.track's --video; a recording")
    parser.add_argument(
        "--box", action="append", help="X,Y,W,H in the first frame (default: the clip's annotation)"
    )
    parser.set_defaults(boxes=None, page=False, mavlink=None, recover=None)
    parser.add_argument("--network", default=DEFAULT_NETWORK)
    add_networks_dir(parser)
    add_engine(parser, of_files=False)
    parser.add_argument(
        "--precision",
        default=plan.AUTO,
        choices=plan.PRECISIONS,
        help="of ours (default: the one that is faster here)",
    )
    parser.add_argument("--threads", type=int, default=1, help="of ours and of the peer's")
    parser.add_argument("--against", choices=("opencv",), help="a peer to take turns with")
    parser.add_argument("--frames", type=int, default=600, help="frames to time, the clip repeated")
    parser.add_argument("--json", help="write the figures here")
    options = parser.parse_args(arguments)
    try:
        report = measure(options)
    except HotpathError as error:
        print(f"hotpath fps: {error}", file=sys.stderr)
        return 2
    print_report(report)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)
    return 0


def measure(options):
    frames, box = _frames_and_box(options)
    tracker = load_tracker(**given_in(vars(options)), log=print)
    peer = None
    if options.against:
        peer = OpenCvNano(tracker.network, options.networks_dir, options.threads)
    profile, peer_ms = take_turns(tracker, peer, frames, box, options.frames)
    if not profile.frames:
        raise HotpathError(
            "no frame was timed: the first one of the clip only starts the tracker; give more "
            "--frames, or a longer clip"
        )
    report = {
        "network": tracker.name,
        "engine": tracker.engine.name,
        "kernels": tracker.kernels_name,
        "threads": options.threads,
        "frames": profile.frames,
        "ms": {step: profile.figures(step) for step in STEPS},
    }
    ours = report["ms"]["total"]["median"]
    report["outside_network"] = 1 - report["ms"]["network"]["median"] / ours
    if peer:
        figures = dict(zip(("median", "p95", "p99"), np.percentile(peer_ms, (50, 95, 99))))
        ratio = figures["median"] / ours
        told = {"network": peer.runs, "ms": {"total": figures}, "ratio": float(ratio)}
        report["against"] = {options.against: told}
    return report


def _frames_and_box(options):
    """All frames of the source, decoded, and the target's box in the first of them."""
    cv2.setNumThreads(options.threads)
    with open_source(options.video, print) as source:
        if source.live:
            raise HotpathError("the frames must be the same for all; name a file or a folder")
        frames, frame = [], source.read()
        while frame is not None:
            frames.append(frame)
            frame = source.read()
        if not frames:
            raise HotpathError(f"{source.name} holds no frame; name another --video")
        if not options.box and source.first_box is None:
            raise HotpathError(
                f"{source.name} has no annotated box; give --box X,Y,W,H, or name a folder with "
                "groundtruth.txt beside the frames"
            )
        return frames, given_boxes(options, source, frames[0])[0]


class OpenCvNano:
    """OpenCV's TrackerNano, on the same files where it can run them, else on those of ``USUAL``."""

    def __init__(self, network, networks_dir, threads):
        if not hasattr(cv2, "TrackerNano_create"):
            raise HotpathError(f"OpenCV {cv2.__version__} has no TrackerNano; install 4.7 or newer")
        paths, self.runs = network.locate(networks_dir), network.name
        if set(paths) != {"backbone", "head"} or network.map_size != 16:
            paths, self.runs = load_network(USUAL).locate(networks_dir), USUAL
        cv2.setNumThreads(threads)
        self._params = cv2.TrackerNano_Params()
        self._params.backbone = str(paths["backbone"])
        self._params.neckhead = str(paths["head"])
        self._tracker = cv2.TrackerNano_create(self._params)
        self.update = self._tracker.update

    def init(self, frame, box):
        self._tracker.init(frame, tuple(int(round(value)) for value in box))


def take_turns(tracker, peer, frames, box, count):
    """Run both over the same frames in blocks. Return our profile and the peer's milliseconds."""
    profile, peer_ms = Profile(), []
    for index in range(-WARM_UP, count, BLOCK):
        block = [(i + WARM_UP) % len(frames) for i in range(index, min(index + BLOCK, count))]
        for number in block:
            ms = _timed(tracker, frames, number, box)
            if index >= 0 and number:
                profile.add(0.0, tracker.step_ms, ms)
        for number in block if peer else ():
            ms = _timed(peer, frames, number, box)
            if index >= 0 and number:
                peer_ms.append(ms)
    return profile, peer_ms


def _timed(tracker, frames, number, box):
    """Milliseconds of one frame; the first of the clip initialises the tracker again."""
    if number == 0:
        tracker.init(frames[0], box)
        return 0.0
    started = time.perf_counter()
    tracker.update(frames[number])
    return (time.perf_counter() - started) * 1e3


def print_report(report):
    head = "{network} on {engine}, {kernels} kernels, {threads} thread(s), {frames} frames"
    print(head.format(**report))
    print("{:<10} {:>8} {:>8} {:>8}".format("ms", "median", "p95", "p99"))
    for step, ms in report["ms"].items():
        if step != "wait":
            print("{:<10} {median:8.3f} {p95:8.3f} {p99:8.3f}".format(step, **ms))
    print("outside the network: {:.1%} of the frame".format(report["outside_network"]))
    for name, peer in report.get("against", {}).items():
        print(
            "{:<10} {median:8.3f} {p95:8.3f} {p99:8.3f}   {:.2f} times ours, {}".format(
                name, peer["ratio"], peer["network"], **peer["ms"]["total"]
            )
        )
