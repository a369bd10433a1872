"""Run a network with ONNX Runtime on an NVIDIA GPU, by its CUDA provider.

This engine owns the device memory of all tensors, and all work goes to its one stream. So nothing
passes through the host between the steps of a frame. It is the engine for the GPU of a computer.
"""

import ctypes
import importlib
import os
import re
from types import ModuleType
from typing import Any, Dict

from hotpath.base.errors import NoGpu
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.onnxruntime import float_layer_options
from hotpath.runtime.engines.shared.gpu_engine import GpuEngine
from hotpath.runtime.errors import BadNetwork, NetworkFailed, NoEngine


class OnnxRuntimeGpuEngine(GpuEngine):
    """Runs a network's ONNX files with ONNX Runtime on an NVIDIA GPU.

    Class attributes:
        provider, memory: its execution provider, and the kind of memory that this one takes.

    Raises:
        NoGpu: there is no driver, or neither CuPy nor PyCUDA.
        NoEngine: this ONNX Runtime has no CUDA provider, or a bundle is for another one.
        BadNetwork: the files are not what the TOML says.
    """

    name = "onnxruntime_gpu"
    runs_files = True
    libraries = ("onnxruntime",)
    install = "pip install onnxruntime-gpu"
    provider, memory = "CUDAExecutionProvider", "cuda"
    capturable = False  # its provider synchronises in a run, which ends a capture with error 900

    def __init__(self, setup: Setup) -> None:
        self._library: ModuleType = importlib.import_module("onnxruntime")
        if hasattr(self._library, "preload_dlls"):  # from 1.21 on: CUDA's libraries from pip
            self._library.preload_dlls()
        self._check_provider(setup.settings.get("provider"))
        try:
            super().__init__(setup)
        except NoGpu as error:
            lacking = missing_library(self._library)
            raise NoGpu(f"{lacking}; then {error}") if lacking else error from None
        try:
            self._load(setup)
        except Exception:
            self.close()
            raise

    def _check_provider(self, asked: object) -> None:
        if asked not in (None, "cuda"):
            raise NoEngine(
                f"ONNX Runtime runs here by its provider cuda, not by {asked!r}; build the bundle "
                "again with --engine onnxruntime_gpu, or without it for TensorRT",
                what="unknown provider",
            )
        here = self._library.get_available_providers()
        if self.provider not in here:
            raise NoEngine(
                "this ONNX Runtime has no {} (it has {}); run `pip uninstall onnxruntime && pip "
                "install onnxruntime-gpu`".format(self.provider, ", ".join(here)),
                what="no provider",
            )

    def _load(self, setup: Setup) -> None:
        graphs = self._graphs = self.read_graphs(setup)
        shapes = dict(graphs.exemplar.shapes, **graphs.search.shapes)
        self._allocate(shapes, graphs.features, graphs.maps, graphs.search_features)
        self._exemplar = _OnStream(self._library, self, graphs.exemplar)
        self._frame = [self._captured(graphs.search)]
        self.search(self.exemplar())  # libraries set themselves up in their first call

    def _captured(self, model: Any) -> Any:
        """A session that replays a CUDA graph, where all its nodes run on the GPU."""
        try:
            return _OnStream(self._library, self, model, graph=True)
        except (BadNetwork, NetworkFailed):  # a node is left to the processor
            return _OnStream(self._library, self, model)

    def describe(self) -> Dict[str, Any]:
        """Return a dict: engine, library version, device, precision."""
        return {
            "engine": self.name,
            "version": self._library.__version__,
            "device": f"cuda (sm_{self.device.capability})",
            "precision": self._graphs.precision,
            "threads": 1,
        }


ENGINE = OnnxRuntimeGpuEngine


def missing_library(library: ModuleType) -> str:
    """Say which library ONNX Runtime's CUDA provider lacks; "" if none. Only after it failed."""
    folder = os.path.join(os.path.dirname(library.__file__ or ""), "capi")
    path = os.path.join(folder, "libonnxruntime_providers_cuda.so")
    try:
        ctypes.CDLL(path)
    except OSError as error:
        name = re.match(r"(\S+\.so[.\d]*): cannot open", str(error))
        if name and os.path.exists(path):
            return (
                f"the CUDA provider of ONNX Runtime lacks {name.group(1)}; run `pip install "
                "'onnxruntime-gpu[cuda,cudnn]'`, or install CUDA and cuDNN"
            )
    return ""


