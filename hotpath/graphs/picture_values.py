"""What a network's first layer gets of a picture, where its export may hold a normalisation.

A picture that the TOML's mean and scale normalise, and the graph once more, has hardly any contrast
left, and shapes do not tell. So the nodes up to the first layer, and that layer, are run on a
picture.
"""

import pathlib
from typing import Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
from onnx import ModelProto, TensorProto, helper

from hotpath.graphs import models
from hotpath.runtime.errors import BadNetwork

LAYERS = ("Conv", "Gemm", "MatMul")
# from the least to the greatest value that networks take: 0 to 1, -2.1 to 2.6, 0 to 255
SPANS = (0.5, 12.0), (100.0, 300.0)
MOST_OFF = 0.6  # of its span, by which a range may leave out 0
# of the first layer's results over the picture, by their means; in use .26 to 3.6, and .015 at most
# where the picture is normalised twice
LEAST_CONTRAST = 0.05
USUAL = (0.0, 1.0), (0.0, 1 / 255.0)  # mean and scale, for graphs that do the rest
SIDE = 127  # of a picture whose side the file leaves open

Values = Sequence[float]


class _Start(NamedTuple):
    """The start of a file's graph: from a picture to the results of the first layer."""

    model: ModelProto
    picture: str
    side: int
    outputs: List[str]  # what the layer gets, where it is not the picture, and its results

    def fits(self, mean: Values, scale: Values) -> Optional[str]:
        """What is odd of a picture that was normalised before; "" for nothing, None: unknown."""
        noise = np.random.RandomState(1).rand(8, 8, 3).astype(np.float32) * 255
        noise[0, 0], noise[-1, -1] = 0, 255
        picture = cv2.resize(noise, (self.side, self.side), interpolation=cv2.INTER_LINEAR)
        picture = (picture - np.array(mean, np.float32)) * np.array(scale, np.float32)
        kind = self.model.graph.input[0].type.tensor_type.elem_type
        try:
            from onnx.reference import ReferenceEvaluator  # since onnx 1.13; Python 3.6 has 1.11

            dtype = helper.tensor_dtype_to_np_dtype(kind)
            feed = {self.picture: np.ascontiguousarray(picture.transpose(2, 0, 1)[None], dtype)}
            results = ReferenceEvaluator(self.model).run(self.outputs, feed)
        except Exception:  # of any class: an operator, or an input, that it does not have
            return None
        *given, result = (np.asarray(each, float) for each in results)
        for values in given:
            low, high = values.min(), values.max()
            is_near = low <= MOST_OFF * (high - low) and high >= -MOST_OFF * (high - low)
            if not is_near or not any(a <= high - low <= b for a, b in SPANS):
                return f"its first layer gets values from {low:.3g} to {high:.3g}"
        others = (0, 2, 3) if result.ndim == 4 else tuple(range(result.ndim - 1))
        contrast = result.std(axis=others).sum() / (np.abs(result.mean(axis=others)).sum() + 1e-9)
        if contrast < LEAST_CONTRAST:
            return f"its first layer sees {contrast:.1%} of contrast"
        return ""


def twice(path: pathlib.Path, mean: Values, scale: Values) -> str:
    """Say that a file normalises what the TOML's mean and scale already did; "" if it does not."""
    for start in _starts(path):
        odd = start.fits(mean, scale)
        if odd:
            better = usual({"": path})
            write = "export it without that, or correct mean and scale"
            if better is not None:
                write = "write mean {0:g} and scale {1:.6g} for each channel".format(*better)
            return f"{path.name} seems to normalise the picture itself: {odd}; {write}"
    return ""


def usual(paths: Mapping[str, pathlib.Path]) -> Optional[Tuple[float, float]]:
    """The mean and the scale with which nothing is odd in all files; None if there are none."""
    starts = [start for path in paths.values() for start in _starts(path)]
    for mean, scale in USUAL:
        if all(not start.fits([mean], [scale]) for start in starts):
            return mean, scale
    return None


def _starts(path: pathlib.Path) -> Iterator[_Start]:
    """The start of each picture that a file takes as floats. Only such pictures are normalised."""
    try:
        model = models.read(path)
    except BadNetwork:  # which others say
        return
    for value in models.inputs(model):
        shape = models.shape_of(value)
        is_bytes = value.type.tensor_type.elem_type == TensorProto.UINT8
        if not is_bytes and len(shape) == 4 and shape[1] in (0, 3):
            start = _start_of(model, value.name, shape[2] or SIDE)
            if start is not None:
                yield start


def _start_of(model: ModelProto, picture: str, side: int) -> Optional[_Start]:
    reached, before = {picture}, []
    for node in model.graph.node:
        before.append(node)
        given = [name for name in node.input if name in reached]
        if given and node.op_type in LAYERS:
            break
        reached.update(node.output if given else ())
    else:
        return None
    outputs = [name for name in given[:1] if name != picture] + [node.output[0]]
    start = models.copy(model)
    models.replace(start.graph.node, before)
    models.replace(start.graph.input, [v for v in start.graph.input if v.name == picture])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    models.replace(start.graph.output, ends)
    return _Start(models.prune(start), picture, side, outputs)
