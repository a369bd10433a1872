"""A process of ``workers.py`` that times the code of one checkout, a block of frames at a time.

Each line is one JSON. The first line of the input is {"load": arguments of ``load_tracker``,
"threads", "frames": a file, "box", "alone": an ONNX file or null}. Then {"frames": N} asks for a
block. The output is {"ready": ...}, then for each block {"ms": {...}, "boxes": [...],
"waited_s": S, "cpu_s": S} or {"error": sentence}. The process ends when its input ends.
"""

import json
import os
import sys
from typing import Any, Dict, TextIO


def main() -> int:
    import alone  # type: ignore[import-not-found]  # of this folder, not of a package
    import loop  # type: ignore[import-not-found]

    # import the other commit's packages, not the files of this folder
    sys.path[0] = sys.argv[1]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    try:
        _serve(loop, alone, answers)
    except Exception as error:  # of any kind: the other side must be told
        _say(answers, {"error": f"{type(error).__name__}: {error}"})
        return 1
    return 0


def _serve(loop: Any, alone: Any, answers: TextIO) -> None:
    import cv2
    import numpy as np

    settings = json.loads(sys.stdin.readline())
    cv2.setNumThreads(settings["threads"])
    import runtime  # the name that older commits have too

    if not os.path.abspath(runtime.__file__).startswith(os.path.abspath(sys.argv[1])):
        raise ImportError(f"runtime came from {runtime.__file__}")
    tracker = runtime.load_tracker(**settings["load"])
    frames = list(np.load(settings["frames"]))
    own = loop.Loop(tracker, frames, settings["box"])
    ready = dict(tracker.engine.describe(), kernels=tracker.kernels_name)
    bare = alone.Alone(ready["engine"], settings.get("alone"), settings["threads"])
    _say(answers, {"ready": ready})
    for line in sys.stdin:
        before = loop.waited_s()
        ms, boxes = own.run(json.loads(line)["frames"])
        after = loop.waited_s()
        waited = None if before is None or after is None else after - before
        ms["alone"] = bare.ms()
        cpu_s = sum(os.times()[:2])
        _say(answers, {"ms": ms, "boxes": boxes, "waited_s": waited, "cpu_s": cpu_s})


def _say(answers: TextIO, what: Dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
