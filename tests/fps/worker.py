"""A process that times frames of the code in one checkout, a block at a time, when it is told to.

    python tests/fps/worker.py CHECKOUT     (started by tests/fps/against.py)

One JSON a line. In, first: the tracker's settings and the file of frames; then {"frames": N} for
each block. Out: {"ready": ...}, then {"ms": {...}, "boxes": [...], "waited_s": S} a block, or
{"error": sentence}. Ends when its input ends.
"""

import json
import os
import sys

HERE = sys.path[0]


def main():
    import loop

    # the other commit's packages, and no file of this folder in their way
    sys.path[0] = sys.argv[1]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not get among the answers
    try:
        _serve(loop, answers)
    except Exception as error:  # whatever it is, the other side must hear of it
        _say(answers, {"error": "{}: {}".format(type(error).__name__, error)})
        return 1
    return 0


def _serve(loop, answers):
    import cv2
    import numpy as np

    settings = json.loads(sys.stdin.readline())
    cv2.setNumThreads(settings["threads"])
    import runtime

    if not os.path.abspath(runtime.__file__).startswith(os.path.abspath(sys.argv[1])):
        raise ImportError("runtime came from {}".format(runtime.__file__))
    tracker = runtime.load_tracker(
        settings["network"],
        engine=settings["engine"],
        networks_dir=settings["networks_dir"],
        threads=settings["threads"],
    )
    frames = list(np.load(settings["frames"]))
    own = loop.Loop(tracker, frames, settings["box"])
    engine = tracker.engine
    told = engine.describe() if hasattr(engine, "describe") else {}
    _say(answers, {"ready": dict(told, engine=engine.name, kernels=tracker.kernels.name)})
    for line in sys.stdin:
        before = loop.waited_s()
        ms, boxes = own.run(json.loads(line)["frames"])
        after = loop.waited_s()
        waited = None if before is None or after is None else after - before
        _say(answers, {"ms": ms, "boxes": boxes, "waited_s": waited})


def _say(answers, what):
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
