"""Run a network with ONNX Runtime on the CPU: bound buffers, one call a frame."""

import importlib
from typing import Any, Dict, List

from runtime.engines.base import Setup
from runtime.engines.cpu import CpuEngine
from runtime.errors import BadNetwork


class Engine(CpuEngine):
    """See ``runtime.engines.base.Engine``."""

    name = "onnxruntime"
    preference = 2
    libraries = ("onnxruntime",)
    install = "pip install onnxruntime"

    def __init__(self, setup: Setup) -> None:
        self._library = importlib.import_module("onnxruntime")
        super().__init__(setup)

    @classmethod
    def check_bundle(cls, run: Dict[str, Any], settings: Dict[str, Any]) -> List[str]:
        """See ``runtime.engines.base.Engine``."""
        if settings.get("provider"):  # such a bundle is for onnxruntime_gpu
            raise ValueError("an older version built it for a GPU")
        return super().check_bundle(run, settings)

    def bind(self, model: Any, threads: int) -> Any:
        """See ``CpuEngine.bind``."""
        return _Bound(self._library, self.network.name, model, threads)


class _Bound:
    """A session whose inputs and outputs are fixed arrays."""

    def __init__(self, library: Any, network_name: str, model: Any, threads: int) -> None:
        import numpy as np

        from runtime.graphs.byte_pictures import dtype_of

        options = library.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self.session = library.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exception classes are private and differ by version
            raise BadNetwork(
                "ONNX Runtime {} can't load {}: {}".format(
                    library.__version__, network_name, str(error).strip().splitlines()[0]
                )
            ) from None
        self.binding = self.session.io_binding()
        self.arrays = {}
        for values, bind in (
            (self.session.get_inputs(), self.binding.bind_input),
            (self.session.get_outputs(), self.binding.bind_output),
        ):
            for value in values:
                dtype = dtype_of(model, value.name)
                array = self.arrays[value.name] = np.zeros(value.shape, dtype)
                bind(value.name, "cpu", 0, dtype, array.shape, array.ctypes.data)

    def run(self) -> None:
        """Run the session on its arrays."""
        self.session.run_with_iobinding(self.binding)
