"""Run a network with ONNX Runtime: bound buffers, one call a frame.

``Engine`` runs on the processor; ``GpuEngine`` on an NVIDIA GPU, by ONNX Runtime's CUDA or TensorRT
provider, on device memory and a stream of our own.
"""

import numpy as np
import onnxruntime

from runtime.engines import batch, graph
from runtime.engines.on_gpu import Memory, OnGpu
from runtime.errors import BadNetwork, NoEngine

# provider's short name -> (names in ONNX Runtime, the first that can runs a node; kind of memory)
PROVIDERS = {
    "cuda": (("CUDAExecutionProvider",), "cuda"),
    "tensorrt": (("TensorrtExecutionProvider", "CUDAExecutionProvider"), "cuda"),
}


class Engine:
    """See ``runtime.engines``."""

    name = "onnxruntime"

    def __init__(self, network, paths, threads):
        self.threads = threads
        graphs = graph.build(network, paths)
        self._bound = lambda model: _Bound(network, model, threads)
        self._exemplar = self._bound(graphs.exemplar)
        self._search = self._bound(graphs.search)
        self.exemplar_crop = self._exemplar.inputs[graphs.image[0]]
        self.search_crop = self._search.inputs[graphs.image[1]]
        self._features = graphs.features
        self._loaded = None
        self._graphs, self._batches = graphs, {}

    def exemplar(self):
        """Features of the picture in ``exemplar_crop``: arrays for one target to keep."""
        self._exemplar.run()
        return tuple(self._exemplar.outputs[name].copy() for name in self._features)

    def search(self, features):
        """Maps of the picture in ``search_crop`` for a target's ``features``."""
        if features is not self._loaded:
            for name, array in zip(self._features, features):
                np.copyto(self._search.inputs[name], array)
            self._loaded = features
        self._search.run()
        return self._search.maps

    def batch(self, count):
        """A ``Batch`` for so many targets, compiled once; None where the graph allows none."""
        if count not in self._batches:
            model = batch.several(self._graphs.search, count)
            self._batches[count] = model and batch.Batch(self._graphs, self._bound(model), count)
        return self._batches[count]

    def describe(self):
        """What runs where: engine, library version, device, precision, threads."""
        return {
            "engine": self.name,
            "version": onnxruntime.__version__,
            "device": "CPU",
            "precision": "fp32",
            "threads": self.threads,
        }

    def close(self):
        """Give the sessions back."""
        self._exemplar = self._search = None
        self._batches = {}


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
        self.inputs = {i.name: np.zeros(i.shape, np.float32) for i in self.session.get_inputs()}
        self.outputs = {o.name: np.zeros(o.shape, np.float32) for o in self.session.get_outputs()}
        self.maps = tuple(self.outputs.values())
        self.arrays = dict(self.inputs, **self.outputs)
        for name, array in self.inputs.items():
            self.binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in self.outputs.items():
            self.binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def run(self):
        self.session.run_with_iobinding(self.binding)


class GpuEngine(OnGpu):
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
        self.network, self.provider = network, provider
        self._graphs = graph.build(network, paths)
        shapes = {}
        for model in (self._graphs.exemplar, self._graphs.search):
            for value in list(model.graph.input) + list(model.graph.output):
                shapes[value.name] = graph.shape_of(value)
        super().__init__(Memory(device, shapes), self._graphs.features, self._graphs.maps)
        self._load()
        self.warm_up()

    def attach(self, stream):
        """Take another stream: a session keeps its own, so it is made anew."""
        if self.device.handle(stream) != self.device.handle(self._stream):
            super().attach(stream)
            self._load()

    def _load(self):
        handle = self.device.handle(self._stream)
        self._exemplar = _OnStream(self, self._graphs.exemplar, handle)
        self._frame = [_OnStream(self, self._graphs.search, handle)]

    def describe(self):
        """What runs where: engine, library version, device, precision."""
        return {
            "engine": self.name,
            "version": onnxruntime.__version__,
            "device": "{} (sm_{})".format(self.provider, self.device.capability),
            "precision": "fp32",
            "threads": 1,
        }

    def close(self):
        """Give the sessions back before the memory that they point to."""
        self._exemplar = self._frame = None
        if self._opened:
            self.device.close()


class _OnStream:
    """A session bound to the device's memory, on a stream of ours."""

    def __init__(self, engine, model, handle):
        names, kind = PROVIDERS[engine.provider]
        chosen = {"user_compute_stream": str(handle), "device_id": "0"} if kind == "cuda" else {}
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options,
                providers=[(name, dict(chosen)) for name in names] + ["CPUExecutionProvider"],
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
        memory = engine.memory
        for value, bind in [(v, self._binding.bind_input) for v in self._session.get_inputs()] + [
            (v, self._binding.bind_output) for v in self._session.get_outputs()
        ]:
            shape = memory.shapes[value.name]
            bind(value.name, kind, 0, np.float32, shape, memory.address(value.name))
        self._run = onnxruntime.RunOptions()
        if hasattr(self._run, "add_run_config_entry"):  # return before the GPU is done
            self._run.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def run(self, handle):
        """Put it on the stream that it was made with."""
        if handle != self._handle:
            raise RuntimeError("attach(stream) was not called with the stream of this handle")
        self._session.run_with_iobinding(self._binding, self._run)
