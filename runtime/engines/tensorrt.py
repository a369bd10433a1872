"""Run a bundle of TensorRT plans on an NVIDIA GPU: device memory, one stream, one call a frame.

Three families of its Python interface are known, told apart by what they have, never by version:
tensors by index (8.2 to 8.4), tensors by name (8.5 to 10), and strongly typed networks (11), which
only the builder sees (``boards.build.plans``). Where a network was cut at its correlations
(``runtime.graphs.cut``), our kernels run between the parts.
"""

import atexit
import importlib
import weakref
from typing import Any, Callable, Dict, List, Optional, Sequence

from kernels.errors import GpuFailed, NoGpu
from runtime.engines import tensorrt_manifest
from runtime.engines.base import Setup
from runtime.engines.gpu import GpuEngine
from runtime.errors import BadBundle, NetworkFailed, NoEngine

KEYS = ("search", "exemplar", "out")  # of a correlation


def load_library() -> Any:
    """Import ``tensorrt``; call ``driver.describe_gpu`` before, for it crashes without a driver.

    Raises:
        NoEngine: it can't be imported, and why.
    """
    try:
        return importlib.import_module("tensorrt")
    except ImportError as error:
        text = str(error)
        if "libnvdla_compiler" in text:
            raise NoEngine(
                f"TensorRT can't be imported: {text}; JetPack left that library out, run `sudo "
                "apt-get install nvidia-l4t-dla-compiler` (`python -m boards` knows this trap)"
            ) from None
        if getattr(error, "name", None) == "tensorrt":
            raise NoEngine(
                "TensorRT is not installed for this Python; run `python -m boards` for the command "
                "that this board takes"
            ) from None
        raise NoEngine(f"TensorRT can't be imported: {text}; run `python -m boards`") from None


