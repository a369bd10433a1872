"""The teacher network: its features, its maps, and the blocks from which a student starts.

Any network of the family ``centre`` with pixel-wise correlation can teach, in floating point.
"""

from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto, NodeProto, ValueInfoProto

from hotpath.calib.errors import NoTeacher
from hotpath.graphs import assemble, models
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.networks import load_network
from hotpath_research.train.geometry import (
    CELLS,
    EXEMPLAR,
    EXEMPLAR_FACTOR,
    SEARCH,
    SEARCH_FACTOR,
)

EXPECTED = {
    "family": "centre",
    "crop": "area",
    "correlation": "pixelwise",
    "exemplar": EXEMPLAR,
    "search": SEARCH,
    "exemplar_factor": EXEMPLAR_FACTOR,
    "search_factor": SEARCH_FACTOR,
    "map_size": CELLS,
    "channels": "RGB",
}


class Learnt(NamedTuple):
    """The teacher's output for a pair of crops, float32."""

    exemplar_features: np.ndarray  # (channels, 8, 8)
    search_features: np.ndarray  # (channels, 16, 16)
    probability: np.ndarray  # (16, 16)
    size: np.ndarray  # (2, 16, 16), shares of the region
    offset: np.ndarray  # (2, 16, 16), cells


class Convolution(NamedTuple):
    """A convolution of the teacher, and the statistics of its outputs over real crops."""

    weight: np.ndarray
    bias: np.ndarray
    mean: np.ndarray  # (channels,) of the outputs, bias included
    deviation: np.ndarray


class TeacherBlock(NamedTuple):
    """A block of the teacher's backbone: expansion, depthwise 3x3, narrow 1x1."""

    convolutions: list[Convolution]
    mean: np.ndarray  # (channels,) of what comes in
    deviation: np.ndarray