class _OnStream:
    """A session for one window, bound to device memory and the engine's stream.

    With ``graph``, the provider captures a CUDA graph in the first run with a set of addresses, and
    replays it in later runs with the same set. A kernel of such a network takes less time than its
    launch.
    """

    def __init__(
        self, library: ModuleType, engine: OnnxRuntimeGpuEngine, model: Any, graph: bool = False
    ) -> None:
        import numpy as np

        self._handle = engine.device.handle(engine.stream)
        self._float = np.float32
        self._kind = engine.memory
        self._session = self._open(library, engine, model, graph)
        self._library, self._graph = library, graph
        self._inputs = [value.name for value in self._session.get_inputs()]
        self._names = self._inputs + [value.name for value in self._session.get_outputs()]
        self._shapes = {name: engine.shape(name) for name in self._names}
        self._addresses = {name: engine.place_of(name) for name in self._names}
        self._kept: Dict[Any, Any] = {}  # addresses -> what a run with them takes
        self._given: Any = None  # what the next run takes; None after an address has changed
        if graph:
            self.run(self._handle)

    def _open(
        self, library: ModuleType, engine: OnnxRuntimeGpuEngine, model: Any, graph: bool
    ) -> Any:
        """Open a session of a model on the engine's stream."""
        chosen = {"user_compute_stream": str(self._handle), "device_id": "0"}
        if graph:
            chosen["enable_cuda_graph"] = "1"
        options = library.SessionOptions()
        options.log_severity_level = 3
        try:
            session = library.InferenceSession(
                model.path,
                options,
                providers=[(engine.provider, chosen), "CPUExecutionProvider"],
                **float_layer_options(library, model.keeps_floats),
            )
        except Exception as error:  # its exception classes are private and differ by version
            raise BadNetwork(
                f"ONNX Runtime {library.__version__} can't load {engine.network.name} on the GPU: "
                f"{str(error).strip().splitlines()[0]}"
            ) from None
        if engine.provider not in session.get_providers():
            lacking = missing_library(library) or "CUDA's or cuDNN's libraries do not load"
            raise NoEngine(
                f"ONNX Runtime {library.__version__} can't use {engine.provider}: {lacking}; run "
                "`python -m hotpath boards`"
            )
        return session

    def bind(self, name: str, address: int) -> None:
        """Move an input or output of the network to an address of the device."""
        if self._addresses.get(name, address) != address:
            self._addresses[name] = address
            self._given = None

    def _bound(self) -> Any:
        """Return the binding to the present addresses, and the options of a run with it."""
        key = tuple(self._addresses.values())
        if key not in self._kept:
            if not self._graph:  # a binding is cheap; the exemplar's addresses never come again
                self._kept.clear()
            binding, options = self._session.io_binding(), self._library.RunOptions()
            for name in self._names:
                bind = binding.bind_input if name in self._inputs else binding.bind_output
                address, shape = self._addresses[name], self._shapes[name]
                bind(name, self._kind, 0, self._float, shape, address)
            if hasattr(options, "add_run_config_entry"):  # return before the GPU is done
                options.add_run_config_entry("disable_synchronize_execution_providers", "1")
                if self._graph:
                    options.add_run_config_entry("gpu_graph_id", str(len(self._kept) + 1))
            self._kept[key] = binding, options
        return self._kept[key]

    def run(self, handle: Any) -> None:
        """Enqueue the session on its own stream."""
        if handle != self._handle:
            raise RuntimeError("a session runs on its engine's stream only")
        try:
            if self._given is None:
                self._given = self._bound()
            self._session.run_with_iobinding(*self._given)
        except Exception as error:  # see above
            raise NetworkFailed(
                "ONNX Runtime refuses a frame: "
                f"{(str(error).strip().splitlines() or [type(error).__name__])[0]}; start again"
            ) from None