def make_logger(trt: Any, say: Optional[Callable[[str], None]] = None) -> Any:
    """Make a logger that keeps errors and reports warnings.

    Args:
        trt: the module.
        say: function of one sentence, or None.

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
            elif severity == trt.ILogger.WARNING and say is not None:
                say(msg)

        def last(self) -> str:
            return self.errors[-1].strip() if self.errors else "it gave no reason"

    return Logger()


class Engine(GpuEngine):
    """See ``runtime.engines.base.Engine``; also has what ``kernels.cuda.frame`` asks of an engine.

    Raises:
        NoGpu, NoEngine: no driver, no TensorRT, or neither CuPy nor PyCUDA.
        BundleMismatch, BadBundle: built for another TensorRT or GPU.
        GpuFailed: no memory left.
    """

    name = "tensorrt"
    libraries = ("tensorrt",)
    install = "sudo apt-get install python3-libnvinfer"

    def __init__(self, setup: Setup) -> None:
        bundle = self.bundle = self.bundle_of(setup)
        from kernels.cuda import driver

        self.gpu = driver.describe_gpu()
        trt = load_library()
        bundle.check_library("tensorrt", trt.__version__)
        capability = self.gpu.compute_capability
        if bundle.compute_capability != capability:
            bundle.mismatch("compute capability", bundle.compute_capability, capability)
        sides, maps = tensorrt_manifest.shapes_of(bundle.run)
        bundle.check_shapes(setup.network, sides, maps)
        super().__init__(setup)
        self.version, self._logger = trt.__version__, make_logger(trt)
        atexit.register(_close, weakref.ref(self))  # runs before the device's, registered earlier
        run = bundle.run
        try:
            dtype = tensorrt_manifest.dtype_of(run)
            shapes, seen = run["shapes"], run.get("seen")
            self._allocate(shapes, run["features"], run["maps"], seen, dtype)
            self._load(trt, run)
        except Exception:
            self.close()
            raise

    @classmethod
    def check_bundle(cls, run: Dict[str, Any], settings: Dict[str, Any]) -> List[str]:
        """See ``runtime.engines.base.Engine``."""
        core = settings.get("dla")
        if not tensorrt_manifest.is_whole(run) or not (core is None or isinstance(core, int)):
            raise ValueError("its parts, steps and tensors do not fit together")
        windows = [run["windows"]["plan"]] if run.get("windows") else []
        return [run.get("exemplar")] + run["parts"] + windows

    def _load(self, trt: Any, run: Dict[str, Any]) -> None:
        self._runtime = trt.Runtime(self._logger)
        if self._logger.errors:  # a null pointer: using it crashes the process
            raise NoGpu(
                f"TensorRT {self.version} can't use the GPU: {self._logger.last()}; run `python "
                "-m boards`, the driver may be too old for it"
            )
        core = self.bundle.settings.get("dla")
        if core is not None:
            self._runtime.DLA_core = core
        self._exemplar = self._part(trt, run["exemplar"])
        self._frame = self._parts(trt, run)
        self.search(self.exemplar())  # libraries set themselves up in their first call

    def describe(self) -> Dict[str, Any]:
        """What runs where: engine, library version, device, precision."""
        core, number = self.bundle.settings.get("dla"), self.gpu.compute_capability.replace(".", "")
        dla = "" if core is None else f", DLA {core}"
        return {
            "engine": self.name,
            "version": self.version,
            "device": f"{self.gpu.name}, sm_{number}{dla}",
            "precision": self.bundle.precision,
            "threads": 1,
            "parts": len(self._frame),
        }

    def close(self) -> None:
        """Release the contexts before the memory that they point to."""
        self._runtime = None
        super().close()

    def _parts_for(self, count: int) -> Optional[List[Any]]:
        """See ``GpuEngine``; None where the bundle has no plan for so many regions."""
        windows = self.bundle.run.get("windows")
        if not windows or windows["count"] != count:
            return None
        return [self._part(load_library(), windows["plan"], count)]

    def _part(self, trt: Any, name: str, times: int = 1) -> Any:
        """Load a plan and bind its tensors; tensors of the same name share memory.

        Args:
            trt: the module.
            name: of the plan's file.
            times: how many search regions it takes.
        """
        data = self.bundle.path(name).read_bytes()
        engine = self._runtime.deserialize_cuda_engine(data)
        if engine is None:
            self._refuse(f"{self.bundle.path(name)} can't be loaded")
        context = engine.create_execution_context()
        if context is None:
            self._refuse(f"{self.bundle.path(name)} can't be run")
        part = Plan(engine, context, self._logger)
        kind = trt.float16 if self.dtype == "float16" else trt.float32
        for tensor, (shape, dtype) in part.tensors.items():
            wanted = self.memory.shapes.get(tensor)
            if wanted is not None and times > 1:
                wanted = (times * wanted[0],) + wanted[1:]
            if wanted != shape or dtype != kind:
                what = f"{dtype} {shape}, not {self.dtype} {wanted}"
                raise BadBundle(
                    f"{self.bundle.path(name)}: its tensor {tensor} is {what}; run "
                    f"`{self.bundle.command}`"
                )
            part.bind(tensor, self.memory.address(tensor))
        return part

    def _parts(self, trt: Any, run: Dict[str, Any]) -> List[Any]:
        """The parts of a frame, in their order: plans, and the correlations between them."""
        from kernels.cuda.correlate import Correlate

        frame, kernels = [], None
        for index, name in enumerate(run["parts"]):
            frame.append(self._part(trt, name))
            for step in run["steps"][index] if index < len(run["steps"]) else []:
                kernels = kernels or Correlate(self.device, self.dtype == "float16")
                frame.append(Correlation(self, kernels, step))
        return frame

    def _refuse(self, what: str) -> None:
        words = self._logger.last()
        if "memory" in words.lower():
            raise GpuFailed(
                f"{what}, the GPU has no memory left: {words}; close what else uses it (on a "
                "Jetson the desktop: `sudo systemctl isolate multi-user.target`)"
            )
        raise BadBundle(f"{what}: {words}; run `{self.bundle.command}`")


def _close(engine: Any) -> None:
    """Close an engine at the end of the process, if it is still there."""
    if engine() is not None:
        engine().close()


class Plan:
    """A plan with its context; its tensors have fixed addresses.

    From TensorRT 8.5 on tensors have names, before that numbers.

    Attributes:
        tensors: dict of tensor name -> (shape, dtype).
    """

    def __init__(self, engine: Any, context: Any, logger: Any) -> None:
        self._context, self._logger = context, logger
        self._bindings: List[int] = []  # addresses by number; none where tensors have names
        keys: Sequence[Any]
        if hasattr(engine, "num_io_tensors"):
            names = keys = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
            shape_of, dtype_of = engine.get_tensor_shape, engine.get_tensor_dtype
        else:
            keys = range(engine.num_bindings)
            names, self._bindings = [engine.get_binding_name(i) for i in keys], [0] * len(keys)
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
        """Put it on a stream, given by its handle; returns at once."""
        if self._bindings:
            self._check(self._context.execute_async_v2(self._bindings, handle))
        else:
            self._check(self._context.execute_async_v3(handle))

    def _check(self, done: bool) -> None:
        if not done:
            raise NetworkFailed(f"TensorRT refuses a frame: {self._logger.last()}; start again")


class Correlation:
    """A correlation between two plans: one of our kernels, with its addresses."""

    def __init__(self, engine: Engine, kernels: Any, step: Dict[str, Any]) -> None:
        self._engine, self._kernels, self._step = engine, kernels, step
        self._addresses = {step[key]: engine.memory.address(step[key]) for key in KEYS}

    def bind(self, name: str, address: int) -> None:
        """Move a tensor to an address of the device, if the correlation has it."""
        if name in self._addresses:
            self._addresses[name] = address

    def run(self, handle: Any) -> None:
        """Put it on the engine's stream."""
        step, shapes = self._step, self._engine.memory.shapes
        search, exemplar = shapes[step["search"]], shapes[step["exemplar"]]
        given, stream = [self._addresses[step[key]] for key in KEYS], self._engine.stream
        self._kernels.depthwise(*given, search[1:], exemplar, step["padding"], stream)
