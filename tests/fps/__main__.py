"""python -m tests.fps: time a tracker's frame, step by step, beside OpenCV's own tracker.

    python -m tests.fps --video CLIP --box X,Y,W,H --network nanotrack_v2 --against opencv

Frames are decoded before. The trackers take turns on blocks of frames in one process, so that what
disturbs the machine disturbs both; a ratio above 1 says how many times faster ours is.
"""

import argparse
import json
import sys
import time

import cv2
import numpy as np

from runtime import DEFAULT_NETWORK, load_tracker
from runtime.errors import HotpathError
from runtime.profile import Profile
from runtime.track import first_boxes
from runtime.video.sources import open_source
from tests.fps import peers

BLOCK = 20  # frames before the other tracker's turn
WARM_UP = 20  # frames of each block row that are run but not counted, once


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.fps", description=__doc__)
    parser.add_argument("--video", required=True, help="as runtime.track's --video; a recording")
    parser.add_argument("--box", action="append", help="target in the first frame, X,Y,W,H")
    parser.set_defaults(boxes=None)
    parser.add_argument("--network", default=DEFAULT_NETWORK)
    parser.add_argument("--networks-dir")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--threads", type=int, default=1, help="of ours and of the peer's")
    parser.add_argument("--against", choices=sorted(peers.PEERS), help="a peer to take turns with")
    parser.add_argument("--frames", type=int, default=600, help="frames to time, the clip repeated")
    parser.add_argument("--json", help="write the figures here")
    options = parser.parse_args(arguments)
    try:
        report = measure(options)
    except HotpathError as error:
        print("tests.fps: {}".format(error), file=sys.stderr)
        return 2
    print_report(report)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)
    return 0


def measure(options):
    """Time all frames; returns the figures."""
    cv2.setNumThreads(options.threads)
    with open_source(options.video, print) as source:
        if source.live:
            raise HotpathError("the frames must be the same for all; name a file or a folder")
        frames = _all_frames(source)
        box = first_boxes(options, source, frames[0])[0]
    tracker = load_tracker(
        options.network, options.engine, options.networks_dir, options.threads, log=print
    )
    peer = None
    if options.against:
        peer = peers.PEERS[options.against](tracker.network, options.networks_dir, options.threads)
    profile, peer_ms = take_turns(tracker, peer, frames, box, options.frames)

    report = {
        "network": tracker.name,
        "engine": tracker.engine.name,
        "kernels": tracker.kernels.name,
        "threads": options.threads,
        "frames": profile.frames,
        "ms": profile.figures(),
    }
    ours = report["ms"]["total"]["median"]
    report["outside_network"] = 1 - report["ms"]["network"]["median"] / ours
    if peer:
        figures = dict(zip(("median", "p95", "p99"), np.percentile(peer_ms, (50, 95, 99))))
        ratio = figures["median"] / ours
        report["against"] = {options.against: {"ms": {"total": figures}, "ratio": float(ratio)}}
    return report


def _all_frames(source):
    frames = []
    while True:
        frame = source.read()
        if frame is None:
            return frames
        frames.append(frame)


def take_turns(tracker, peer, frames, box, count):
    """Run both over the same frames in blocks; returns our profile and the peer's milliseconds."""
    profile, peer_ms = Profile(max(count, 1)), []
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
    """Milliseconds of one frame; the first of the clip starts the tracker anew."""
    if number == 0:
        tracker.init(frames[0], box)
        return 0.0
    started = time.perf_counter()
    tracker.update(frames[number])
    return (time.perf_counter() - started) * 1e3


def print_report(report):
    """The figures as a table."""
    print("{network} on {engine}, {kernels} kernels, {threads} thread(s), {frames} frames".format(
        **report))  # fmt: skip
    print("{:<10} {:>8} {:>8} {:>8}".format("ms", "median", "p95", "p99"))
    for step, ms in report["ms"].items():
        if step != "wait":
            print("{:<10} {median:8.3f} {p95:8.3f} {p99:8.3f}".format(step, **ms))
    print("outside the network: {:.1%} of the frame".format(report["outside_network"]))
    for name, peer in report.get("against", {}).items():
        print("{:<10} {median:8.3f} {p95:8.3f} {p99:8.3f}   {:.2f} times ours".format(
            name, peer["ratio"], **peer["ms"]["total"]))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
