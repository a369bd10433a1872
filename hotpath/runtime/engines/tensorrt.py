"""Run a bundle of TensorRT plans on an NVIDIA GPU: device memory, one stream, one call a frame.

It supports three families of the Python interface, and tells them apart by their attributes and not
by version: tensors by index (8.2 to 8.4), tensors by name (8.5 to 10), and strongly typed networks
(11). Only the builder (``hotpath.deploy.bundles.plans``) sees the last. If a network was cut at its
correlations (``hotpath.graphs.correlation_cut``), kernels of this project run between the
parts.
"""

import atexit
import ctypes
import importlib
import weakref
from types import ModuleType
from typing import TYPE_CHECKING, Any, List, Sequence

from hotpath.base.errors import GpuFailed, NoGpu
from hotpath.base.toml_keys import Table
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.shared import tensorrt_manifest
from hotpath.runtime.engines.shared.gpu_engine import GpuEngine
from hotpath.runtime.errors import BadBundle, NetworkFailed, NoEngine

if TYPE_CHECKING:
    from hotpath.runtime.networks.bundle import Bundle

KEYS = ("search", "exemplar", "out")  # of a correlation
NEED_STATIC_MEMORY = ("libGLdispatch.so.0", "libgomp.so.1")


def load_library() -> ModuleType:
    """Import ``tensorrt``. Call ``driver.describe_gpu`` first, as it crashes without a driver.

    Raises:
        NoEngine: it can't be imported; the message says why.
    """
    _load_first()
    try:
        return importlib.import_module("tensorrt")
    except ImportError as error:
        text = str(error)
        if "libnvdla_compiler" in text:
            raise NoEngine(
                f"TensorRT can't be imported: {text}; JetPack left that library out, run `sudo "
                "apt-get install nvidia-l4t-dla-compiler` (`python -m hotpath boards` knows this "
                "trap)",
                what="no library",
            ) from None
        if getattr(error, "name", None) == "tensorrt":
            raise NoEngine(
                "TensorRT is not installed for this Python; run `python -m hotpath boards` for the "
                "command "
                "that this board takes",
                what="not installed",
            ) from None
        raise NoEngine(
            f"TensorRT can't be imported: {text}; run `python -m hotpath boards`",
            what="not imported",
        ) from None


def _load_first() -> None:
    """Load libraries that need static thread-local memory before TensorRT uses it up.

    Else GStreamer on JetPack 4 and 5 can't load its plugins for a CSI camera: "libGLdispatch.so.0:
    cannot allocate memory in static TLS block".
    """
    for name in NEED_STATIC_MEMORY:
        try:
            ctypes.CDLL(name)
        except OSError:  # not on this computer
            continue


def make_logger(trt: Any) -> Any:
    """Make a logger that keeps errors.

    Args:
        trt: the module.

    Returns:
        A ``trt.ILogger`` with ``errors`` (list of texts) and ``last()``.
    """

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: List[str] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(msg)

        def last(self) -> str:
            return self.errors[-1].strip() if self.errors else "it gave no reason"

    return Logger()


