"""The network alone, run by its library without the code of a commit: how fast the machine is now.

A computer's own speed changes by some percent from minute to minute: its clocks, its heat, and what
others do with caches and memory. That slows down this network as well as a frame. A slow commit
slows down only the frame. So the suite compares frames in units of it.
"""

import contextlib
import time  # and nothing of this repository: it runs in other commits' processes too
from typing import Callable, Dict, List, Optional

RUNS = 4  # after each block of frames; the first one finds cold caches and does not count

Call = Callable[[], object]


class Alone:
    """Runs an ONNX file as it is, with inputs that never change.

    Args:
        engine: name of the engine that runs the frames.
        path: the file, or None.
        threads: of one call.
    """

    def __init__(self, engine: str, path: Optional[str], threads: int) -> None:
        self._call: Optional[Call] = None
        opener = OPENERS.get(engine)
        if opener is not None and path is not None:
            with contextlib.suppress(Exception):  # of any class: frames are timed without it
                self._call = opener(path, threads)

    def ms(self) -> List[float]:
        """Milliseconds of ``RUNS`` - 1 calls, empty where no library can run the file."""
        if self._call is None:
            return []
        times = []
        for _ in range(RUNS):
            started = time.perf_counter()
            self._call()
            times.append((time.perf_counter() - started) * 1e3)
        return times[1:]


def _openvino(path: str, threads: int) -> Optional[Call]:
    import numpy as np
    import openvino

    core = getattr(openvino, "Core", None)
    if core is None:  # older than 2023.1
        return None
    model = core().read_model(path)
    if model.is_dynamic():
        return None
    settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": threads}
    request = core().compile_model(model, "CPU", settings).create_infer_request()
    random = np.random.RandomState(0)
    for port in model.inputs:
        values = random.standard_normal(tuple(port.shape)).astype(np.float32)
        request.set_tensor(port.any_name, openvino.Tensor(values))
    call: Call = request.infer
    return call


def _onnxruntime(path: str, threads: int) -> Optional[Call]:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    random = np.random.RandomState(0)
    inputs: Dict[str, np.ndarray] = {}
    for port in session.get_inputs():
        if not all(isinstance(side, int) for side in port.shape):
            return None
        inputs[port.name] = random.standard_normal(tuple(port.shape)).astype(np.float32)
    return lambda: session.run(None, inputs)


OPENERS: Dict[str, Callable[[str, int], Optional[Call]]] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
}
