"""Run a network with ONNX Runtime on the CPU: bound buffers, one call a frame."""

import numpy as np
import onnxruntime

from runtime.engines import batch, graph, seen
from runtime.errors import BadNetwork


class Engine:
    """See ``runtime.engines``."""

    name = "onnxruntime"

    def __init__(self, network, paths, threads):
        self.threads = threads
        graphs, name = seen.with_seen(network, graph.build(network, paths))
        self._bound = lambda model: _Bound(network, model, threads)
        self._exemplar = self._bound(graphs.exemplar)
        self._search = self._bound(graphs.search)
        self.exemplar_crop = self._exemplar.inputs[graphs.image[0]]
        self.search_crop = self._search.inputs[graphs.image[1]]
        self._features = graphs.features
        self._maps = tuple(self._search.outputs[name] for name in graphs.maps)
        self.seen = self._search.outputs.get(name)
        self._loaded = None
        self._graphs, self._batches, self._seen_name = graphs, {}, name

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
        return self._maps

    def batch(self, count):
        """A ``Batch`` for so many targets, compiled once; None where the graph allows none."""
        if count not in self._batches:
            model = batch.several(self._graphs.search, count)
            self._batches[count] = model and batch.Batch(
                self._graphs, self._bound(model), count, self._seen_name
            )
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
        self.arrays = dict(self.inputs, **self.outputs)
        for name, array in self.inputs.items():
            self.binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in self.outputs.items():
            self.binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def run(self):
        self.session.run_with_iobinding(self.binding)
