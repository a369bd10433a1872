"""How well networks follow annotated clips: AO and SR50 of each, and the means.

    python -m tests.accuracy --clips DIR --networks-dir DIR --network nanotrack_v2 --json FILE
    python -m tests.accuracy --clips DIR --networks-dir DIR --network kestrel fear_xs lighttrack

Several networks take turns on each frame and end in one table, with what their authors publish.
"""

import argparse
import json
import os
import sys
import time

import numpy as np

from runtime import DEFAULT_NETWORK, load_tracker
from runtime.errors import HotpathError
from tests.clips import clips_below, score

SKIPPED = ("mflops", "parameters_m")  # [published] figures that are not accuracy


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy", description=__doc__)
    parser.add_argument("--clips", required=True, help="folder of clips (img/ and boxes.csv each)")
    parser.add_argument("--network", nargs="+", default=[DEFAULT_NETWORK], help="names, or TOMLs")
    parser.add_argument(
        "--networks-dir", default=os.environ.get("NETWORKS_DIR"),
        help="folder with the networks' files (default: the environment's NETWORKS_DIR)",
    )  # fmt: skip
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", help="write the figures here; of several networks a list")
    options = parser.parse_args(arguments)
    try:
        reports = measure(options)
    except HotpathError as error:
        print("tests.accuracy: {}".format(error), file=sys.stderr)
        return 2
    if len(reports) > 1:
        print_table(reports)
    if options.json:
        with open(options.json, "w") as file:
            told = [without_time(report) for report in reports]
            json.dump(told if len(told) > 1 else told[0], file, indent=1)
    return 0


def without_time(report):
    """The figures that do not depend on the computer: network, engine, mean and clips."""
    told = {key: report[key] for key in ("network", "engine", "mean", "clips")}
    told["mean"] = {key: told["mean"][key] for key in ("ao", "sr50")}
    told["clips"] = {
        name: {key: clip[key] for key in ("ao", "sr50", "frames")}
        for name, clip in told["clips"].items()
    }
    return told


def measure(options):
    """Run the networks over all clips, print a line each, and return their figures, a dict each."""
    clips = clips_below(options.clips)
    if not clips:
        raise HotpathError("no clip with img/ and boxes.csv in {}".format(options.clips))
    trackers = [
        load_tracker(name, options.engine, options.networks_dir, options.threads, log=print)
        for name in options.network
    ]
    reports = [
        {
            "network": tracker.name,
            "engine": tracker.engine.name,
            "published": tracker.network.published,
            "clips": {},
        }
        for tracker in trackers
    ]
    print("{:<24} {:<14} {:>6} {:>6} {:>7} {:>9}".format(
        "clip", "network", "AO", "SR50", "frames", "ms/frame"))  # fmt: skip
    for clip in clips:
        for report, (boxes, all_ms) in zip(reports, follow_all(trackers, clip)):
            ao, sr50 = score(boxes, clip.boxes)
            ms = float(np.median(all_ms))
            report["clips"][clip.name] = {"ao": ao, "sr50": sr50, "frames": len(clip), "ms": ms}
            print("{:<24} {:<14} {:6.3f} {:6.3f} {:7d} {:9.2f}".format(
                clip.name, report["network"], ao, sr50, len(clip), ms), flush=True)  # fmt: skip
    for tracker, report in zip(trackers, reports):
        report["mean"] = {
            key: sum(clip[key] for clip in report["clips"].values()) / len(clips)
            for key in ("ao", "sr50", "ms")
        }
        print("{:<24} {:<14} {ao:6.3f} {sr50:6.3f} {:>7} {ms:9.2f}".format(
            "mean of {}".format(len(clips)), report["network"], "", **report["mean"]))  # fmt: skip
        tracker.close()
    return reports


def follow_all(trackers, clip):
    """Boxes (frames, 4) and milliseconds of each tracker; all see a frame before the next one."""
    boxes, all_ms = [[] for _ in trackers], [[] for _ in trackers]
    for index, frame in enumerate(clip):
        for number, tracker in enumerate(trackers):
            if index == 0:
                tracker.init(frame, clip.boxes[0])
                boxes[number].append(tuple(clip.boxes[0]))
                continue
            started = time.perf_counter()
            boxes[number].append(tracker.update(frame).box)
            all_ms[number].append((time.perf_counter() - started) * 1e3)
    return [(np.array(own), ms) for own, ms in zip(boxes, all_ms)]


def print_table(reports):
    """One line a network, the best first; ms is the mean over clips of the median frame."""
    print("\n{:<14} {:>6} {:>6} {:>9}   published".format("network", "AO", "SR50", "ms/frame"))
    for report in sorted(reports, key=lambda report: -report["mean"]["ao"]):
        published = ", ".join(
            "{} {:g}".format(name.replace("_", " "), value)
            for name, value in report["published"].items()
            if name not in SKIPPED
        )
        print("{:<14} {ao:6.3f} {sr50:6.3f} {ms:9.2f}   {}".format(
            report["network"], published or "-", **report["mean"]))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
