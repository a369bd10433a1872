"""Cuts a network's search graph at its correlations, for engines that can't run them.

A correlation convolves the search region's features with the exemplar's as its kernel: depthwise
where each channel is a group, a full cross-correlation if there is one group. TensorRT before
8.5.1 can't do so (NVIDIA/TensorRT#137, onnx/onnx-tensorrt#609).

The nodes before, between and after become parts. The correlations become steps that
``kernels/cuda/correlate.cu`` computes, as ``kernels/golden.py`` defines them. A correlation that
multiplies matrices (pixel-wise) stays in its part.
"""

from collections import namedtuple
from typing import Dict, List, NoReturn, Tuple

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from hotpath.graphs import models
from hotpath.graphs.assemble import AssembledGraphs
from hotpath.runtime.errors import BadNetwork

Step = namedtuple("Step", "kind search exemplar out padding")
Step.__doc__ = """One correlation.

Attributes:
    kind: "depthwise".
    search: name of the region's features, (1, C, H, W).
    exemplar: name of the exemplar's, (M, C, h, w).
    out: name of the result, (M, C, H', W').
    padding: zeros on each side of the region.
"""

Cut = namedtuple("Cut", "exemplar parts steps features maps shapes")
Cut.__doc__ = """A network in parts.

Attributes:
    exemplar: ONNX model, input ``exemplar``, outputs ``features``.
    parts: ONNX models of a frame, in their order.
    steps: for every part but the last, list of ``Step`` to do after it.
    features: names of the tensors that the exemplar leaves for the frames.
    maps: names of the maps. The parts also give the graph's other outputs
        (``hotpath.graphs.assemble.with_search_features``).
    shapes: dict of tensor name -> shape, of all tensors that pass between parts.
"""


def find(graphs: AssembledGraphs) -> List[NodeProto]:
    """The nodes of a search graph that correlate, in their order."""
    features = set(graphs.features)
    return [
        node
        for node in graphs.search.graph.node
        if node.op_type == "Conv" and node.input[1] in features and node.input[0] not in features
    ]


def cut(graphs: AssembledGraphs, correlations: bool = True) -> Cut:
    """Take the correlations out of a network.

    Args:
        graphs: ``assemble.AssembledGraphs``; not changed.
        correlations: False to leave them in: the network is one part.

    Returns:
        ``Cut``. It has one part and no steps if there is no such correlation.

    Raises:
        BadNetwork: no kernel computes a correlation of this form.
    """
    exemplar, search = models.copy(graphs.exemplar), models.copy(graphs.search)
    work = _Cutter(graphs, exemplar, search)
    for node in find(graphs._replace(search=search)) if correlations else ():
        work.take_out(node)
    return work.finish()


