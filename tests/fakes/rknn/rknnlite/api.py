"""A stand-in for ``rknnlite.api``: the methods that the engine calls, with the real signatures.

The signatures are those of rknn-toolkit-lite2 2.5.0. A model is a folder entry with an ONNX inside:
ONNX Runtime runs it in the place of the NPU.
"""

import numpy as np
import onnxruntime


class RKNNLite:
    """See above."""

    NPU_CORE_AUTO = 0
    NPU_CORE_0 = 1

    driver_is_there = True  # tests change it
    last = None

    def __init__(self, verbose=False, verbose_file=None):
        self._model = self._session = None
        self.released = False
        RKNNLite.last = self

    def load_rknn(self, path, key_path=None):
        with open(path, "rb") as file:
            self._model = file.read()
        return -1 if self._model[:4] == b"NONE" else 0

    def init_runtime(self, target=None, device_id=None, async_mode=False, core_mask=NPU_CORE_AUTO):
        if target is not None or not self.driver_is_there:
            return -1
        self._session = onnxruntime.InferenceSession(
            self._model, providers=["CPUExecutionProvider"]
        )
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
        if self._session is None or data_format != "nchw":
            return None
        names = [value.name for value in self._session.get_inputs()]
        values = {name: np.asarray(array) for name, array in zip(names, inputs)}
        return self._session.run(None, values)

    def release(self):
        self._session, self.released = None, True
