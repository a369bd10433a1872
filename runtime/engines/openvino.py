"""Run a network with OpenVINO on the CPU: bound tensors, one call a frame."""

import numpy as np

try:
    import openvino as ov

    ov.Core  # noqa: B018 -- before 2023.1 the top package is empty
except AttributeError:
    import openvino.runtime as ov

from runtime.engines import graph
from runtime.errors import BadNetwork


class Engine:
    """See ``runtime.engines``."""

    name = "openvino"

    def __init__(self, network, paths, threads):
        self.threads = threads
        graphs = graph.build(network, paths)
        core = ov.Core()
        self._exemplar = _Bound(core, network, graphs.exemplar, threads)
        self._search = _Bound(core, network, graphs.search, threads)
        self.exemplar_crop = self._exemplar.arrays[graphs.image[0]]
        self.search_crop = self._search.arrays[graphs.image[1]]
        self._features = graphs.features
        self._maps = tuple(self._search.arrays[name] for name in graphs.maps)
        self._loaded = None

    def exemplar(self):
        """Features of the picture in ``exemplar_crop``: a tuple of arrays for one target to keep."""
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


class _Bound:
    """A compiled model whose inputs and outputs are fixed arrays."""

    def __init__(self, core, network, model, threads):
        try:
            self.compiled = core.compile_model(
                core.read_model(model.SerializeToString()), "CPU", _settings(core, threads)
            )
        except RuntimeError as error:
            raise BadNetwork(
                "OpenVINO {} can't load {}: {}".format(
                    ov.get_version(), network.name, str(error).strip().splitlines()[-1]
                )
            ) from None
        self.request = self.compiled.create_infer_request()
        self.arrays, self.tensors = {}, []
        for port in list(self.compiled.inputs) + list(self.compiled.outputs):
            array = np.zeros(tuple(port.shape), np.float32)
            tensor = ov.Tensor(array, shared_memory=True)
            self.request.set_tensor(port.any_name, tensor)
            self.arrays[port.any_name] = array
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


def _settings(core, threads):
    """Latency on ``threads`` threads, in float32: some CPUs would take bfloat16 unasked."""
    wanted = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
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
