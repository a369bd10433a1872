"""Follow a target on a board that gives recorded results, and mark each part of a frame.

    python -m tests.arm.fpga_frames FOLDER PYNQ OUT.json [PIPELINE] [recover]

FOLDER is written by ``tests.arm.count_fpga``: record.npz, and a bundle. PYNQ is the folder of
PYNQ's library. "recover" lets the tracker search for a lost target. A mark is a system call that
the plugin ``count.c`` writes down:

    START   a program was started, and the fabric computes
    RUN     its results are in memory; what follows is done beside the fabric
    WAIT    the processor needs the results; what follows is done while the fabric is idle
    EMPTY   two in succession: what a mark costs itself
"""

import ctypes
import json
import pathlib
import sys

import numpy as np

from kernels import cpu
from runtime import loading
from runtime.bundle import Bundle
from runtime.options import Options
from tests.arm.replay import ReplayBoard

MARK = 0x4850  # of count.c
START, RUN, WAIT, EMPTY = 1, 2, 3, 4


def main(folder, library, out, pipeline="1", recover=""):
    """See above."""
    folder = pathlib.Path(folder)
    with np.load(str(folder / "record.npz")) as held:
        record = {name: held[name] for name in held.files}
    bundle = Bundle(next(folder.glob("*/*-int8")))
    board = ReplayBoard(bundle.settings["size"], library)
    for suffix in (".bit", ".hwh"):
        (folder / ("hotpath" + suffix)).touch()
    engine = loading.open_bundle(bundle, device=board, overlay=folder / "hotpath.bit")
    kernels = cpu.load()
    tracker = loading.create_tracker(
        engine.network,
        engine,
        kernels,
        Options(pipeline=int(pipeline), recover=recover == "recover"),
    )
    replay(engine, board, list(record["results"]))
    tracks = follow(tracker, list(record["frames"]), record["box"])
    rows = [[float(value) for value in track.box] + [track.score] for track in tracks]
    with open(out, "w") as file:
        json.dump({"kernels": kernels.name, "rows": rows}, file)


def replay(engine, board, results):
    """Let the engine's programs end at once, with the recorded results in order; mark them."""
    fabric, mark = engine.fabric, ctypes.CDLL(None).getpriority
    finish, hand_on, state = fabric.finish, fabric.hand_on, {"next": 0}

    def run():
        mark(MARK, START)
        board.end_program(results[state["next"]])
        state["next"] += 1
        mark(MARK, RUN)

    def marked(start):
        def started(*arguments):
            start(*arguments)
            run()

        return started

    def handed_on(*arguments):
        number = state["next"]
        is_running = hand_on(*arguments)
        if is_running and number == state["next"]:  # the compiled call started it, not ``start``
            run()
        return is_running

    def waited(*arguments):
        mark(MARK, WAIT)
        return finish(*arguments)

    fabric.start, fabric.start_prepared = marked(fabric.start), marked(fabric.start_prepared)
    fabric.finish, fabric.hand_on = waited, handed_on
    mark(MARK, EMPTY)
    mark(MARK, EMPTY)


def follow(tracker, frames, box):
    """Follow the target; the tracks of all frames but the first."""
    tracker.init(frames[0], tuple(float(value) for value in box))
    if tracker.device.slots == 1:
        return [tracker.update(frame) for frame in frames[1:]]
    tracks = []
    tracker.submit(frames[1], is_kept=True)
    for frame in frames[2:]:
        tracker.submit(frame, is_kept=True)
        tracks.append(tracker.collect())
    return tracks + [tracker.collect()]


if __name__ == "__main__":
    main(*sys.argv[1:])
