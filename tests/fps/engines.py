"""python -m tests.fps.engines: a tracker's frame on several engines, in turns in one process.

    python -m tests.fps.engines --networks kestrel,nanotrack_v2 --precision fp32,int8 \\
        --networks-dir DIR --int8-dir DIR

The engines take turns on blocks of frames of a film made here, on one thread each. The table has
the medians of the network and of the whole frame, and the frame as a multiple of the fastest
engine's. An engine that needs a bundle gets a new one in a temporary folder.
"""

import argparse
import os
import sys
import tempfile
import time

import cv2
import numpy as np

from boards import load_board
from boards.build.engines import build_of
from boards.build.order import Order
from runtime import DEFAULT_NETWORK, engines, load_tracker
from runtime.errors import HotpathError
from runtime.networks import load_network
from tests.fps import clips, run

BOARD = "raspberry_pi5"  # of the bundles; their format is the same on every processor
BLOCK, WARM_UP = 20, 5  # frames of a turn; of these, frames that are not counted
REST_S = 0.05  # before a turn: an engine's threads may busy-wait after a call


def main(arguments=None):
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    clip = clips.film(60)
    try:
        for network in options.networks:
            for precision in options.precision:
                with tempfile.TemporaryDirectory() as folder:
                    trackers = {
                        engine: _tracker(run.Case(network, precision, engine), options, folder)
                        for engine in options.engines
                    }
                    _print(network, precision, take_turns(trackers, clip, options.frames))
    except HotpathError as error:
        print(f"tests.fps.engines: {error}", file=sys.stderr)
        return 2
    return 0


def _parser():
    names = dict(type=lambda text: [name for name in text.split(",") if name], metavar="NAME,NAME")
    cli = argparse.ArgumentParser(
        prog="python -m tests.fps.engines",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli.add_argument("--networks", default=[DEFAULT_NETWORK], **names)
    cli.add_argument("--precision", default=["fp32", "int8"], **names)
    cli.add_argument("--engines", default=["openvino", "onnxruntime", "ncnn"], **names)
    cli.add_argument("--frames", type=int, default=200, metavar="N", help="counted, of an engine")
    cli.add_argument("--networks-dir", default=os.environ.get("NETWORKS_DIR"), metavar="DIR")
    cli.add_argument("--int8-dir", default="out/int8", metavar="DIR")
    return cli


def _tracker(case, options, folder):
    """The tracker of a ``run.Case``."""
    if not engines.find(case.engine).runs_files:
        table = os.path.join(options.int8_dir, case.network + "-ranges.json")
        order = Order(
            load_board(BOARD),
            load_network(case.network),
            case.precision,
            folder,
            options.networks_dir,
            table if case.precision == "int8" and os.path.isfile(table) else None,
        )
        bundle = build_of(order.board, case.engine)(order, lambda text: None)
        return load_tracker(bundle=bundle.folder, board=BOARD, threads=1, recover=False)
    network = run.on_processor(case, run.Settings(int8_dir=options.int8_dir))
    return load_tracker(
        network.path,
        engine=case.engine,
        precision="fp32",
        networks_dir=options.networks_dir,
        threads=1,
        recover=False,
    )


def take_turns(trackers, clip, frames):
    """dict of name -> (median of the network, of the frame), ms; the trackers take turns."""
    spent = {name: [] for name in trackers}
    for tracker in trackers.values():
        tracker.init(clip.frames[0], clip.box)
    counted = 0
    while counted < frames:
        for name, tracker in trackers.items():
            time.sleep(REST_S)
            tracker.init(clip.frames[0], clip.box)
            for number in range(1, WARM_UP + BLOCK):
                started = time.perf_counter()
                tracker.update(clip.frames[number % len(clip.frames)])
                if number >= WARM_UP:
                    whole_ms = (time.perf_counter() - started) * 1e3
                    spent[name].append((tracker.step_ms["network"], whole_ms))
        counted += BLOCK
    return {name: tuple(np.median(rows, axis=0)) for name, rows in spent.items()}


def _print(network, precision, medians):
    least = min(frame for _, frame in medians.values())
    print(f"{network} {precision}")
    print("{:<14}{:>12}{:>10}{:>10}".format("ms", "network", "frame", "times"))
    for name, (alone, frame) in medians.items():
        print(f"{name:<14}{alone:>12.3f}{frame:>10.3f}{frame / least:>10.2f}")


if __name__ == "__main__":
    sys.exit(main())
