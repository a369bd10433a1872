"""Backbones of timm, and that a folded form computes what the training form does."""

import os
import sys

import numpy as np
import pytest

from tests.support import needs, run

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
if needs.why_no_module("timm"):
    pytest.skip(needs.why_no_module("timm"), allow_module_level=True)

from hotpath.calib.errors import TrainingStopped  # noqa: E402
from hotpath.runtime import load_tracker  # noqa: E402
from hotpath.runtime.networks import FOLDER  # noqa: E402
from hotpath_research.train import backbones, export, start, unfold  # noqa: E402
from hotpath_research.train.bank import build_bank  # noqa: E402
from hotpath_research.train.losses import explained  # noqa: E402
from hotpath_research.train.network import Kestrel  # noqa: E402
from hotpath_research.train.pairs import Drawer  # noqa: E402
from hotpath_research.train.ring import held_layout, learnt_pair  # noqa: E402
from hotpath_research.train.stages import StageInputs  # noqa: E402
from hotpath_research.train.teacher import Teacher  # noqa: E402
from research_tests.training import TEACHER, write_training  # noqa: E402
from tests.support import tiny  # noqa: E402

timm = backbones.timm_library()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Pictures and videos."""
    folder = tmp_path_factory.mktemp("world")
    write_training(folder)
    return folder


def world_of(world, folder, count=16):
    """Held-out pairs of these pictures, with the network that ships as the teacher."""
    teacher, bank = Teacher(TEACHER), build_bank(folder / "bank", [world / "images"], [])
    pairs = [learnt_pair(Drawer(bank), teacher, 0, -1 - k) for k in range(count)]
    held = {
        name: np.stack([pair[name] for pair in pairs]) for name in held_layout(teacher.channels)
    }
    return StageInputs(None, held, {}, teacher, "cpu", 1)


SLOW = pytest.mark.slow("a large network, beside smaller ones")
REPARAMETERISED = [pytest.param("mobileone_s0", marks=SLOW), "repghostnet_050"]


@pytest.mark.parametrize("name", REPARAMETERISED)
def test_branches_become_one_convolution_that_computes_the_same(name):
    network = export.untrained("timm:" + name, (16, 16, 1))
    layers, crop = network.backbone.layers, torch.randn(1, 3, 128, 128)
    folded = backbones.folded(layers, crop)
    count = [len(list(form.parameters())) for form in (layers, folded)]
    assert count[1] < count[0]
    with torch.no_grad():
        torch.testing.assert_close(folded(crop), layers(crop), atol=1e-3, rtol=1e-3)


class Wrong(torch.nn.Module):
    """A layer whose own way to fold it forgets its second branch."""

    def __init__(self):
        super().__init__()
        self.one, self.two = torch.nn.Conv2d(3, 4, 1), torch.nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return self.one(x) + self.two(x)

    def fuse(self):
        return self.one


def test_a_layer_that_folds_wrongly_stops_the_export(tmp_path, monkeypatch):
    with pytest.raises(TrainingStopped, match="differs by"):
        backbones.folded(torch.nn.Sequential(Wrong()), torch.randn(1, 3, 8, 8))
    network = export.untrained("tiny", (16, 16, 1))
    monkeypatch.setattr(
        export.SearchGraph, "_reduce", staticmethod(lambda head: head.reduce.folded())
    )
    with pytest.raises(TrainingStopped, match="differs by"):
        export.write(network, tmp_path, "wrong", "")
    assert not list(tmp_path.iterdir())


def test_a_model_of_timm_becomes_a_tracker_without_batch_norms(tmp_path):
    assert (
        export.main([str(tmp_path), "--shape", "timm:test_byobnet", "--head", "16", "8", "1"]) == 0
    )
    model = onnx.load(str(tmp_path / "timm_test_byobnet_search.onnx"))
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    frames, boxes = tiny.film(2)
    tracker = load_tracker(str(tmp_path / "timm_test_byobnet.toml"), engine="onnxruntime")
    tracker.init(frames[0], boxes[0])
    assert np.isfinite(tracker.update(frames[1]).box).all()


def test_relu6_takes_the_place_of_each_relu(tmp_path):
    network = export.untrained("timm:test_byobnet:relu6", (16, 8, 1))
    kinds = {type(layer) for layer in network.backbone.layers.modules()}
    assert torch.nn.ReLU6 in kinds and torch.nn.ReLU not in kinds
    with torch.no_grad():
        assert network.backbone.layers(torch.randn(1, 3, 128, 128) * 1e3).max() == 6
    with pytest.raises(TrainingStopped, match="test_efficientnet has no ReLU"):
        backbones.Level("timm:test_efficientnet:relu6")


def test_a_fold_may_differ_as_much_as_the_last_bits_of_the_inputs_make():
    def amplified(x):
        return (x - x.mean()) * 1e6 + x

    crop = torch.randn(1, 3, 8, 8) * 1e-3 + 1
    assert backbones.checked(amplified, lambda x: amplified(x * (1 + 1e-7)), crop) > 0
    with pytest.raises(TrainingStopped, match="differs by"):
        backbones.checked(amplified, lambda x: amplified(x * 1.01 + 0.01 * crop.sign()) * 1.1, crop)


@pytest.mark.parametrize(
    "name, what",
    [
        ("mobileone_s", "mobileone_s0"),  # it names what is near
        ("vit_tiny_patch16_224", "128"),  # only pictures of 224 pixels
        pytest.param("inception_v3", "maps", marks=SLOW),  # maps of other sides
        ("vit_base_patch32_224", "stride 16"),
    ],
)
def test_a_model_that_can_not_serve_is_named_with_the_reason(name, what):
    with pytest.raises(TrainingStopped, match=what):
        backbones.Level("timm:" + name)


def test_a_torchvision_of_another_torch_is_one_sentence(tmp_path):
    words = "raise RuntimeError('operator torchvision::nms does not exist')"
    (tmp_path / "timm.py").write_text(words)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run(
        [sys.executable, "-m", "hotpath_research.train.export", tmp_path / "out"]
        + ["--shape", "timm:mobileone_s0"],
        env=dict(os.environ, PYTHONPATH=path),
    )
    assert done.returncode == 2 and "of one index" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_checkpoint_in_timms_form_fills_the_backbone(tmp_path):
    torch.manual_seed(1)
    whole = timm.create_model("test_byobnet")
    torch.save(whole.state_dict(), tmp_path / "own.pth")
    weights = start.timm_weights("timm:test_byobnet", str(tmp_path / "own.pth"), True)
    found = backbones.Level("timm:test_byobnet", weights)
    assert torch.equal(found.model.model.stem.conv.weight, whole.stem.conv.weight)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "other.pth")
    with pytest.raises(TrainingStopped, match="other.pth"):
        backbones.Level("timm:test_byobnet", str(tmp_path / "other.pth"))


def test_a_checkpoint_of_ours_is_not_taken_for_one_of_timm(tmp_path):
    network = Kestrel("timm:test_byobnet", 96, 16, 16, 1)
    torch.save({"config": network.config, "average": network.state_dict()}, tmp_path / "run.pt")
    assert start.timm_weights("timm:test_byobnet", str(tmp_path / "run.pt"), True) == ""


@SLOW
def test_mobileones_gradient_has_a_layout_that_does_not_crash():
    level = backbones.Level("timm:mobileone_s0")
    assert backbones.layout_of(level) is torch.contiguous_format
    assert backbones.layout_of(backbones.Level("timm:test_byobnet")) is torch.channels_last


def test_shipped_files_train_and_fold_into_the_same_files(world, tmp_path):
    work = world_of(world, tmp_path)
    network = unfold.unfolded("kestrel", work._replace(device="cuda"))  # is done without a GPU
    batch = work.tensors({name: work.held[name] for name in ("clear_search", "search_features")})
    with torch.no_grad():
        found = network.backbone(batch["clear_search"])
        wanted = network.backbone.standardised(batch["search_features"])
        assert explained(found, wanted) > 0.99  # the teacher is kestrel itself
    torch.save({"config": network.config, "average": network.state_dict()}, tmp_path / "k.pt")
    export.export(tmp_path / "k.pt", tmp_path, "kestrel")
    for part in ("exemplar", "search"):
        shipped, ours = (
            {v.name: onnx.numpy_helper.to_array(v) for v in onnx.load(str(path)).graph.initializer}
            for path in (FOLDER / f"kestrel_{part}.onnx", tmp_path / f"kestrel_{part}.onnx")
        )
        for name, value in shipped.items():
            scale = max(abs(value).max(), 1e-6)
            np.testing.assert_allclose(ours[name] / scale, value / scale, atol=2e-3)


def test_a_network_of_another_kind_can_not_be_unfolded(world, tmp_path):
    with pytest.raises(TrainingStopped, match="kestrel_fast"):
        unfold.unfolded("kestrel_fast", world_of(world, tmp_path))
