"""Run a network with ONNX Runtime on an NVIDIA GPU: by its CUDA or its TensorRT provider.

Tensors lie in device memory of our own, and all work goes to one stream of ours: nothing passes
through the host between the steps of a frame. It is the way for a computer's GPU.
"""

import numpy as np
import onnxruntime

from runtime.engines.gpu import Memory, OnGpu
from runtime.errors import BadNetwork, NetworkFailed, NoEngine
from runtime.graphs import assemble, convert, search_features

# provider's short name -> (names in ONNX Runtime, the first that can runs a node; kind of memory)
PROVIDERS = {
    "cuda": (("CUDAExecutionProvider",), "cuda"),
    "tensorrt": (("TensorrtExecutionProvider", "CUDAExecutionProvider"), "cuda"),
}


class Engine(OnGpu):
    """See ``runtime.engines``; also has what ``kernels.cuda.frame`` wants of an engine.

    Args:
        network: the ``Network``.
        paths: dict of part -> path.
        provider: one of ``PROVIDERS``.
        device: an open ``kernels.cuda.device``; None to open one.

    Raises:
        NoGpu: no driver, or neither CuPy nor PyCUDA.
        NoEngine: this ONNX Runtime has no such provider.
        BadNetwork: the files are not what the TOML says.
    """

    name = "onnxruntime"

    def __init__(self, network, paths, provider="cuda", device=None):
        if not isinstance(provider, str) or provider not in PROVIDERS:
            raise NoEngine(
                "ONNX Runtime has no provider {!r} for a GPU here; build the bundle again with "
                "`--provider` one of {}".format(provider, ", ".join(sorted(PROVIDERS)))
            )
        wanted = PROVIDERS[provider][0][0]
        if wanted not in onnxruntime.get_available_providers():
            raise NoEngine(
                "this ONNX Runtime has no {} (it has {}); run `pip uninstall onnxruntime && pip "
                "install onnxruntime-gpu`".format(
                    wanted, ", ".join(onnxruntime.get_available_providers())
                )
            )
        self._opened = device is None
        if device is None:
            from kernels.cuda import device as devices

            device = devices.open_device()
        self.network, self.provider, self.device = network, provider, device
        try:
            self._load(*search_features.with_seen(network, assemble.build(network, paths)))
        except Exception:
            self.close()
            raise

    def _load(self, graphs, name):
        self._precision = convert.precision_of(graphs)
        shapes = {}
        for model in (graphs.exemplar, graphs.search):
            for value in list(model.graph.input) + list(model.graph.output):
                shapes[value.name] = assemble.shape_of(value)
        memory = Memory(self.device, shapes)
        super().__init__(memory, self.network, graphs.features, graphs.maps, name)
        self._exemplar = _OnStream(self, graphs.exemplar)
        self._frame = [_OnStream(self, graphs.search)]
        self.warm_up()

    def describe(self):
        """What runs where: engine, library version, device, precision."""
        return {
            "engine": self.name,
            "version": onnxruntime.__version__,
            "device": "{} (sm_{})".format(self.provider, self.device.capability),
            "precision": self._precision,
            "threads": 1,
        }

    def close(self):
        """Give the sessions back before the memory that they point to."""
        self._exemplar = self._frame = None
        if self._opened:
            self.device.close()


class _OnStream:
    """A session bound to the device's memory, on a stream of ours."""

    def __init__(self, engine, model):
        handle = engine.device.handle(engine.stream)
        names, kind = PROVIDERS[engine.provider]
        chosen = {"user_compute_stream": str(handle), "device_id": "0"} if kind == "cuda" else {}
        rest = [name for name in ("CPUExecutionProvider",) if name not in names]
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options,
                providers=[(name, dict(chosen)) for name in names] + rest,
            )  # fmt: skip
        except Exception as error:  # its exception classes are private and differ by version
            raise BadNetwork(
                "ONNX Runtime {} can't load {} on the GPU: {}".format(
                    onnxruntime.__version__, engine.network.name,
                    str(error).strip().splitlines()[0],
                )
            ) from None  # fmt: skip
        if names[0] not in self._session.get_providers():
            raise NoEngine(
                "ONNX Runtime {} can't use {}: CUDA's or cuDNN's libraries do not load; run "
                "`python -m boards`".format(onnxruntime.__version__, names[0])
            )
        self._handle, self._binding = handle, self._session.io_binding()
        self._kind, self._shapes = kind, engine.memory.shapes
        self._binders = {v.name: self._binding.bind_input for v in self._session.get_inputs()}
        self._binders.update(
            (v.name, self._binding.bind_output) for v in self._session.get_outputs()
        )
        for name in self._binders:
            self.bind(name, engine.memory.address(name))
        self._run = onnxruntime.RunOptions()
        if hasattr(self._run, "add_run_config_entry"):  # return before the GPU is done
            self._run.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def bind(self, name, address):
        """Let an input or output of the network lie at an address of the device."""
        if name in self._binders:
            shape = self._shapes[name]
            self._binders[name](name, self._kind, 0, np.float32, shape, address)

    def run(self, handle):
        """Put it on the stream that it was made with."""
        if handle != self._handle:
            raise RuntimeError("a session runs on its engine's stream alone")
        try:
            self._session.run_with_iobinding(self._binding, self._run)
        except Exception as error:  # see above
            raise NetworkFailed(
                "ONNX Runtime refuses a frame: {}; start again".format(
                    (str(error).strip().splitlines() or [type(error).__name__])[0]
                )
            ) from None