class _Cutter:
    """A graph while its correlations are taken out.

    Args:
        graphs: the ``AssembledGraphs`` that are cut.
        exemplar, search: copies of their models, which are changed.
    """

    def __init__(self, graphs: AssembledGraphs, exemplar: ModelProto, search: ModelProto) -> None:
        self.graphs, self.exemplar, self.search = graphs, exemplar, search
        self.features = list(graphs.features)
        self.taken: List[Step] = []
        self.shapes = models.all_shapes(search)
        self.shapes.update((v.name, models.shape_of(v)) for v in exemplar.graph.output)

    def take_out(self, node: NodeProto) -> None:
        """Replace a node by a step. Its result becomes an input of a later part."""
        nodes = list(self.search.graph.node)
        place = nodes.index(node)
        step, nodes[place : place + 1] = self._conv(node)
        models.replace(self.search.graph.node, nodes)
        self.taken.append(step)

    def finish(self) -> Cut:
        """Split the remaining nodes into parts."""
        if self.taken:
            self._keep_features()
        level = self._levels()
        last = max(level.values()) if self.taken else 0
        parts = [self._part(index, level) for index in range(last + 1)]
        steps = [[s for s in self.taken if level[s.out] == index + 1] for index in range(last)]
        features = tuple(self.features)
        return Cut(self.exemplar, parts, steps, features, self.graphs.maps, self.shapes)

    def _conv(self, node: NodeProto) -> Tuple[Step, List[NodeProto]]:
        region, name = node.input[:2]
        attributes = models.attributes(node)
        group, pads = attributes.get("group", 1), attributes.get("pads", [0] * 4)
        kernel, picture = self.shapes.get(name, ()), self.shapes.get(region, ())
        plain = set(attributes.get("strides", [1])) | set(attributes.get("dilations", [1])) == {1}
        square = len(set(pads)) == 1 and attributes.get("auto_pad", b"NOTSET") == b"NOTSET"
        if len(kernel) != 4 or len(picture) != 4 or picture[0] != 1 or not plain or not square:
            self._refuse(node, f"is a convolution of {picture} by {kernel}")
        height, width = (picture[i] + 2 * pads[0] - kernel[i] + 1 for i in (2, 3))
        output, channels = node.output[0], picture[1]
        out = output
        after: List[NodeProto] = []
        if group == channels and kernel[:2] == (channels, 1):
            name = self._in_planes(name, (1, channels) + kernel[2:])
            outputs = 1
        elif group == 1 and kernel[1] == channels:
            out = output + "/planes"
            outputs = kernel[0]
            after = self._sum(out, output, (1, outputs, height, width))
        else:
            self._refuse(node, f"has {group} groups for {channels} channels")
        self.shapes[out] = (outputs, channels, height, width)
        if len(node.input) > 2 and node.input[2]:
            after = self._add_bias(node, output, out, after)
        return Step("depthwise", region, name, out, int(pads[0])), after

    def _sum(self, planes: str, out: str, shape: models.Shape) -> List[NodeProto]:
        """The nodes that add (M, C, H, W) over C and give (1, M, H, W)."""
        summed = out + "/summed"
        size = self._constant(out + "/shape", np.array(shape, np.int64))
        axes = self._constant(out + "/axes", np.array([1], np.int64))
        add = helper.make_node("ReduceSum", [planes, axes], [summed], keepdims=0)
        return [add, helper.make_node("Reshape", [summed, size], [out])]

    def _add_bias(
        self, node: NodeProto, output: str, out: str, after: List[NodeProto]
    ) -> List[NodeProto]:
        if out == output:
            self._refuse(node, "has a bias for each channel")
        bias = models.constants(self.search.graph).get(node.input[2])
        if bias is None:
            self._refuse(node, "takes its bias from another node")
        after[-1].output[0] = output + "/unbiased"
        name = self._constant(output + "/bias", bias.reshape(1, -1, 1, 1))
        return after + [helper.make_node("Add", [output + "/unbiased", name], [output])]

    def _in_planes(self, name: str, shape: models.Shape) -> str:
        """Let the exemplar's model also give a feature in another shape. Returns its name."""
        new = name + "/planes"
        if shape == self.shapes[name] or new in self.features:
            return name if shape == self.shapes[name] else new
        graph = self.exemplar.graph
        size = models.add_constant(graph, new + "/shape", np.array(shape, np.int64))
        graph.node.append(helper.make_node("Reshape", [name, size], [new]))
        self.shapes[new] = shape
        self.features.insert(self.features.index(name) + 1, new)
        return new

    def _keep_features(self) -> None:
        """Remove the features that neither a step nor a node reads."""
        read = {step.exemplar for step in self.taken}
        read.update(name for node in self.search.graph.node for name in node.input)
        self.features = [name for name in self.features if name in read]
        models.replace(self.exemplar.graph.output, map(self._value, self.features))

    def _constant(self, name: str, values: np.ndarray) -> str:
        return models.add_constant(self.search.graph, name, values)

    def _refuse(self, node: NodeProto, what: str) -> NoReturn:
        name = self.graphs.search.graph.name or "the network"
        raise BadNetwork(
            f"{name} can't be cut for this board: its correlation {node.output[0]} {what}, which "
            "no kernel computes; export it in another form, or use a board with TensorRT 8.5.1 or "
            "newer",
            what="not cut",
        )

    def _levels(self) -> Dict[str, int]:
        """dict of tensor name -> number of the first part that has it; constants have none."""
        level: Dict[str, int] = {value.name: 0 for value in self.graphs.search.graph.input}
        level.update((name, 0) for name in self.features)
        steps = {step.out: step for step in self.taken}
        for node in self.search.graph.node:
            for name in steps.keys() & node.input:
                level[name] = level[steps[name].search] + 1
            reads = [level[name] for name in node.input if name in level]
            if reads:
                level.update((name, max(reads)) for name in node.output)
        for name, step in steps.items():  # perhaps no node reads it
            level[name] = level[step.search] + 1
        return level

    def _part(self, index: int, level: Dict[str, int]) -> ModelProto:
        """The model of the nodes of one level, with the constants that they need."""
        source = self.search.graph
        nodes = [n for n in source.node if level.get(n.output[0], index) == index]
        have = [name for node in nodes for name in node.output]
        kept = list(self.graphs.maps) + [value.name for value in source.output]
        kept += [step.search for step in self.taken]
        later = {
            name
            for node in source.node
            if level.get(node.output[0], -1) > index
            for name in node.input
        }
        outputs = [name for name in kept if name in have]
        outputs += [name for name in have if name in later and name in level]
        inputs = [n for node in nodes for n in node.input if n in level and n not in have]
        part = helper.make_model(
            helper.make_graph(
                nodes,
                f"part{index}",
                [self._value(name) for name in dict.fromkeys(inputs)],
                [self._value(name) for name in dict.fromkeys(outputs)],
                list(source.initializer),
            ),
            opset_imports=self.search.opset_import,
            ir_version=self.search.ir_version,
        )
        return models.prune(part)

    def _value(self, name: str) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shapes[name])
