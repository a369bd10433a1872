"""python -m tests.fps.waiting: what shortens a frame that comes at a camera's pace, by experiment.

    chrt -f 50 python -m tests.fps.waiting --clips DIR --network kestrel --precision int8

Each round times a block of frames flat out, then a block at the camera's rate in each way of
``WAYS``, in an order that rotates. A ratio compares blocks of the same round, so that what
disturbs the machine for longer than a round disturbs both.
"""

import argparse
import json
import os
import sys
import time
from collections import namedtuple

import cv2
import numpy as np

from runtime import DEFAULT_NETWORK, load_tracker, precision
from runtime.errors import HotpathError
from runtime.options import LOW, NORMAL, SAVING
from tests.fps import clips
from tests.fps.loop import Loop
from tests.fps.pace import LEARNING, PacedLoop

FLAT_WARM = 20  # frames of a flat-out block that are not counted

# title: of the table; latency: of runtime.pace; loop: a class
Way = namedtuple("Way", "title latency loop")


class InLoop(PacedLoop):
    """The frame loop decodes, and waits as ``wait`` says. No thread, no rehearsal."""

    def run(self, count, between=None):
        """See ``PacedLoop.run``."""
        tracker, capture = self.tracker, self._camera.open()
        tracker.init(self._first, self._box)
        steps = {"total": [], "arrival_to_box": []}
        began_s = time.process_time()
        for _ in range(count):
            self.wait(capture.due_next())
            _, frame = capture.read()
            started = time.monotonic()
            tracker.update(frame)
            ended = time.monotonic()
            steps["total"].append((ended - started) * 1e3)
            steps["arrival_to_box"].append((ended - started) * 1e3)
        self.processor_ms = (time.process_time() - began_s) * 1e3 / count
        return steps, []

    def wait(self, due_s):
        """Sleep; ``read`` does."""


class BusyInLoop(InLoop):
    """The frame loop keeps its core busy until the frame is due, then decodes."""

    def wait(self, due_s):
        """Busy-poll."""
        while time.monotonic() < due_s:
            pass


WAYS = (
    Way("the loop decodes, sleeps", SAVING, InLoop),
    Way("the loop decodes, waits busily", SAVING, BusyInLoop),
    Way("a thread decodes (`saving`)", SAVING, PacedLoop),
    Way("one rehearsal (`normal`)", NORMAL, PacedLoop),
    Way("several rehearsals, awake (`low`)", LOW, PacedLoop),
)


def measure(tracker, clip, fps, rounds, frames, say=print):
    """Time all ways in turns: (flat-out ms, list of dicts, one a way)."""
    flat, flat_ms = Loop(tracker, clip.frames, clip.box), []
    results = [
        {"way": way.title, "ratios": [], "total": [], "arrival": [], "processor": []}
        for way in WAYS
    ]
    for number in range(rounds):
        flat.place = 0
        ms = flat.run(FLAT_WARM + 80)[0]["total"][FLAT_WARM:]
        flat_ms += ms
        for place in np.roll(np.arange(len(WAYS)), -number):
            way, result = WAYS[place], results[place]
            loop = way.loop(tracker, clip.frames, clip.box, fps, way.latency)
            steps, _ = loop.run(LEARNING + frames)
            total = steps["total"][LEARNING:]
            result["total"] += total
            result["arrival"] += steps["arrival_to_box"][LEARNING:]
            result["processor"].append(loop.processor_ms)
            result["ratios"].append(float(np.median(total) / np.median(ms)))
        say(f"round {number + 1} of {rounds}")
    return flat_ms, results


def table(flat_ms, results):
    """The result as Markdown."""
    lines = [
        "Flat out: {:.3f} ms (median), p95 {:.3f}.".format(*np.percentile(flat_ms, (50, 95))),
        "",
        "| way to wait | median ms | p95 | / flat out (quartiles of the rounds) | frame there to "
        "box, median | p95 | processor ms a frame |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for result in results:
        low, middle, high = np.percentile(result["ratios"], (25, 50, 75))
        lines.append(
            "| {} | {:.3f} | {:.3f} | {:.2f} ({:.2f}–{:.2f}) | {:.3f} | {:.3f} | {:.2f} |".format(
                result["way"],
                *np.percentile(result["total"], (50, 95)),
                middle,
                low,
                high,
                *np.percentile(result["arrival"], (50, 95)),
                np.median(result["processor"]),
            )
        )
    return "\n".join(lines)


def main(arguments=None):
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fps.waiting", description=__doc__)
    parser.add_argument("--network", default=DEFAULT_NETWORK)
    parser.add_argument("--precision", default="auto", choices=precision.PRECISIONS)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--networks-dir", default=os.environ.get("NETWORKS_DIR"))
    parser.add_argument("--clips", metavar="DIR", help="the first one is used (default: a film)")
    parser.add_argument("--pace", type=float, default=30.0, metavar="FPS")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=60, help="of a round and way")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    try:
        clip = clips.load(options.clips)[0]
        cv2.setNumThreads(1)
        tracker = load_tracker(
            options.network,
            precision=options.precision,
            engine=options.engine,
            networks_dir=options.networks_dir,
            threads=1,
        )
        flat_ms, results = measure(tracker, clip, options.pace, options.rounds, options.frames)
    except HotpathError as error:
        print(f"tests.fps.waiting: {error}", file=sys.stderr)
        return 2
    print(table(flat_ms, results))
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"flat": flat_ms, "ways": results}, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
