"""Blocks that begin as a teacher's, and the stage that trains what lies before them."""

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")
pytest.importorskip("onnxruntime")

from calib.errors import NoTeacher  # noqa: E402
from calib.research.train import record  # noqa: E402  (after the check for torch)
from calib.research.train.__main__ import parser, run  # noqa: E402
from calib.research.train.inherit import Inheritance, parts  # noqa: E402
from calib.research.train.layers import LATER  # noqa: E402
from calib.research.train.network import Backbone  # noqa: E402
from calib.research.train.record import read_log  # noqa: E402
from tests.support import tiny  # noqa: E402
from tests.support.training import write_training  # noqa: E402


class Gate(torch.nn.Module):
    """Squeeze and excitation; ``spread`` is how much it depends on the picture."""

    def __init__(self, channels, spread):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(channels, 4), torch.nn.ReLU(), torch.nn.Linear(4, channels)
        )
        self.layers[2].weight.data.mul_(spread)

    def forward(self, x):
        found = torch.nn.functional.hardsigmoid(self.layers(x.mean((2, 3))))
        return x * found[:, :, None, None]


class GatedBlock(torch.nn.Module):
    def __init__(self, inputs, expanded, stride, outputs, spread):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(inputs, expanded, 1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(expanded, expanded, 5, stride, 2, groups=expanded),
            Gate(expanded, spread),
            torch.nn.ReLU(),
            torch.nn.Conv2d(expanded, outputs, 1),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        found = self.layers(x)
        return x + found if self.adds else found


def write_teacher(folder, spread=0.0):
    """A teacher with 24 channels at stride 8, then blocks of NanoTrack v2's shapes."""
    torch.manual_seed(5)
    layers, width = [torch.nn.Conv2d(3, 24, 9, 8, 4)], 24
    layers[0].weight.data.div_(64)
    for block in LATER:
        layers.append(GatedBlock(width, *block, spread))
        width = block.channels
    made = torch.nn.Sequential(*layers).eval()
    toml = tiny.write_network(folder)
    shape = torch.zeros(1, 3, 255, 255)
    torch.onnx.export(made, (shape,), str(folder / "tiny_backbone.onnx"), dynamo=False)
    onnx.save(tiny.head(width), str(folder / "tiny_head.onnx"))
    return toml, made


@pytest.fixture(scope="module")
def held():
    rng = np.random.default_rng(2)
    sides = {"search": 255, "exemplar": 127}
    return {n: rng.integers(0, 255, (4, side, side, 3), np.uint8) for n, side in sides.items()}


@pytest.mark.parametrize("spread, error", [(0.0, 1e-3), (1.0, 0.2)])
def test_the_blocks_give_the_teachers_features_before_any_training(held, tmp_path, spread, error):
    toml, teacher = write_teacher(tmp_path, spread)
    inheritance = Inheritance(toml.parent / "tiny_backbone.onnx", len(LATER), held)
    backbone = Backbone("tinyb", 48).eval()
    with torch.no_grad():
        pictures = (torch.from_numpy(held[n]).permute(0, 3, 1, 2).float() for n in held)
        wanted = [teacher(each) for each in pictures]
        scale = wanted[0].std()
        inheritance.start(backbone, [each / scale for each in wanted])
        maps = inheritance.teacher_map(held["search"])
        found = backbone.project(parts(backbone)[1](maps))
    assert (found - wanted[0] / scale).abs().max() < error


def test_the_stage_trains_what_lies_before_the_blocks(tmp_path):
    write_training(tmp_path)
    toml, _ = write_teacher(tmp_path)
    arguments = ["--images", tmp_path / "images", "--teacher", toml, "--out", tmp_path / "run"]
    arguments += ["--shape", "tinyb", "--batch", 4, "--ring", 8, "--held", 4, "--judgements", 2]
    arguments += ["--stages", "blocks", "backbone", "--pairs", "blocks=64", "backbone=8"]
    run(record.arguments(parser(), [str(each) for each in arguments]))
    lines = read_log(tmp_path / "run" / "log.jsonl")
    told = [line for line in lines if line.get("event") == "judged" and line["stage"] == "blocks"]
    assert told[-1]["r2_stride_8"] > told[0]["r2_stride_8"]
    assert (tmp_path / "run" / "backbone.pt").is_file()


def test_a_teacher_without_such_blocks_is_refused(held, tmp_path):
    tiny.write_network(tmp_path)
    with pytest.raises(NoTeacher, match="does not end in 5 gated blocks"):
        Inheritance(tmp_path / "tiny_backbone.onnx", 5, held)
