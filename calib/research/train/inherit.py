"""Stage blocks: the later blocks of a backbone begin as those of NanoTrack v2.

NanoTrack v2's backbone is MobileNetV3 (Howard et al., 2019; its weights are Apache-2.0). Its blocks
from stride 8 on have the shapes of ours (``layers.LATER``). Two things differ. Its channels pass
gates that depend on the picture, and its hard swish is a ReLU in ours. A gate hardly moves from
picture to picture, so each becomes its mean, a factor in the weights. What remains is learnt: our
blocks learn the teacher's features from the teacher's map of stride 8, and the convolutions
before them learn that map. The next stage trains both together.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from calib.errors import NoTeacher
from calib.research.train.layers import Bottleneck, Unit
from calib.research.train.network import Backbone
from calib.research.train.teacher import session

LOOKED_AT = 96  # held-out pairs that gates and statistics are measured on
TAPS = 3  # convolutions of a block


class Inheritance:
    """The teacher's blocks.

    Args:
        file: its backbone, ONNX.
        count: how many of its last blocks are taken.
        held: dict of the ring's fields; pairs that are never trained on.
        device: where maps are wanted.
    """

    def __init__(
        self, file: str | Path, count: int, held: dict[str, np.ndarray], device: str = "cpu"
    ) -> None:
        model = onnx.load(str(file))
        for value in (*model.graph.input, *model.graph.output):
            for name, dim in zip("hw", value.type.tensor_type.shape.dim[2:]):
                dim.dim_param = value.name + name  # both crops
        del model.graph.value_info[:]
        weights = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
        nodes = [n for n in model.graph.node if n.op_type == "Conv"][-TAPS * count :]
        self.weights = [[torch.tensor(weights[name]) for name in n.input[1:3]] for n in nodes]
        gates = [n.input[1] for n in model.graph.node if n.op_type == "Mul"][-count:]
        depths = [w.shape[2:] for w, _ in self.weights[1::TAPS]]
        if len(gates) != count or any(shape != (5, 5) for shape in depths):
            raise NoTeacher(
                f"{file} does not end in {count} gated blocks of MobileNetV3; stage blocks takes "
                "those of "
                "nanotrack_v2 alone: name it with --teacher"
            )
        self.input = model.graph.input[0].name
        self.early = self._cut(model, [nodes[0].input[0]])
        looking = self._cut(model, [nodes[0].input[0], *gates])
        found = [
            looking.run(None, {self.input: _image(crop)})
            for part in ("search", "exemplar")
            for crop in held[part][:LOOKED_AT]
        ]
        self.gates = [
            torch.tensor(np.mean([each[1 + i].reshape(-1) for each in found], 0))
            for i in range(count)
        ]
        of_searches = min(LOOKED_AT, len(held["search"]))
        self.maps = [
            torch.tensor(np.concatenate([each[0] for each in part]))
            for part in (found[:of_searches], found[of_searches:])
        ]
        values = _flat(self.maps).to(device)
        self.mean = values.mean(1)[None, :, None, None]
        self.deviation = values.std(1)[None, :, None, None]
        self.device = device

    @staticmethod
    def _cut(model: onnx.ModelProto, outputs: Sequence[str]) -> Any:
        """A session that computes ``outputs`` alone."""
        kept, wanted = [], set(outputs)
        for node in reversed(model.graph.node):
            if set(node.output) & wanted:
                kept.append(node)
                wanted |= set(node.input)
        cut = onnx.ModelProto()
        cut.CopyFrom(model)
        del cut.graph.node[:], cut.graph.output[:]
        cut.graph.node.extend(reversed(kept))
        cut.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in outputs)
        return session(cut.SerializeToString())

    def teacher_map(self, crops: np.ndarray) -> torch.Tensor:
        """uint8 crops (N,side,side,3) -> the teacher's map of stride 8, float32, channels last."""
        maps = [self.early.run(None, {self.input: _image(crop)})[0] for crop in crops]
        maps = torch.from_numpy(np.concatenate(maps)).to(self.device)
        return maps.contiguous(memory_format=torch.channels_last)

    def standard(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps of stride 8 with each channel's mean and deviation taken out."""
        return (maps.float() - self.mean) / self.deviation

    @torch.no_grad()
    def start(self, backbone: Backbone, targets: Sequence[torch.Tensor]) -> None:
        """Give the blocks of a backbone the teacher's weights, and fit its projection.

        Args:
            targets: standardised features of held-out pairs: of searches, of exemplars.
        """
        maps, weights = self.maps, iter(self.weights)
        targets = [values[: len(part)] for values, part in zip(targets, maps)]
        for block, gate in zip(parts(backbone)[1], self.gates):
            found = maps
            for unit, factor in (
                (block.expand, None),
                (block.depth, gate),
                (block.narrow, None),
            ):
                kernel, bias = next(weights)
                if factor is not None:
                    kernel, bias = kernel * factor[:, None, None, None], bias * factor
                found = _start_unit(unit, found, kernel, bias)
            maps = [x + y for x, y in zip(maps, found)] if block.adds else found
        values = _flat(maps)
        values = torch.cat([values, torch.ones(1, values.shape[1])])
        fitted = torch.linalg.lstsq(values.T, _flat(targets).T).solution
        backbone.project.weight.copy_(fitted[:-1].T[:, :, None, None])
        backbone.project.bias.copy_(fitted[-1])


def parts(backbone: Backbone) -> tuple[Any, Any]:
    """The layers before the first block, and the blocks."""
    first = next(i for i, layer in enumerate(backbone.layers) if isinstance(layer, Bottleneck))
    return backbone.layers[:first], backbone.layers[first:]


def _start_unit(
    unit: Unit, inputs: Sequence[torch.Tensor], kernel: torch.Tensor, bias: torch.Tensor
) -> list[torch.Tensor]:
    """Give a unit a teacher's weights, with a batch norm that changes nothing; returns its maps."""
    unit.weight.copy_(kernel)
    values = _flat([unit.convolved(x) for x in inputs])
    mean, variance = values.mean(1), values.var(1)
    norm = unit.norm
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_(torch.sqrt(variance + norm.eps))
    norm.bias.copy_(mean + bias)
    return [unit.eval()(x) for x in inputs]


def _flat(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Maps (N,C,H,W) -> (C, all their cells)."""
    return torch.cat([values.transpose(0, 1).flatten(1) for values in maps], 1)


def _image(crop: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(crop.transpose(2, 0, 1)[None], dtype=np.float32)