class Teacher:
    """One network, run by OpenVINO on one thread.

    Args:
        name: a name, or the path of a TOML.
        networks_dir: folder with its files.

    Attributes:
        network: the ``Network``; pairs of crops are cut as it asks.
        channels: channels of its features.
        mean, scale: (3,) float32 of its pictures, RGB: (value - mean) * scale.

    Raises:
        NoTeacher: its files are missing, or it is no network that can teach.
    """

    def __init__(self, name: str, networks_dir: str | None = None) -> None:
        try:
            network = load_network(name)
            graphs = assemble.build(network, network.locate(networks_dir))
        except HotpathError as error:
            raise NoTeacher(f"the teacher {name} can't be used: {error}") from None
        wrong = [
            f"{key} is {getattr(network, key, None)!r} instead of {value!r}"
            for key, value in EXPECTED.items()
            if getattr(network, key, None) != value
        ]
        if wrong:
            raise NoTeacher(
                f"{name} can't teach: {'; '.join(wrong)}; name lightfc or a network like it with "
                "--teacher"
            )
        self.network = network
        self.mean, self.scale = (np.array(v, np.float32) for v in (network.mean, network.scale))
        self._is_logit = network.score == "sigmoid"
        exemplar, self._graph = graphs.exemplar, graphs.search
        if any(node.op_type == "QuantizeLinear" for node in self._graph.graph.node):
            raise NoTeacher(f"{name} is an INT8 form, which can't teach; name the fp32 network")
        self._names = graphs.image[1], graphs.features[0]  # what the search graph takes
        matched = next(
            node for node in self._graph.graph.node if self._names[1] in models.names_read(node)
        )
        other = next(name for name in matched.input if name != self._names[1])
        self._features = spatial(self._graph, other)
        own = spatial(exemplar, graphs.features[0])
        self._exemplar = compiled(exemplar, [graphs.features[0], own])
        self._search = compiled(self._graph, [*graphs.maps, self._features])
        self.channels = int(self._exemplar.get_output_tensor(1).shape[1])
        self._empty = np.zeros(self._exemplar.get_output_tensor(0).shape, np.float32)

    def exemplar(self, crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (128,128,3) BGR -> (what ``search`` takes, features (channels,8,8))."""
        self._exemplar.infer([self._picture(crop)])
        kernel, features = (self._exemplar.get_output_tensor(k).data.copy() for k in range(2))
        return kernel, features[0]

    def search(self, kernel: np.ndarray, crop: np.ndarray) -> list[np.ndarray]:
        """Run on uint8 (256,256,3) BGR: [probability, size, offset, features], a batch of one.

        The arrays are valid until the next call.
        """
        self._search.infer({self._names[0]: self._picture(crop), self._names[1]: kernel})
        outputs = [self._search.get_output_tensor(index).data for index in range(4)]
        if self._is_logit:
            outputs[0] = 1.0 / (1.0 + np.exp(-outputs[0]))
        return outputs

    def learn(self, exemplar: np.ndarray, search: np.ndarray) -> Learnt:
        """Features and maps of a pair of uint8 BGR crops."""
        kernel, features = self.exemplar(exemplar)
        probability, size, offset, search_features = (
            values[0].copy() for values in self.search(kernel, search)
        )
        return Learnt(features, search_features, probability[0], size, offset)

    def blocks(self, crops: np.ndarray) -> list[TeacherBlock]:
        """The blocks of the backbone in order, with statistics over uint8 (n,256,256,3) crops."""
        rows = triples(self._graph, self._features)
        names = [name for row in rows for name in (row[0].input[0], *(c.output[0] for c in row))]
        names = list(dict.fromkeys(names))
        run = compiled(self._graph, names)
        seen: dict[str, list[Any]] = {name: [] for name in names}
        for crop in crops:
            run.infer({self._names[0]: self._picture(crop), self._names[1]: self._empty})
            for index, name in enumerate(names):
                seen[name].append(run.get_output_tensor(index).data[0].copy())
        statistics = {n: (np.mean(v, (0, 2, 3)), np.std(v, (0, 2, 3))) for n, v in seen.items()}
        weights = models.constants(self._graph.graph)
        return [
            TeacherBlock(
                [
                    Convolution(weights[c.input[1]], weights[c.input[2]], *statistics[c.output[0]])
                    for c in row
                ],
                *statistics[row[0].input[0]],
            )
            for row in rows
        ]

    def _picture(self, crop: np.ndarray) -> np.ndarray:
        picture = (crop[..., ::-1].astype(np.float32) - self.mean) * self.scale
        return np.ascontiguousarray(picture.transpose(2, 0, 1))[None]


def producers(model: ModelProto) -> dict[str, NodeProto]:
    """Name of a tensor -> the node that gives it."""
    return {name: node for node in model.graph.node for name in node.output}


def spatial(model: ModelProto, name: str) -> str:
    """The map (1, channels, rows, columns) that a tensor is a reshaped form of."""
    node_of = producers(model)
    while name in node_of and node_of[name].op_type in (
        "Reshape",
        "Transpose",
        "Flatten",
        "Identity",
    ):
        name = node_of[name].input[0]
    return name


def triples(model: ModelProto, features: str) -> list[list[NodeProto]]:
    """The blocks before ``features`` in order: (expansion, depthwise, narrow) convolutions."""
    node_of = producers(model)
    before = set()
    waiting = [features]
    while waiting:
        name = waiting.pop()
        if name in node_of and name not in before:
            before.add(name)
            waiting.extend(node_of[name].input)
    convs = [n for n in model.graph.node if n.op_type == "Conv" and n.output[0] in before]

    def source(node: NodeProto) -> Any:
        name = node.input[0]
        while name in node_of and node_of[name].op_type in ("Clip", "Relu"):
            name = node_of[name].input[0]
        return node_of.get(name)

    after = {id(source(node)): node for node in convs}
    rows = []
    for node in convs:
        first, last = source(node), after.get(id(node))
        if models.attributes(node).get("group", 1) > 1 and first in convs and last is not None:
            rows.append([first, node, last])
    return rows


def compiled(model: ModelProto, outputs: list[str]) -> Any:
    """A request of OpenVINO that gives these tensors, on one thread, in bfloat16 where it can."""
    import openvino

    model = models.copy(model)
    models.replace(model.graph.output, [ValueInfoProto(name=name) for name in outputs])
    model = models.infer_shapes(model)
    settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    core = openvino.Core()
    return core.compile_model(
        core.read_model(model.SerializeToString()), "CPU", settings
    ).create_infer_request()
