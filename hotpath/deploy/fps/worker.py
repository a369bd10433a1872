"""Time the tracker of one checkout in a process of its own, a block of frames at a time.

It runs the code of other commits too, so it imports nothing of Hotpath but what it times. Each line
is one JSON. The first line of the input is {"load": arguments of ``load_tracker``, "threads",
"frames": a file, "box", "alone": an ONNX file or null}. Then {"frames": N} asks for a block. The
output is {"ready": ...}, then for each block {"ms": {...}, "boxes": [...], "cpu_s": S} or {"error":
sentence}. The process ends when its input ends.

After each block the network alone runs, by its library without the code of a commit. It tells how
fast the machine is now: clocks, heat and other processes slow it down as they slow down a frame. A
slow commit slows down only the frame.
"""

import contextlib
import itertools
import json
import os
import sys
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, TextIO, Tuple

ALONE_RUNS = 4  # of the network alone; the first one finds cold caches and does not count

Call = Callable[[], object]
Frame = Tuple[Dict[str, float], List[float]]  # ms of each step, and the box


def main() -> int:
    # import the other commit's packages, not the files of this folder
    sys.path[0] = sys.argv[1]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    try:
        _serve(answers)
    except Exception as error:  # of any kind: the other side must be told
        _say(answers, {"error": _sentence(error)})
        return 1
    return 0


def _sentence(error: Exception) -> str:
    """What to tell of an error: an own one of the other commit is a sentence that says what to do.

    Its classes are known by their names, since nothing of Hotpath may be imported before.
    """
    if any(kind.__name__ == "HotpathError" for kind in type(error).__mro__):
        return str(error)
    return f"{type(error).__name__}: {error}; run `python -m hotpath track` there to see more"


def _serve(answers: TextIO) -> None:
    import cv2
    import numpy as np

    settings = json.loads(sys.stdin.readline())
    cv2.setNumThreads(settings["threads"])
    from hotpath import runtime

    if not os.path.abspath(runtime.__file__).startswith(os.path.abspath(sys.argv[1])):
        raise ImportError(f"runtime came from {runtime.__file__}")
    tracker = runtime.load_tracker(**settings["load"])
    loop = tracked(tracker, np.load(settings["frames"]), settings["box"])
    ready = dict(tracker.engine.describe(), kernels=tracker.kernels_name)
    alone = open_alone(ready["engine"], settings.get("alone"), settings["threads"])
    _say(answers, {"ready": ready})
    for line in sys.stdin:
        steps, boxes = zip(*itertools.islice(loop, json.loads(line)["frames"]))
        names = dict.fromkeys(name for step in steps for name in step)
        ms = {name: [step.get(name, 0.0) for step in steps] for name in names}
        ms = {name: values for name, values in ms.items() if any(values)}
        ms["alone"] = alone()
        _say(answers, {"ms": ms, "boxes": boxes, "cpu_s": sum(os.times()[:2])})


def _say(answers: TextIO, what: Dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def tracked(tracker: Any, frames: Sequence[Any], box: Sequence[float]) -> Iterator[Frame]:
    """Track a clip again and again: (milliseconds of each step, box) of each frame.

    Those on which the tracker takes the target are not among them.
    """
    while True:
        tracker.init(frames[0], box)
        for frame in frames[1:]:
            started = time.perf_counter()
            track = tracker.update(frame)
            total = (time.perf_counter() - started) * 1e3
            yield dict(tracker.step_ms, total=total), [float(v) for v in track.box]


def open_alone(engine: str, path: Optional[str], threads: int) -> Callable[[], List[float]]:
    """Open an ONNX file as it is, with inputs that never change.

    Args:
        engine: name of the engine that runs the frames.
        path: the file, or None.
        threads: of one call.

    Returns:
        a function that runs it some times: milliseconds of each, none where no library can.
    """
    calls: List[Call] = []
    if path is not None and engine in OPENERS:
        with contextlib.suppress(Exception):  # of any class: frames are timed without it
            calls = [OPENERS[engine](path, threads)] * ALONE_RUNS

    def run() -> List[float]:
        times = []
        for call in calls:
            started = time.perf_counter()
            call()
            times.append((time.perf_counter() - started) * 1e3)
        return times[1:]

    return run


def _openvino(path: str, threads: int) -> Call:
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": threads}
    settings["INFERENCE_PRECISION_HINT"] = "f32"  # as the frames' engine has it, and not bfloat16
    model = openvino.Core().compile_model(path, "CPU", settings)
    request = model.create_infer_request()
    for port in model.inputs:
        request.set_tensor(port.any_name, openvino.Tensor(_random(port.shape)))
    call: Call = request.infer
    return call


def _onnxruntime(path: str, threads: int) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = {port.name: _random(port.shape) for port in session.get_inputs()}
    return lambda: session.run(None, inputs)


def _random(shape: Sequence[int]) -> Any:
    import numpy as np

    return np.random.RandomState(0).standard_normal(tuple(shape)).astype(np.float32)


OPENERS = {"openvino": _openvino, "onnxruntime": _onnxruntime}


if __name__ == "__main__":
    sys.exit(main())
