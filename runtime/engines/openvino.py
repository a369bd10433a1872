"""Run a network with OpenVINO on the CPU: bound tensors, one call a frame.

Each lane is a model of its own. One model with a stream for each would hold the weights once, but
takes 0.1 to 0.3 ms a call to hand a request to its own thread; a model of one stream runs in the
thread that calls it.
"""

import numpy as np

try:
    import openvino as ov

    ov.Core  # noqa: B018 -- before 2023.1 the top package is empty
except AttributeError:
    import openvino.runtime as ov

from runtime.engines.cpu import OnCpu
from runtime.errors import BadNetwork
from runtime.graphs import convert


class Engine(OnCpu):
    """See ``runtime.engines``."""

    name = "openvino"

    def __init__(self, network, paths, threads):
        super().__init__(
            network, paths, threads,
            lambda model, threads: _Bound(_compiled(network, model, threads)),
        )  # fmt: skip

    def describe(self):
        """What runs where: engine, library version, device, precision, threads."""
        return {
            "engine": self.name,
            "version": ov.get_version().split("-")[0],
            "device": "CPU",
            "precision": convert.precision_of(self._graphs),
            "threads": self.threads,
        }


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


def _compiled(network, model, threads):
    core = ov.Core()
    try:
        return core.compile_model(
            core.read_model(model.SerializeToString()), "CPU", _settings(core, threads)
        )
    except RuntimeError as error:
        raise BadNetwork(
            "OpenVINO {} can't load {}: {}".format(
                ov.get_version(), network.name, str(error).strip().splitlines()[-1]
            )
        ) from None


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
