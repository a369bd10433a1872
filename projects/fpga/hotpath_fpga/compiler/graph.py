"""Reads a network's two ONNX graphs as layers of the engine.

Everything becomes one kind of layer: a convolution and the functions after it. A sum of two maps is
a 1x1 convolution over both. A pixel-wise correlation is a convolution with the exemplar's features
as weights. A node that only rearranges (Reshape, Transpose, Concat) becomes a ``TensorView`` of the
maps and takes no time. The processor computes functions after the last layer (Exp, Sigmoid).
"""

from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import numpy as np
from onnx import helper, numpy_helper

from hotpath_fpga.compiler.layers import (
    CannotCompile,
    Function,
    Layer,
    Map,
    StoredFeatures,
    TensorView,
)

Output = Tuple[str, TensorView, Optional[Function]]  # tensor's name, and what is behind the view
HAS = (
    "the engine has convolutions, sums, concatenations, pixel-wise correlations and functions of "
    "one value"
)


class CompiledGraph:
    """One graph.

    Attributes:
        picture: ``Map`` of the crop.
        layers: in order.
        outputs: list of (tensor's name, ``TensorView``, function of float arrays behind it or
            None).
    """

    def __init__(self, model: Any, features: Dict[str, TensorView]) -> None:
        """Read a graph.

        Args:
            model: one of ``hotpath.graphs.quantisable.parts``.
            features: dict of input tensor -> ``TensorView`` of what the exemplar's part left.
        """
        self._graph = model.graph
        self._constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self._users: Dict[str, List[Any]] = {}
        for node in model.graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)
        self._views = dict(features)
        self.layers: List[Layer] = []
        outputs = {value.name for value in model.graph.output}
        for value in model.graph.input:
            if value.name in features or value.name in self._constants:
                continue
            shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
            self.picture = Map(value.name, *shape[1:])
            self._views[value.name] = TensorView("map", [self.picture])
        self._trailing = _trailing(model.graph, outputs)
        self._outputs = outputs
        for node in model.graph.node:
            self._read(node)
        self.outputs = [self._output(value.name) for value in model.graph.output]

    # -- nodes

    def _read(self, node: Any) -> None:
        if node.output[0] in self._trailing:
            return
        read = _READERS.get(node.op_type)
        if read is not None:
            view = read(self, node)
        elif node.op_type in FUNCTIONS:
            view = self._function(node)
        else:
            raise _refused(node, f"needs {_why(node)}; {HAS}")
        self._views[node.output[0]] = view

    def _view(self, node: Any, index: int, layout: Optional[str] = "map") -> TensorView:
        """The view of a node's input, in a layout."""
        name = node.input[index]
        view = self._views.get(name)
        if view is None:
            what = "the constant" if name in self._constants else "what the engine does not make,"
            raise _refused(node, f"needs {what} {name}; {HAS}")
        if layout and view.layout != layout:
            why = f"takes a tensor of shape {_shape(view)}; the engine has only maps of channels,"
            raise _refused(node, why + " rows and columns")
        return view

    def _add_layer(
        self, node: Any, layer: Layer, channels: int, height: int, width: int
    ) -> TensorView:
        output = Map(node.output[0], channels, height, width, layer)
        layer.output = output
        self.layers.append(layer)
        return TensorView("map", [output])

    def _conv(self, node: Any) -> TensorView:
        view = self._view(node, 0)
        attribute = attributes(node)
        weight = self._constants.get(node.input[1])
        if attribute.get("auto_pad", b"NOTSET") not in (b"NOTSET", "NOTSET"):
            raise _refused(node, "pads by auto_pad; export it with numbers")
        pads = attribute.get("pads", [0, 0, 0, 0])
        stride = tuple(attribute.get("strides", [1, 1]))
        dilations = attribute.get("dilations", [1, 1])
        if max(stride) > 2 or min(pads) < 0 or dilations[0] != dilations[1]:
            why = f"needs strides {list(stride)}, pads {list(pads)} and dilations {list(dilations)}"
            raise _refused(node, why + "; the engine has strides of 1 and 2 and one dilation")
        if dilations[0] > 1 and max(stride) > 1:
            raise _refused(node, "needs a stride and a dilation; the engine has one of both")
        _, channels, height, width = view.shape
        if weight is None:
            raise _refused(node, f"needs a correlation by a moving kernel; {HAS}")
        weight = ungrouped(weight.astype(np.float64), attribute.get("group", 1))
        bias = np.zeros(len(weight))
        if len(node.input) > 2:
            bias = self._constants[node.input[2]].astype(np.float64)
        pad = tuple(pads[:2])
        dilation = dilations[0]
        layer = Layer(node.name, "conv", view.maps, weight, bias, stride, pad, dilation)
        rows, columns = (
            (size + pads[axis] + pads[axis + 2] - dilation * (weight.shape[2 + axis] - 1) - 1)
            // stride[axis]
            + 1
            for axis, size in enumerate((height, width))
        )
        return self._add_layer(node, layer, len(weight), rows, columns)

    def _matmul(self, node: Any) -> TensorView:
        features, view = self._view(node, 0, "turned"), self._view(node, 1, "flat")
        stored = features.maps[0]
        if len(features.maps) != 1 or not isinstance(stored, StoredFeatures):
            raise _refused(node, f"multiplies two maps of the search region; {HAS}")
        positions = features.shape[1]
        layer = Layer(node.name, "pixelwise", view.maps, None, np.zeros(positions))
        layer.features = stored
        product = self._add_layer(node, layer, positions, view.maps[0].height, view.maps[0].width)
        return TensorView("flat", product.maps)

    def _add(self, node: Any) -> TensorView:
        views = [self._view(node, index) for index in (0, 1)]
        if views[0].shape != views[1].shape:
            shapes = " and ".join(map(_shape, views))
            raise _refused(node, f"needs a sum of {shapes}; the engine adds maps of one shape")
        _, channels, height, width = views[0].shape
        weight = np.concatenate([np.eye(channels)] * 2, axis=1)[:, :, None, None]
        maps = views[0].maps + views[1].maps
        layer = Layer(node.name, "conv", maps, weight, np.zeros(channels))
        return self._add_layer(node, layer, channels, height, width)

    def _concat(self, node: Any) -> TensorView:
        if attributes(node).get("axis") not in (1, -3):
            why = "needs a concatenation along rows or columns; the engine's is of channels"
            raise _refused(node, why)
        views = [self._view(node, index) for index in range(len(node.input))]
        return TensorView("map", [part for view in views for part in view.maps])

    def _rearranged(self, node: Any) -> TensorView:
        view = self._view(node, 0, None)
        attribute = attributes(node)
        layout = None
        if node.op_type == "Transpose":
            layout = {
                ((0, 2, 1), "flat"): "turned",
                ((0, 2, 1), "turned"): "flat",
            }.get((tuple(attribute["perm"]), view.layout))
        elif view.layout != "turned":
            shapes = {TensorView(kind, view.maps).shape: kind for kind in ("flat", "map")}
            layout = shapes.get(self._shape_of(node, view))
        if layout is None:
            why = f"needs values of {_shape(view)} moved about; the engine keeps channels, rows"
            raise _refused(node, why + " and columns")
        return TensorView(layout, view.maps)

    def _shape_of(self, node: Any, view: TensorView) -> Tuple[int, ...]:
        if node.op_type in ("Identity", "Dropout"):
            return view.shape
        sizes = self._constants.get(node.input[1]) if len(node.input) > 1 else None
        if node.op_type != "Reshape" or sizes is None:
            raise _refused(node, "needs a shape that is not known")
        sizes = [view.shape[i] if size == 0 else int(size) for i, size in enumerate(sizes)]
        product = -int(np.prod(sizes))
        total = int(np.prod(view.shape))
        return tuple(total // product if size == -1 else size for size in sizes)

    def _function(self, node: Any) -> TensorView:
        view = self._view(node, 0)
        layers = [source.layer for source in view.maps]
        layer = layers[0]
        alone = len(self._users[node.input[0]]) == 1 and node.input[0] not in self._outputs
        if (
            layer is None
            or len(layers) > 1
            or not alone
            or layer.function
            or (layer.relu and node.op_type == "Relu")
        ):
            view = self._copy(node, view)
            layer = self.layers[-1]
        result = view.maps[0]
        if node.op_type == "Relu":
            layer.relu = True
            result.sums = node.output[0]
        else:
            layer.function = function_of(node, self._constants)
        result.name = node.output[0]
        return TensorView("map", view.maps)

    def _copy(self, node: Any, view: TensorView) -> TensorView:
        """An identity layer, so that a function can follow."""
        _, channels, height, width = view.shape
        weight = np.eye(channels)[:, :, None, None]
        layer = Layer(node.name, "conv", view.maps, weight, np.zeros(channels))
        copy = self._add_layer(node, layer, channels, height, width)
        copy.maps[0].sums = node.input[0]
        return copy

    def _output(self, output: str) -> Output:
        name = output
        functions: List[Function] = []
        while name in self._trailing:
            node = self._trailing[name]
            functions.insert(0, function_of(node, self._constants))
            name = node.input[0]
        if name not in self._views:
            raise CannotCompile(f"the output {output} is none that the engine makes")

        def behind(values: np.ndarray) -> np.ndarray:
            for function in functions:
                values = function(values)
            return values

        return output, self._views[name], behind if functions else None


def _trailing(graph: Any, outputs: Iterable[str]) -> Dict[str, Any]:
    """dict of tensor -> node of functions between the last layers and the outputs."""
    node_of = {name: node for node in graph.node for name in node.output}
    users: Dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            users[name] = users.get(name, 0) + 1
    functions = {}
    for name in outputs:
        while name in node_of and node_of[name].op_type in FUNCTIONS and users.get(name, 0) < 2:
            if node_of[name].op_type == "Relu":  # the engine's own
                break
            functions[name] = node_of[name]
            name = node_of[name].input[0]
    return functions


def ungrouped(weight: np.ndarray, groups: int) -> np.ndarray:
    """The weights of a grouped convolution with zeros between the groups."""
    if groups == 1:
        return weight
    outputs, inputs = weight.shape[:2]
    per_group = outputs // groups
    full = np.zeros((outputs, inputs * groups) + weight.shape[2:])
    for group in range(groups):
        rows = slice(group * per_group, (group + 1) * per_group)
        full[rows, group * inputs : (group + 1) * inputs] = weight[rows]
    return full


def attributes(node: Any) -> Dict[str, Any]:
    """dict of a node's attributes."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


# -- functions of one value

FUNCTIONS: Dict[str, Callable[[np.ndarray, Dict[str, Any]], np.ndarray]] = {
    "Relu": lambda x, attribute: np.maximum(x, 0),
    "Exp": lambda x, attribute: np.exp(x),
    "Sigmoid": lambda x, attribute: 1 / (1 + np.exp(-x)),
    "Tanh": lambda x, attribute: np.tanh(x),
    "Softplus": lambda x, attribute: np.log1p(np.exp(x)),
    "HardSigmoid": lambda x, attribute: np.clip(
        x * attribute.get("alpha", 0.2) + attribute.get("beta", 0.5), 0, 1
    ),
    "HardSwish": lambda x, attribute: x * np.clip(x / 6 + 0.5, 0, 1),
    "LeakyRelu": lambda x, attribute: np.where(x < 0, x * attribute.get("alpha", 0.01), x),
    "Elu": lambda x, attribute: np.where(x < 0, attribute.get("alpha", 1.0) * np.expm1(x), x),
    "Clip": lambda x, attribute: np.clip(x, attribute.get("min"), attribute.get("max")),
    "Abs": lambda x, attribute: np.abs(x),
    "Neg": lambda x, attribute: -x,
}


def function_of(node: Any, constants: Dict[str, np.ndarray]) -> Function:
    """The node as a function of a float64 array."""
    attribute = attributes(node)
    if node.op_type == "Clip":  # its limits are inputs since opset 11
        for name, key in zip(node.input[1:], ("min", "max")):
            if name:
                attribute[key] = float(constants[name])
    function = FUNCTIONS[node.op_type]
    return lambda values: function(np.asarray(values, np.float64), attribute)


def _refused(node: Any, why: str) -> CannotCompile:
    return CannotCompile(f"{node.name} ({node.op_type}) {why}")


def _shape(view: TensorView) -> str:
    return "x".join(map(str, view.shape))


def _why(node: Any) -> str:
    return {
        "Mul": "a product of two maps (squeeze-and-excitation, attention)",
        "GlobalAveragePool": "the mean of a whole map",
        "ReduceMean": "the mean of a whole map",
        "MaxPool": "the greatest of its neighbours",
        "MatMul": "a product of two matrices",
        "Softmax": "a softmax",
        "Slice": "a part of a map",
        "Resize": "a map of another size",
    }.get(node.op_type, "an operation that there is not")


_READERS: Dict[str, Callable[[CompiledGraph, Any], TensorView]] = {
    "Conv": CompiledGraph._conv,
    "MatMul": CompiledGraph._matmul,
    "Add": CompiledGraph._add,
    "Concat": CompiledGraph._concat,
    "Reshape": CompiledGraph._rearranged,
    "Transpose": CompiledGraph._rearranged,
    "Identity": CompiledGraph._rearranged,
    "Dropout": CompiledGraph._rearranged,
}
