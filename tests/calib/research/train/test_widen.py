"""A wider backbone that starts from a trained one, and a run that begins with it."""

import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")
pytest.importorskip("onnxruntime")

from calib.research.train import record  # noqa: E402  (after the check for torch)
from calib.research.train.__main__ import parser, run  # noqa: E402
from calib.research.train.layers import BACKBONES, Block, Narrow  # noqa: E402
from calib.research.train.network import Backbone  # noqa: E402
from calib.research.train.record import read_log  # noqa: E402
from calib.research.train.widen import can_widen, widen  # noqa: E402
from tests.support.training import write_training  # noqa: E402

WIDER = {
    "wide": ((8, 2), (8, 2), (12, 2), (16, 2)),  # tiny, of which one layer gets no identity
    "square": ((4, 2), (8, 2), (16, 2), (16, 2)),
    "wideb": (
        *((4, 2), (12, 2), (12, 2), Narrow(32)),
        Block(120, 2, 48),
        *2 * (Block(240, 1, 48),),
        *(Block(120, 1, 56), Block(168, 1, 56)),
    ),
}


@pytest.fixture
def wider(monkeypatch):
    """More shapes for a test; ``same`` and ``equal`` have layers with an identity branch."""
    shapes = dict(
        WIDER, same=((8, 2), (8, 1), (8, 2), (8, 2)), equal=((8, 2), (12, 1), (12, 2), (16, 2))
    )
    for name, layers in shapes.items():
        monkeypatch.setitem(BACKBONES, name, layers)


def trained(shape):
    """A backbone with random weights and statistics, as a training leaves them."""
    torch.manual_seed(1)
    backbone = Backbone(shape, 6)
    for layer in backbone.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for values in (layer.running_var, layer.weight.data):
                values.uniform_(0.5, 1.5)
            for values in (layer.running_mean, layer.bias.data):
                values.normal_()
    return backbone.eval()


@pytest.mark.parametrize(
    "narrow,wide",
    [
        ("tiny", "wide"),
        ("tiny", "square"),
        ("same", "equal"),
        ("tinyb", "wideb"),
        ("k32b5", "k48b5"),
    ],
)
def test_a_widened_backbone_gives_the_features_of_the_narrow_one(wider, narrow, wide):
    torch.manual_seed(0)
    images = torch.randn(4, 3, 63, 63)
    first = trained(narrow)
    second = Backbone(wide, 6)
    assert can_widen(narrow, wide)
    widen(first, second, images[:2])
    with torch.no_grad():
        wanted, found = first(images), second.eval()(images)
    assert (wanted - found).abs().max() < 1e-4 * wanted.abs().max()


def test_new_channels_carry_pictures_and_learn(wider):
    torch.manual_seed(0)
    images = torch.randn(8, 3, 95, 95)
    wide = Backbone("wide", 6)
    widen(trained("tiny"), wide, images)
    with torch.no_grad():
        maps = wide.layers[0](images)
    mean, deviation = maps[:, 4:].mean((0, 2, 3)), maps[:, 4:].std((0, 2, 3))
    assert (deviation > 0.3).all() and (deviation < 1.0).all()  # of unit variance, before ReLU
    assert (mean > 0.2).all()
    wide.train()(images).square().mean().backward()
    reading = wide.layers[1].weight.grad[:, 4:]  # what begins at zero
    assert (wide.layers[1].weight[:8, 4:] == 0).all() and (reading.abs().amax((0, 2, 3)) > 0).all()


def test_only_more_channels_of_the_same_layers_can_be_widened(wider):
    assert not can_widen("k48b5", "k32b5")
    assert not can_widen("tiny", "tiny")
    assert not can_widen("tiny", "k80")
    BACKBONES["sum"] = (*BACKBONES["wideb"][:-1], Block(168, 1, 64))
    assert not can_widen("tinyb", "sum")  # the last block no longer adds its input
    del BACKBONES["sum"]


@pytest.fixture
def world(wider, tmp_path):
    write_training(tmp_path)
    return tmp_path


def train(world, out, shape, *more):
    arguments = [
        "--images",
        world / "images",
        "--teacher",
        world / "tiny.toml",
        "--out",
        world / out,
    ]
    arguments += ["--cache", world / "cache", "--shape", shape, "--batch", 8, "--ring", 64]
    arguments += ["--held", 16, *more]
    run(record.arguments(parser(), [str(each) for each in arguments]))


def weights(path):
    return torch.load(path, weights_only=False)["average"]


def test_a_narrow_network_trained_alone_becomes_a_wide_one_with_a_larger_head(world):
    """The way of the default network: backbone, wider backbone, head apart, joint."""
    train(world, "narrow", "tiny", "--stages", "backbone", "--pairs", "backbone=64")
    start = ["--start", world / "narrow" / "backbone.pt", "--head", 24, 8, 1]
    stages = ["--stages", "backbone", "head", "joint", "--lr", "backbone=1e-9", "joint=1e-9"]
    pairs = ["--pairs", "backbone=8", "head=16", "joint=8"]
    train(world, "wide", "wide", *start, *stages, *pairs)
    lines = read_log(world / "wide" / "log.jsonl")
    (told,) = [line["what"] for line in lines if line.get("event") == "started from"]
    assert told.startswith("tiny of ") and told.endswith("new channels begin without effect")
    joint, head, backbone, narrow = (
        weights(world / path)
        for path in ("wide/joint.pt", "wide/head.pt", "wide/backbone.pt", "narrow/backbone.pt")
    )
    for name in ("backbone.layers.1.weight", "backbone.project.weight"):
        old = narrow[name]
        assert torch.allclose(backbone[name][: old.shape[0], : old.shape[1]], old, atol=1e-5)
    for name, value in joint.items():
        if name.endswith(("weight", "bias")):
            of = head if name.startswith("head.") else backbone
            assert torch.allclose(value, of[name], atol=1e-5), name
    assert (world / "wide" / "export" / "kestrel.toml").is_file()
