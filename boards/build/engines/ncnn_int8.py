"""Turn the convolutions of an ncnn model into INT8, with the ranges that ``hotpath.calib.int8``
measured.

ncnn computes such a convolution in INT8 when its parameter 8 is set: one scale for the input, one
for each output channel's weights, all symmetric. A table of ranges has ONNX tensors, and pnnx gives
layers new names. So a layer is found by its weights, which pnnx does not change.

A .bin holds the weights in the order of the layers in .param: a tag of 4 bytes (0: float32), the
weights, then the bias without a tag (ncnn's ``modelbin.cpp``).
"""

import pathlib
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from hotpath.boards.errors import BuildFailed

FLOAT32, INT8 = 0, 0x000D4B38  # tags of weights in a .bin
PLAIN = "Convolution"
# Layers with weights, and the numbers of the parameters: outputs, has a bias, count of weights.
WEIGHTED = {PLAIN: (0, 5, 6), "ConvolutionDepthWise": (0, 5, 6), "InnerProduct": (0, 1, 2)}
UNKNOWN = ("MemoryData", "PReLU", "BatchNorm", "Scale", "Bias", "Embed", "LSTM", "GRU", "RNN")
LEVELS = 127


class Weights(NamedTuple):
    """What a layer has in the .bin."""

    values: np.ndarray
    bias: np.ndarray


def quantise(folder: pathlib.Path, part: str, model: Any, table: Dict[str, Any]) -> List[str]:
    """Rewrite ``PART.param`` and ``PART.bin`` of a folder.

    Only plain convolutions are quantised. Those that the table keeps, depthwise ones and fully
    connected layers stay in float32.

    Args:
        folder: folder of the bundle.
        part: "exemplar" or "search".
        model: the ONNX model that the files were made from.
        table: table of ranges (``hotpath.calib.table``).

    Returns:
        Names of the layers that are INT8 now.

    Raises:
        BuildFailed: the model has a layer whose weights can't be told.
    """
    param, binary = folder / (part + ".param"), folder / (part + ".bin")
    lines = param.read_text().splitlines()
    data = binary.read_bytes()
    reader = _Reader(data)
    scales = _input_scales(model, part, table)
    made: List[bytes] = []
    names = []
    for number, line in enumerate(lines[2:], 2):
        kind, settings = _settings(line)
        if kind in UNKNOWN:
            raise BuildFailed(f"INT8 for ncnn can't keep the layer {kind}; take fp16")
        if kind not in WEIGHTED:
            continue
        outputs, has_bias, count = (int(settings.get(key, 0)) for key in WEIGHTED[kind])
        weights = reader.weights(count, outputs if has_bias else 0)
        scale = scales.get(weights.values.tobytes()) if kind == PLAIN else None
        if scale is None:
            made.append(_float(weights))
            continue
        made.append(_int8(weights, outputs, scale))
        lines[number] = line + " 8=2"
        names.append(line.split()[1])
    if reader.left:
        raise BuildFailed(
            f"{len(data) - len(reader.left)} of {len(data)} bytes of weights were understood; "
            "INT8 for ncnn does not know all layers of this network"
        )
    param.write_text("\n".join(lines) + "\n")
    binary.write_bytes(b"".join(made))
    return names


def _settings(line: str) -> Tuple[str, Dict[int, str]]:
    """The layer's type and its parameters: number -> text."""
    words = line.split()
    pairs = [word.split("=", 1) for word in words[4:] if "=" in word]
    return words[0] if words else "", {int(key): value for key, value in pairs}


class _Reader:
    """Reads a .bin from its beginning; ``left`` is what was not read yet."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def weights(self, count: int, biases: int) -> Weights:
        tag = int.from_bytes(self.left[:4], "little")
        if tag != FLOAT32:
            raise BuildFailed(f"the weights that pnnx wrote are not float32 (tag {tag:#x})")
        values = np.frombuffer(self.left, "<f4", count + biases, 4)
        self.left = self.left[4 + values.nbytes :]
        return Weights(values[:count], values[count:])


def _input_scales(model: Any, part: str, table: Dict[str, Any]) -> Dict[bytes, float]:
    """dict of a convolution's weights -> scale of its input, for those that run in INT8."""
    from onnx import numpy_helper

    from hotpath.calib import qdq
    from hotpath.calib import table as tables

    kept = set(table["keep"]) | set(table["last"])
    ranges = tables.ranges(table, part)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found: Dict[bytes, float] = {}
    for node in qdq.prepared(model).graph.node:
        if node.op_type != "Conv" or node.input[1] not in constants:
            continue
        largest = _largest(ranges.get(node.input[0]))
        if largest is None or qdq.base(node.name) in kept:
            continue
        values = numpy_helper.to_array(constants[node.input[1]]).astype("<f4")
        found[values.tobytes()] = LEVELS / largest
    return found


def _largest(limits: Optional[Tuple[float, float]]) -> Optional[float]:
    """The greatest magnitude of a range; None if nothing can be scaled by it."""
    largest = max(-limits[0], limits[1]) if limits else 0.0
    return largest if largest > 0 else None


def _float(weights: Weights) -> bytes:
    return FLOAT32.to_bytes(4, "little") + weights.values.tobytes() + weights.bias.tobytes()


def _int8(weights: Weights, outputs: int, input_scale: float) -> bytes:
    """The layer's part of the .bin: weights, bias, scales of the weights, scale of the input."""
    rows = weights.values.reshape(outputs, -1)
    largest = np.abs(rows).max(axis=1)
    scales = np.where(largest > 0, LEVELS / np.maximum(largest, 1e-30), 1).astype("<f4")
    whole = np.clip(np.rint(rows * scales[:, None]), -LEVELS, LEVELS).astype(np.int8)
    packed = whole.tobytes()
    packed += bytes(-len(packed) % 4)
    tail = weights.bias.tobytes() + scales.tobytes() + np.array([input_scale], "<f4").tobytes()
    return INT8.to_bytes(4, "little") + packed + tail
