"""How well a network follows annotated clips: AO and SR50 of each, and the means.

    python -m tests.accuracy --clips DIR --networks-dir DIR --network nanotrack_v2 --json FILE
"""

import argparse
import json
import sys
import time

from runtime import DEFAULT_NETWORK, load_tracker
from runtime.errors import HotpathError
from tests.clips import clips_below, follow, score


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy", description=__doc__)
    parser.add_argument("--clips", required=True, help="folder of clips (img/ and boxes.csv each)")
    parser.add_argument("--network", default=DEFAULT_NETWORK, help="name, or a TOML")
    parser.add_argument("--networks-dir", help="folder with the network's files")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", help="write the figures here")
    options = parser.parse_args(arguments)
    try:
        report = measure(options)
    except HotpathError as error:
        print("tests.accuracy: {}".format(error), file=sys.stderr)
        return 2
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)
    return 0


def measure(options):
    """Run one network over all clips, print a line each, and return the figures."""
    clips = clips_below(options.clips)
    if not clips:
        raise HotpathError("no clip with img/ and boxes.csv in {}".format(options.clips))
    tracker = load_tracker(
        options.network, options.engine, options.networks_dir, options.threads, log=print
    )
    report = {"network": tracker.name, "engine": tracker.engine.name, "clips": {}}
    print("{:<24} {:>6} {:>6} {:>7} {:>9}".format("clip", "AO", "SR50", "frames", "ms/frame"))
    for clip in clips:
        started = time.perf_counter()
        boxes = follow(tracker, clip)
        per_frame_ms = (time.perf_counter() - started) * 1e3 / len(clip)
        ao, sr50 = score(boxes, clip.boxes)
        report["clips"][clip.name] = {"ao": ao, "sr50": sr50, "frames": len(clip)}
        print("{:<24} {:6.3f} {:6.3f} {:7d} {:9.2f}".format(
            clip.name, ao, sr50, len(clip), per_frame_ms), flush=True)  # fmt: skip
    report["mean"] = {
        key: sum(clip[key] for clip in report["clips"].values()) / len(clips)
        for key in ("ao", "sr50")
    }
    print("{:<24} {ao:6.3f} {sr50:6.3f}".format("mean of {}".format(len(clips)), **report["mean"]))
    tracker.close()
    return report


if __name__ == "__main__":
    sys.exit(main())