class TensorRtEngine(GpuEngine):
    """Runs a bundle of TensorRT plans on an NVIDIA GPU.

    Raises:
        NoGpu, NoEngine: there is no driver, no TensorRT, or neither CuPy nor PyCUDA.
        BundleMismatch, BadBundle: the bundle was built for another TensorRT or GPU.
        GpuFailed: the GPU has no memory left.
    """

    name = "tensorrt"
    bundle: "Bundle"
    libraries = ("tensorrt",)
    install = "sudo apt-get install python3-libnvinfer"

    def __init__(self, setup: Setup) -> None:
        bundle = self.bundle = self.bundle_of(setup)
        from hotpath.kernels.cuda import driver

        self.gpu = driver.describe_gpu()
        trt = load_library()
        bundle.check_library("tensorrt", trt.__version__)
        capability = self.gpu.compute_capability
        if bundle.compute_capability != capability:
            bundle.mismatch("compute capability", bundle.compute_capability, capability)
        sides, maps = tensorrt_manifest.shapes_of(bundle.run)
        bundle.check_shapes(setup.network, sides, maps)
        super().__init__(setup)
        self.version = trt.__version__
        self._logger = make_logger(trt)
        self._trt = trt
        self._plans: Table = {}  # name of a file -> its plan, which contexts share
        atexit.register(_close, weakref.ref(self))  # runs before the device's, registered earlier
        run = bundle.run
        try:
            dtype, seen = run.get("dtype", "float32"), run.get("seen")
            self._allocate(run["shapes"], run["features"], run["maps"], seen, dtype)
            self._load(trt, run)
        except Exception:
            self.close()
            raise

    @classmethod
    def check_bundle(cls, run: Table, settings: Table) -> List[str]:
        tensorrt_manifest.check(run)
        if settings.get("dla") is not None:
            raise ValueError("it was built for a DLA core, on which nothing runs any more")
        return [run["exemplar"], *run["parts"]]

    def _load(self, trt: ModuleType, run: Table) -> None:
        self._runtime = trt.Runtime(self._logger)
        if self._logger.errors:  # a null pointer: using it crashes the process
            raise NoGpu(
                f"TensorRT {self.version} can't use the GPU: {self._logger.last()}; run "
                "`python -m hotpath boards`, the driver may be too old for it",
                what="no GPU",
            )
        self._exemplar = self._part(trt, run["exemplar"])
        self._frame = self._parts(trt, run["parts"])
        self.search(self.exemplar())  # libraries set themselves up in their first call

    def describe(self) -> Table:
        """Return a dict: engine, library version, device, precision."""
        number = self.gpu.compute_capability.replace(".", "")
        return {
            "engine": self.name,
            "version": self.version,
            "device": f"{self.gpu.name}, sm_{number}",
            "precision": self.bundle.precision,
            "threads": 1,
            "parts": len(self._frame),
        }

    def close(self) -> None:
        """Release the contexts before the memory that they point to."""
        self._plans, self._runtime = {}, None
        super().close()

    def _another_frame(self) -> List[Any]:
        # NVIDIA's guide, "CUDA Graphs": one execution context for each captured graph
        return self._parts(self._trt, self.bundle.run["parts"])

    def _part(self, trt: ModuleType, name: str) -> Any:
        """A context of the plan in a file, bound. Tensors of equal names share memory."""
        if name not in self._plans:
            data = self.bundle.path(name).read_bytes()
            self._plans[name] = self._runtime.deserialize_cuda_engine(data)
        engine = self._plans[name]
        if engine is None:
            self._refuse(f"{self.bundle.path(name)} can't be loaded")
        context = engine.create_execution_context()
        if context is None:
            self._refuse(f"{self.bundle.path(name)} can't be run")
        part = Plan(trt, engine, context, self._logger)
        kind = trt.float16 if self.dtype == "float16" else trt.float32
        for tensor, (shape, dtype) in part.tensors.items():
            expected = self._shapes.get(tensor)
            if expected != shape or dtype != kind:
                what = f"{dtype} {shape}, not {self.dtype} {expected}"
                raise BadBundle(
                    f"{self.bundle.path(name)}: its tensor {tensor} is {what}; run "
                    f"`{self.bundle.command}`",
                    what="wrong type",
                )
            part.bind(tensor, self.place_of(tensor))
        return part

    def _parts(self, trt: ModuleType, names: Sequence[str]) -> List[Any]:
        """Return the parts of a window in their order: plans and the correlations between them."""
        from hotpath.kernels.cuda.correlate import Correlate

        parts = []
        steps = self.bundle.run["steps"]
        for index, name in enumerate(names):
            parts.append(self._part(trt, name))
            for step in steps[index] if index < len(steps) else []:
                kernels = Correlate(self.device, self.dtype == "float16")
                parts.append(Correlation(self, kernels, step))
        return parts

    def _refuse(self, what: str) -> None:
        words = self._logger.last()
        if "memory" in words.lower():
            raise GpuFailed(
                f"{what}, the GPU has no memory left: {words}; close what else uses it (on a "
                "Jetson the desktop: `sudo systemctl isolate multi-user.target`)",
                what="no memory",
            )
        raise BadBundle(f"{what}: {words}; run `{self.bundle.command}`", what="not loaded")


ENGINE = TensorRtEngine


def _close(engine: Any) -> None:
    """Close an engine at the end of the process, if it is still there."""
    if engine() is not None:
        engine().close()


class Plan:
    """A plan with its context. Its tensors have fixed addresses.

    TensorRT 8.5 and later address tensors by name, earlier versions by number.

    Attributes:
        tensors: dict of tensor name -> (shape, dtype).
    """

    def __init__(self, trt: ModuleType, engine: Any, context: Any, logger: Any) -> None:
        self._context, self._logger = context, logger
        self._bindings: List[int] = []  # addresses by number; none where tensors have names
        keys: Sequence[Any]
        if hasattr(engine, "num_io_tensors"):
            names = keys = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
            shape_of, dtype_of = engine.get_tensor_shape, engine.get_tensor_dtype
        else:
            keys = range(engine.num_bindings)
            names = [engine.get_binding_name(i) for i in keys]
            self._bindings = [0] * len(keys)
            shape_of, dtype_of = engine.get_binding_shape, engine.get_binding_dtype
        self._names = names
        self.tensors = {n: (tuple(shape_of(key)), dtype_of(key)) for n, key in zip(names, keys)}

    def bind(self, name: str, address: int) -> None:
        """Move a tensor to an address of the device, if it is one of this plan's."""
        if name not in self.tensors:
            return
        if self._bindings:
            self._bindings[self._names.index(name)] = address
        else:
            self._check(self._context.set_tensor_address(name, address))

    def run(self, handle: Any) -> None:
        """Enqueue the plan on the stream of a handle. Returns at once."""
        if self._bindings:
            self._check(self._context.execute_async_v2(self._bindings, handle))
        else:
            self._check(self._context.execute_async_v3(handle))

    def _check(self, done: bool) -> None:
        if not done:
            raise NetworkFailed(f"TensorRT refuses a frame: {self._logger.last()}; start again")


class Correlation:
    """A correlation between two plans: a kernel of this project, with its addresses."""

    def __init__(self, engine: TensorRtEngine, kernels: Any, step: Table) -> None:
        self._engine, self._kernels, self._step = engine, kernels, step
        self._addresses = {step[key]: engine.place_of(step[key]) for key in KEYS}

    def bind(self, name: str, address: int) -> None:
        """Move a tensor to an address of the device, if the correlation has it."""
        if name in self._addresses:
            self._addresses[name] = address

    def run(self, handle: Any) -> None:
        """Enqueue the correlation on the engine's stream."""
        step, engine = self._step, self._engine
        shapes = engine.shape(step["search"])[1:], engine.shape(step["exemplar"])
        addresses = [self._addresses[step[key]] for key in KEYS]
        self._kernels.depthwise(*addresses, *shapes, step["padding"], engine.stream)
