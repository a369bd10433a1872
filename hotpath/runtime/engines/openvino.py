"""Run a network with OpenVINO on the CPU: bound tensors, one call a frame.

A model with one stream runs in the calling thread. A model with several streams passes each request
to another thread, which takes 0.1 to 0.3 ms a call.
"""

import contextlib
import functools
import importlib
import os
import sys
import threading
from types import ModuleType
from typing import Any, Callable, Dict, Iterator, Optional, Union

from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.shared import arithmetic
from hotpath.runtime.engines.shared.arithmetic import LIMIT, OLD_LIMIT
from hotpath.runtime.engines.shared.cpu_engine import CpuEngine
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import canonical

# A processor switches its matrix unit (AMX) off while nobody uses it, and every frame of a camera
# finds it off. In INT8 kestrel's first network then took 1.6 ms with AMX and 1.25 without. Flat out
# AMX gained 1 to 3 %. Measured on a Xeon with AMX.
MOST_WITHOUT_AMX = "AVX512_CORE_FP16"
INTEGERS = "LP_TRANSFORMS_MODE"  # "NO": OpenVINO computes INT8 networks in float32
LINE = 64  # bytes
TELEMETRY = "openvino_telemetry"  # the package that sends events
LOADING = threading.RLock()  # what a load changes belongs to the process


class OpenVinoEngine(CpuEngine):
    """Runs a network's ONNX files with OpenVINO on the processor.

    "auto" tries it before ONNX Runtime, because it took 0.72, 0.91 and 0.84 of the time on
    nanotrack_v1, _v2 and _v3 (fp32, one thread, a computer with AVX-512, in one run).
    """

    name = "openvino"
    libraries = ("openvino", "onnx")
    exact_from = (2023, 1)  # the first version that obeys INTEGERS for one model

    def __init__(self, setup: Setup) -> None:
        self._library = load_library()
        super().__init__(setup)

    @classmethod
    def computes_int8(cls) -> bool:
        """Whether OpenVINO computes INT8 networks in integers on this processor.

        On ARM, OpenVINO 2025.2 rounds all values to INT8 and computes with them in float32. That
        takes longer than the network in float32. Where the processor's 8-bit products saturate, it
        does so because ``settings_of`` asks for it.
        """
        return not arithmetic.is_arm() and not arithmetic.saturates()

    @classmethod
    def form(cls) -> str:
        """Return the form of pictures that is fastest for this engine.

        INT8 layers of kestrel took 50 of 560 microseconds to transpose a picture (AVX-512 VNNI).
        The values stay the same.
        """
        return canonical.PIXELS if cls.computes_int8() else canonical.BYTES

    def bind(self, model: Any, threads: int) -> Any:
        try:
            return _BoundRequest(
                self._library, compile_on_cpu(self._library, model.path, threads), model
            )
        except Exception as error:  # of several classes, which differ by version
            reason = str(error).strip().rpartition("\n")[2]  # the places in its source come first
            raise BadNetwork(
                f"OpenVINO {self._library.get_version()} can't load {self.network.name} "
                f"({reason}); fetch its files again, or take the engine onnxruntime",
                what="not loaded",
            ) from None

    @property
    def version(self) -> Optional[str]:
        return str(self._library.get_version().split("-")[0])


ENGINE = OpenVinoEngine


def load_library() -> ModuleType:
    """Import OpenVINO; returns the module that has the classes.

    Its telemetry package would send an event to its makers and write ``~/intel``. OpenVINO has a
    stub for the case that this package is missing. So this function hides the package during the
    import. Before 2023.1 the top package is empty.
    """
    modules: Dict[str, Any] = sys.modules
    with LOADING:
        module = modules.get(TELEMETRY)
        modules[TELEMETRY] = None
        try:
            library = importlib.import_module("openvino")
            has_all = "Core" in dir(library)
            return library if has_all else importlib.import_module("openvino.runtime")
        finally:
            del modules[TELEMETRY]
            if module is not None:
                modules[TELEMETRY] = module


def compile_on_cpu(library: ModuleType, model: Union[bytes, str], threads: int, **more: Any) -> Any:
    """Compile a model for one call at a time, in float32 and without AMX.

    All compilations go through this function, because the first one fixes AMX for the process.

    Args:
        library: from ``load_library``.
        model: an ONNX model, or its path.
        threads: threads of one call.
        more: further settings of OpenVINO.

    Returns:
        OpenVINO's ``CompiledModel``.

    Raises:
        RuntimeError: OpenVINO can't load the model.
    """
    with LOADING, without_amx():
        core = library.Core()
        settings = dict(settings_of(core, threads), **more)
        return core.compile_model(core.read_model(model), "CPU", settings)


class _BoundRequest:
    """A request of a compiled ``CanonicalModel`` with fixed arrays.

    The arrays of ``pixels`` are views (n, 3, h, w) of memory that is (n, h, w, 3).
    """

    def __init__(self, library: ModuleType, compiled: Any, model: Any) -> None:
        import numpy as np

        self.compiled = compiled
        self.request = self.compiled.create_infer_request()
        self.arrays: Dict[str, Any] = {}
        self.tensors = []
        for port in list(self.compiled.inputs) + list(self.compiled.outputs):
            dtype = np.uint8 if port.any_name in model.bytes else np.float32
            array = _aligned(tuple(port.shape), dtype)
            tensor = library.Tensor(array, shared_memory=True)
            self.request.set_tensor(port.any_name, tensor)
            if port.any_name in model.pixels:
                array = array.transpose(0, 3, 1, 2)
            # the output of an Identity has several names
            self.arrays.update(dict.fromkeys(port.names, array))
            self.tensors.append(tensor)
        self.run = self._runner()

    def _runner(self) -> Callable[[], Any]:
        """Return the function that runs the request without building a dictionary of results."""
        request = self.request
        try:
            request.infer(share_outputs=True)  # not in every version
            return functools.partial(request.infer, share_outputs=True)
        except TypeError:
            return request.infer


def _aligned(shape: Any, dtype: Any) -> Any:
    """Return an array of zeros that is aligned to a cache line."""
    import numpy as np

    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(count + LINE, np.uint8)
    first = -memory.ctypes.data % LINE
    return memory[first : first + count].view(dtype).reshape(shape)


@contextlib.contextmanager
def without_amx() -> Iterator[None]:
    """Hide AMX from OpenVINO while it is loaded, the only time when it looks for AMX.

    A limit that the user has set stays.
    """
    if LIMIT in os.environ or OLD_LIMIT in os.environ or "amx_int8" not in arithmetic.flags():
        yield
        return
    os.environ[LIMIT] = MOST_WITHOUT_AMX
    try:
        yield
    finally:
        os.environ.pop(LIMIT, None)


def settings_of(core: Any, threads: int) -> Dict[str, Any]:
    """Return settings for low latency on ``threads`` threads. They keep CPUs from bfloat16.

    They keep a processor from INT8 whose 8-bit products saturate.
    """
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        # with it, OpenVINO pins the process to the first core; AFFINITY is its name before 2023.0
        "ENABLE_CPU_PINNING": False,
        "AFFINITY": "NONE",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    supported = set(core.get_property("CPU", "SUPPORTED_PROPERTIES"))
    if "ENABLE_CPU_PINNING" in supported:
        supported.discard("AFFINITY")
    settings = {key: value for key, value in settings.items() if key in supported}
    if arithmetic.saturates():
        settings[INTEGERS] = "NO"  # not among the properties that OpenVINO lists
    return settings
