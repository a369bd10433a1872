"""python -m hotpath_research.export.lightfc: float ONNX files of LightFC, from its deployment.

    python -m hotpath_research.export.lightfc --checkout LightFC_Deploy --out networks

The authors of LightFC publish a checkpoint of PyTorch. github.com/EDOGing/LightFC_Deploy (commit
f57c00f) publishes the same weights for deployment. This program takes the backbone from the ONNX
file of ``LightFC_web``, which is the only file with all bits of the weights. Fusion and heads come
from the ncnn files of ``LightFC_cpp/model``, whose weights are float32 numbers on the 8-bit grid of
each output channel. It writes the two graphs that Hotpath runs. Their weights are stored as
float16, which halves the files and is finer than that grid.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hotpath.calib import command_line
from hotpath.calib.errors import BadRun
from hotpath.graphs import models
from hotpath.runtime.errors import BadNetwork

MAGIC = "7767517"  # the first line of a .param
PLAIN = b"\0\0\0\0"  # before the weights of a layer: they are float32
ARRAY = -23300  # a key below it has a list of values: count, value, value, ...
RELU, CLIP, SIGMOID = 1, 3, 4  # kinds of activations
ADD, MULTIPLY = 0, 2  # kinds of BinaryOp
OPSET, IR = 13, 7
BACKBONE = "LightFC_web/lightfc_ep0400_backbone.onnx"
PARTS = "LightFC_cpp/model"  # lightfc_NAME.ncnn.param and .bin
HEADS = ("score", "size", "offset")
LEAST = 2  # numbers of a tensor that is stored as float16


class NcnnLayer(NamedTuple):
    """A line of a .param file."""

    kind: str
    name: str
    inputs: list[str]
    outputs: list[str]
    keys: dict[int, Any]  # ncnn's number of a parameter -> its value


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_research.export.lightfc", __doc__)
    cli.add_argument("--checkout", required=True, metavar="DIR", help="a clone of LightFC_Deploy")
    cli.add_argument("--name", default="lightfc", help="of both files (default: %(default)s)")
    cli.add_argument("--out", default=".", metavar="DIR", help="folder to write to")
    return cli


def run(options: argparse.Namespace) -> None:
    """Write both ONNX files."""
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for part, model in graphs(Path(options.checkout)).items():
        paths.append(out / f"{options.name}_{part}.onnx")
        onnx.save(model, str(paths[-1]))
    command_line.say_written(*paths)


def graphs(checkout: Path) -> dict[str, onnx.ModelProto]:
    """Return the graphs ``exemplar`` and ``search``.

    Args:
        checkout: a clone of LightFC_Deploy.

    Raises:
        BadRun: a file is missing.
        BadNetwork: a file has a layer, or a form of weights, that LightFC does not have.
    """
    if not (checkout / BACKBONE).is_file():
        raise BadRun(f"there is no {checkout / BACKBONE}; name a clone of LightFC_Deploy")
    backbone = models.without_constant_nodes(models.read(checkout / BACKBONE))
    folder = checkout / PARTS
    exemplar, search = OnnxWriter(), OnnxWriter()
    exemplar.output("features", exemplar.graph(backbone, "image", "backbone/"), (1, 96, 8, 8))
    shown = search.graph(backbone, "image", "backbone/")
    fused = search.part(folder, "fusion", ["exemplar", shown], "fusion/")
    for head in HEADS:
        result = search.part(folder, head, [fused], f"{head}/")
        search.output(head, result, (1, 1 if head == "score" else 2, 16, 16))
    inputs = {"exemplar": (1, 96, 8, 8), "image": (1, 3, 256, 256)}
    return {
        "exemplar": exemplar.model({"image": (1, 3, 128, 128)}),
        "search": search.model(inputs),
    }


def _bytes(folder: Path, part: str) -> bytes:
    try:
        return (folder / f"lightfc_{part}.ncnn.bin").read_bytes()
    except OSError:
        raise BadRun(f"{folder} has no lightfc_{part}.ncnn.bin; name the folder with it") from None


def layers(folder: Path, part: str) -> list[NcnnLayer]:
    """Read the .param file of a part.

    Raises:
        BadRun: it is missing.
        BadNetwork: it is not ncnn's.
    """
    path = folder / f"lightfc_{part}.ncnn.param"
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError:
        raise BadRun(f"{folder} has no {path.name}; name the folder with it") from None
    if lines[0].strip() != MAGIC:
        raise BadNetwork(f"{path} is no .param file of ncnn; get it again")
    found = []
    for line in filter(None, map(str.strip, lines[2:])):
        kind, name, takes, gives, *words = line.split()
        ends = int(takes), int(takes) + int(gives)
        keys = dict(_key(word) for word in words[ends[1] :])
        found.append(NcnnLayer(kind, name, words[: ends[0]], words[ends[0] : ends[1]], keys))
    return found


def _key(word: str) -> tuple[int, Any]:
    """A parameter, such as ``0=64`` or ``-23310=2,0.0,6.0``."""
    number, text = word.split("=")
    values = [
        float(value) if "." in value or "e" in value else int(value) for value in text.split(",")
    ]
    if int(number) <= ARRAY:
        return ARRAY - int(number), values[1:]
    return int(number), values[0]


class OnnxWriter:
    """Collects the nodes of one ONNX graph from layers of ncnn."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._blob, self._at = b"", 0

    def graph(self, model: onnx.ModelProto, taken: str, prefix: str) -> str:
        """Add the nodes of an ONNX graph of one input; returns the name of its result."""
        names = {model.graph.input[0].name: taken, "": ""}
        for name, values in models.constants(model.graph).items():
            names[name] = self._number(prefix + name, values)
        for index, node in enumerate(model.graph.node):
            result = f"{prefix}{node.op_type.lower()}{index}"
            copy = onnx.NodeProto.FromString(node.SerializeToString())
            copy.name = result
            models.replace(copy.input, [names[name] for name in node.input])
            models.replace(copy.output, [result])
            names[node.output[0]] = result
            self._nodes.append(copy)
        return names[model.graph.output[0].name]

    def part(self, folder: Path, part: str, takes: list[str], prefix: str) -> str:
        """Add a part's layers; returns the name of its result.

        Args:
            takes: the tensors for ``in0``, ``in1``.
            prefix: of the names of its tensors.
        """
        self._blob, self._at = _bytes(folder, part), 0
        names = dict(zip(("in0", "in1"), takes))
        result = ""
        for layer in layers(folder, part):
            if layer.kind == "Input":
                continue
            taken = [names[name] for name in layer.inputs]
            if layer.kind == "Split":
                names.update(dict.fromkeys(layer.outputs, taken[0]))
                continue
            result = prefix + layer.name
            self._layer(layer, taken, result)
            names[layer.outputs[0]] = result
        if self._at != len(self._blob):
            raise BadNetwork(
                f"lightfc_{part}.ncnn.bin has {len(self._blob) - self._at} bytes too many"
            )
        return result

    def output(self, name: str, tensor: str, shape: tuple[int, ...]) -> None:
        """Give a node's result, which no other node takes, out under a name."""
        (maker,) = (node for node in self._nodes if tensor in node.output)
        maker.output[0] = name
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def model(self, inputs: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
        """The graph as a checked model."""
        taken = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
        graph = helper.make_graph(self._nodes, "lightfc", taken, self._outputs, self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR
        onnx.checker.check_model(model, full_check=True)
        return model

    def _layer(self, layer: NcnnLayer, taken: list[str], result: str) -> None:
        key: Any = layer.keys.get
        if layer.kind in ("Convolution", "ConvolutionDepthWise"):
            self._convolution(layer, taken[0], result)
        elif layer.kind == "BinaryOp":
            kinds = {ADD: "Add", MULTIPLY: "Mul"}
            self._node(kinds[key(0, 0)], taken, result)
        elif layer.kind == "Pooling" and key(0) == 1 and key(4) == 1:
            self._node("GlobalAveragePool", taken, result)
        elif layer.kind == "Reshape":  # ncnn has width, height, channels, and no batch
            shape = [key(axis) for axis in (2, 1, 0) if key(axis) is not None]
            self._node("Reshape", [*taken, self._whole(result + ".shape", [1, *shape])], result)
        elif layer.kind == "Permute" and key(0) == 1:
            self._node("Transpose", taken, result, perm=[0, 2, 1])
        elif layer.kind == "MatMul":
            self._node("MatMul", taken, result)
        elif layer.kind == "Concat" and key(0, 0) == 0:
            self._node("Concat", taken, result, axis=1)
        elif layer.kind == "GELU" and not key(0, 0):
            self._gelu(taken[0], result)
        elif layer.kind == "Clip":
            self._clip(taken[0], result, key(0), key(1))
        else:
            raise BadNetwork(f"{layer.kind} {layer.name} is no layer of LightFC")

    def _convolution(self, layer: NcnnLayer, taken: str, result: str) -> None:
        key: Any = layer.keys.get
        out, side, groups = key(0), key(1), key(7, 1)
        weights = self._read(key(6), is_kernel=True).reshape(out, -1, side, side)
        inputs = [taken, self._number(result + ".weight", weights)]
        if key(5):
            inputs.append(self._number(result + ".bias", self._read(out)))
        activation, plain = key(9, 0), result + (".plain" if key(9, 0) else "")
        left = key(4, 0)
        pads = [key(14, left), left, key(14, left), left]
        options = {"kernel_shape": [side] * 2, "strides": [key(3, 1)] * 2, "pads": pads}
        self._node("Conv", inputs, plain, group=groups, **options)
        if activation == RELU:
            self._node("Relu", [plain], result)
        elif activation == SIGMOID:
            self._node("Sigmoid", [plain], result)
        elif activation == CLIP:
            self._clip(plain, result, *key(10))
        elif activation:
            raise BadNetwork(f"{layer.name} has an activation {activation}, which LightFC has not")

    def _gelu(self, taken: str, result: str) -> None:
        """x / 2 * (1 + erf(x / sqrt(2)))."""
        root, one, half = (
            self._number(f"{result}.{name}", np.float32(value))
            for name, value in (("root", np.sqrt(2)), ("one", 1), ("half", 0.5))
        )
        self._node("Div", [taken, root], result + ".scaled")
        self._node("Erf", [result + ".scaled"], result + ".erf")
        self._node("Add", [result + ".erf", one], result + ".raised")
        self._node("Mul", [taken, result + ".raised"], result + ".product")
        self._node("Mul", [result + ".product", half], result)

    def _clip(self, taken: str, result: str, low: float, high: float) -> None:
        bounds = [
            self._number(f"{result}.{name}", np.float32(value))
            for name, value in (("low", low), ("high", high))
        ]
        self._node("Clip", [taken, *bounds], result)

    def _node(self, kind: str, inputs: list[str], output: str, **options: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], output, **options))

    def _whole(self, name: str, values: list[int]) -> str:
        self._weights.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def _number(self, name: str, values: Any) -> str:
        """Add a tensor of floats; returns the name under which nodes take it, as float32."""
        if np.size(values) < LEAST:
            self._weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
            return name
        stored = name + ".half"
        self._weights.append(numpy_helper.from_array(np.asarray(values, np.float16), stored))
        self._nodes.append(helper.make_node("Cast", [stored], [name], name, to=TensorProto.FLOAT))
        return name

    def _read(self, count: int, is_kernel: bool = False) -> np.ndarray:
        """The next numbers of the .bin file; a flag is before those of a kernel."""
        if is_kernel:
            if self._blob[self._at : self._at + 4] != PLAIN:
                raise BadNetwork("the weights are not float32; take the float32 files")
            self._at += 4
        values = np.frombuffer(self._blob, "<f4", count, self._at)
        self._at += 4 * count
        return values


main = command_line.main("hotpath_research.export.lightfc", run, parser)

if __name__ == "__main__":
    sys.exit(main())
