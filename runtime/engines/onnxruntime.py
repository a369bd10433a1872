"""Run a network with ONNX Runtime on the CPU: bound buffers, one call a frame."""

import numpy as np
import onnxruntime

from runtime.engines.cpu import OnCpu
from runtime.errors import BadNetwork
from runtime.graphs import convert


class Engine(OnCpu):
    """See ``runtime.engines``."""

    name = "onnxruntime"

    def __init__(self, network, paths, threads):
        super().__init__(
            network, paths, threads, lambda model, threads: _Bound(network, model, threads)
        )

    def describe(self):
        """What runs where: engine, library version, device, precision, threads."""
        return {
            "engine": self.name,
            "version": onnxruntime.__version__,
            "device": "CPU",
            "precision": convert.precision_of(self._graphs),
            "threads": self.threads,
        }


class _Bound:
    """A session whose inputs and outputs are fixed arrays."""

    def __init__(self, network, model, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exception classes are private and differ by version
            raise BadNetwork(
                "ONNX Runtime {} can't load {}: {}".format(
                    onnxruntime.__version__, network.name, str(error).strip().splitlines()[0]
                )
            ) from None
        self.binding = self.session.io_binding()
        self.arrays = {}
        for values, bind in (
            (self.session.get_inputs(), self.binding.bind_input),
            (self.session.get_outputs(), self.binding.bind_output),
        ):
            for value in values:
                array = self.arrays[value.name] = np.zeros(value.shape, np.float32)
                bind(value.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def run(self):
        self.session.run_with_iobinding(self.binding)
