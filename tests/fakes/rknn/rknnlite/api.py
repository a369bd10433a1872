"""A stand-in for ``rknnlite.api``: the methods that the engine calls, with their real signatures.

A model runs in the toolkit's simulator (``simulators``, by the file's bytes). Without one, it must
be an ONNX model, which ONNX Runtime runs.
"""

import numpy as np
import onnxruntime


class RKNNLite:
    """See above."""

    NPU_CORE_AUTO = 0
    NPU_CORE_0 = 1

    driver_is_there = True  # tests change it
    simulators = {}
    last = None

    def __init__(self, verbose=False, verbose_file=None):
        self._model = self._run = None
        self.released = False
        RKNNLite.last = self

    def load_rknn(self, path, key_path=None):
        with open(path, "rb") as file:
            self._model = file.read()
        return -1 if self._model == b"broken" else 0

    def init_runtime(self, target=None, device_id=None, async_mode=False, core_mask=NPU_CORE_AUTO):
        if target is not None or not self.driver_is_there:
            return -1
        self._run = self.simulators.get(self._model) or _of_onnx(self._model)
        return 0

    def inference(
        self,
        inputs,
        data_type=None,
        data_format=None,
        inputs_pass_through=None,
        get_frame_id=False,
        reuse_outputs=False,
    ):
        if data_type != "float32" or any(array.dtype != np.float32 for array in inputs):
            return None  # without a type the NPU takes bytes
        for name in data_format or ():
            {"nhwc": 0}[name]  # versions before 2.3 raise KeyError: 'nchw'; newer ones transpose
        if self._run is None or not all(array.flags.c_contiguous for array in inputs):
            return None
        return self._run([np.moveaxis(a, -1, 1) if a.ndim == 4 else a for a in inputs])

    def release(self):
        self._run = None
        self.released = True


def _of_onnx(model):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return lambda inputs: session.run(None, dict(zip(names, inputs)))
