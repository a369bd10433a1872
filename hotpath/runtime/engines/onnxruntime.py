"""Run a network with ONNX Runtime on the CPU: bound buffers, one call a frame."""

import importlib
from types import ModuleType
from typing import Any, Dict, List, Union

from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.shared.cpu_engine import CpuEngine, numbers_of
from hotpath.runtime.errors import BadNetwork

FROM = (1, 21)  # the first version that quantises weights itself
# It makes x86 without VNNI, whose products of 8 bits saturate, take a slower way. It has no effect
# elsewhere.
EXACT = "session.x64quantprecision"


def open_session(
    library: ModuleType, model: Union[bytes, str], threads: int, literal: bool = False, **more: Any
) -> Any:
    """Open a session on the processor for a model, or for the file at a path.

    Args:
        literal: compute each operator by itself: nothing is fused.
    """
    options = library.SessionOptions()
    options.add_session_config_entry(EXACT, "1")
    if literal:
        options.graph_optimization_level = library.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what it raises says the same
    return library.InferenceSession(model, options, providers=["CPUExecutionProvider"], **more)


def float_layer_options(library: ModuleType, has_float_layer: bool) -> Dict[str, Any]:
    """Return arguments of a session that keep float layers between quantised ones unchanged.

    From 1.21 on, ONNX Runtime quantises the weights of such a layer itself, with one scale for all
    channels (its pull request 22969). ``hotpath int8`` makes such layers if INT8 loses too much
    accuracy, and the optimisation then loses more than INT8. The same optimisation quantises
    float biases of INT8 layers, which are slow without it. So it is switched off only for a file
    with such a layer.

    Args:
        library: ONNX Runtime.
        has_float_layer: whether the model has one, see ``hotpath.graphs.models``.
    """
    if numbers_of(library.__version__) < FROM or not has_float_layer:
        return {}
    return {"disabled_optimizers": ["WeightBiasQuantization"]}


class OnnxRuntimeEngine(CpuEngine):
    """Runs a network's ONNX files with ONNX Runtime on the processor."""

    name = "onnxruntime"
    libraries = ("onnxruntime", "onnx")
    exact_from = (1, 13)  # the first version that knows EXACT

    def __init__(self, setup: Setup) -> None:
        self._library = importlib.import_module("onnxruntime")
        super().__init__(setup)

    @classmethod
    def check_bundle(cls, run: Dict[str, Any], settings: Dict[str, Any]) -> List[str]:
        if settings.get("provider"):  # such a bundle is for onnxruntime_gpu
            raise ValueError("an older version built it for a GPU")
        return super().check_bundle(run, settings)

    def bind(self, model: Any, threads: int) -> Any:
        return BoundSession(self._library, self.network.name, model, threads)


ENGINE = OnnxRuntimeEngine


class BoundSession:
    """A session with fixed arrays as inputs and outputs.

    Args:
        library: ONNX Runtime.
        network_name: name of the network, for messages.
        model: a ``hotpath.runtime.networks.canonical.CanonicalModel``.
        threads: threads of one call.

    Attributes:
        arrays: dict of each input's and output's name -> array.
    """

    def __init__(self, library: ModuleType, network_name: str, model: Any, threads: int) -> None:
        try:
            session_options = float_layer_options(library, model.keeps_floats)
            self.session = open_session(library, model.path, threads, **session_options)
            self.binding = self.session.io_binding()
            self._bind(model)
            self.run()  # some graphs load and then do not run
        except Exception as error:  # its exception classes are private and differ by version
            reason = str(error).strip().partition("\n")[0]
            raise BadNetwork(
                f"ONNX Runtime {library.__version__} can't load {network_name} "
                f"({reason}); fetch its files again, or take the engine openvino",
                what="not loaded",
            ) from None

    def _bind(self, model: Any) -> None:
        """Make the arrays and bind the session's inputs and outputs to them."""
        import numpy as np

        self.arrays = {}
        for values, bind in (
            (self.session.get_inputs(), self.binding.bind_input),
            (self.session.get_outputs(), self.binding.bind_output),
        ):
            for value in values:
                dtype = np.uint8 if value.name in model.bytes else np.float32
                array = self.arrays[value.name] = np.zeros(value.shape, dtype)
                bind(value.name, "cpu", 0, dtype, array.shape, array.ctypes.data)

    def run(self) -> None:
        """Run the session on its arrays."""
        self.session.run_with_iobinding(self.binding)
