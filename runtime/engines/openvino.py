"""Run a network with OpenVINO on the CPU: bound tensors, one call a frame.

Several targets take a thread each where there are enough: two of these small networks side by side
are done before one call of both on two threads, and the first one runs while the second is cropped.
Else they go through the network as one batch.
"""

import numpy as np

try:
    import openvino as ov

    ov.Core  # noqa: B018 -- before 2023.1 the top package is empty
except AttributeError:
    import openvino.runtime as ov

from runtime.engines import batch, graph, seen
from runtime.errors import BadNetwork


class Engine:
    """See ``runtime.engines``."""

    name = "openvino"

    def __init__(self, network, paths, threads):
        self.threads = threads
        graphs, name = seen.with_seen(network, graph.build(network, paths))
        self._bound = lambda model: _Bound(_compiled(network, model, threads))
        self._side_by_side = lambda count: _SideBySide(
            graphs, _compiled(network, graphs.search, threads, count), count, name
        )
        self._exemplar = self._bound(graphs.exemplar)
        self._search = self._bound(graphs.search)
        self.exemplar_crop = self._exemplar.arrays[graphs.image[0]]
        self.search_crop = self._search.arrays[graphs.image[1]]
        self._features = graphs.features
        self._maps = tuple(self._search.arrays[name] for name in graphs.maps)
        self.seen = self._search.arrays.get(name)
        self._loaded = None
        self._graphs, self._batches, self._seen_name = graphs, {}, name

    def exemplar(self):
        """Features of the picture in ``exemplar_crop``: arrays for one target to keep."""
        self._exemplar.run()
        return tuple(self._exemplar.arrays[name].copy() for name in self._features)

    def search(self, features):
        """Maps of the picture in ``search_crop`` for a target's ``features``."""
        if features is not self._loaded:
            for name, array in zip(self._features, features):
                np.copyto(self._search.arrays[name], array)
            self._loaded = features
        self._search.run()
        return self._maps

    def batch(self, count):
        """A ``Batch`` for so many targets, compiled once; None where the graph allows none."""
        if count not in self._batches:
            if self.threads >= count:
                self._batches[count] = self._side_by_side(count)
            else:
                model = batch.several(self._graphs.search, count)
                self._batches[count] = model and batch.Batch(
                    self._graphs, self._bound(model), count, self._seen_name
                )
        return self._batches[count]

    def describe(self):
        """What runs where: engine, library version, device, precision, threads."""
        return {
            "engine": self.name,
            "version": ov.get_version().split("-")[0],
            "device": "CPU",
            "precision": "fp32",
            "threads": self.threads,
        }

    def close(self):
        """Give the requests back before the arrays that they point to."""
        self._exemplar = self._search = None
        self._batches = {}


class _Bound:
    """A request of a compiled model whose inputs and outputs are fixed arrays."""

    def __init__(self, compiled):
        self.compiled = compiled
        self.request = self.compiled.create_infer_request()
        self.arrays, self.tensors = {}, []
        for port in list(self.compiled.inputs) + list(self.compiled.outputs):
            array = np.zeros(tuple(port.shape), np.float32)
            tensor = ov.Tensor(array, shared_memory=True)
            self.request.set_tensor(port.any_name, tensor)
            self.arrays.update(dict.fromkeys(port.names, array))  # an Identity has several
            self.tensors.append(tensor)
        self.run = self._runner()

    def _runner(self):
        """The call that runs the request without building a dictionary of results."""
        request = self.request
        try:
            request.infer(share_outputs=True)  # not in every version
            return lambda: request.infer(share_outputs=True)
        except TypeError:
            return request.infer


class _SideBySide:
    """One request a target, each on threads of its own; as ``batch.Batch``."""

    def __init__(self, graphs, compiled, count, seen_name):
        self._bound = [_Bound(compiled) for _ in range(count)]
        self._names = graphs.features
        self.crops = tuple(bound.arrays[graphs.image[1]] for bound in self._bound)
        self.maps = tuple(
            tuple(bound.arrays[name] for name in graphs.maps) for bound in self._bound
        )
        self.seen = tuple(bound.arrays.get(seen_name) for bound in self._bound)
        self._loaded = [None] * count

    def start(self, number, features):
        """Target ``number``'s crop is written: its search begins."""
        bound = self._bound[number]
        if features is not self._loaded[number]:
            for name, array in zip(self._names, features):
                np.copyto(bound.arrays[name], array)
            self._loaded[number] = features
        bound.request.start_async()

    def finish(self):
        """The maps of all targets, once each was started."""
        for bound in self._bound:
            bound.request.wait()
        return self.maps


def _compiled(network, model, threads, streams=1):
    core = ov.Core()
    try:
        return core.compile_model(
            core.read_model(model.SerializeToString()), "CPU", _settings(core, threads, streams)
        )
    except RuntimeError as error:
        raise BadNetwork(
            "OpenVINO {} can't load {}: {}".format(
                ov.get_version(), network.name, str(error).strip().splitlines()[-1]
            )
        ) from None


def _settings(core, threads, streams):
    """Latency on ``threads`` threads, which as many requests at once as ``streams`` share.

    In float32: some CPUs would take bfloat16 unasked.
    """
    wanted = {
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "NUM_STREAMS": str(streams),
        # else it binds the whole process to the first core; before 2023.0 under its older name
        "ENABLE_CPU_PINNING": False,
        "AFFINITY": "NONE",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    known = set(core.get_property("CPU", "SUPPORTED_PROPERTIES"))
    if "ENABLE_CPU_PINNING" in known:
        known.discard("AFFINITY")
    return {key: value for key, value in wanted.items() if key in known}
