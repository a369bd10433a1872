"""Exports of checkpoints, with modules of the authors' names, compute what the modules do."""

import fractions
import os
import re
import shutil
from unittest import mock

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import onnxruntime
import torch

from hotpath.calib.errors import BadRun
from hotpath.runtime import load_tracker
from hotpath_research.export import __main__ as export
from hotpath_research.export.authors import AUTHORS, checkout, load_weights
from tests.support import ROOT, blobs
from tests.support.described import networks, toml_of
from tests.support.malformed import Planted

SIAMESE = """
import torch
from torch import nn
import torch.nn.functional as F


class Backbone(nn.Module):
    def __init__(self, stride=8, padding=0):
        super().__init__()
        self.layer = nn.Conv2d(3, 6, 15, stride, padding)

    def forward(self, x):
        return torch.relu(self.layer(x) / 255)
"""

PYSOT_CONFIG = """
from types import SimpleNamespace as Space

cfg = Space(
    TRACK=Space(EXEMPLAR_SIZE=127, INSTANCE_SIZE=287, CONTEXT_AMOUNT=0.5, BASE_SIZE=0,
                PENALTY_K=0.16, WINDOW_INFLUENCE=0.40, LR=0.30),
    ANCHOR=Space(STRIDE=8, RATIOS=[0.33, 0.5, 1, 2, 3], SCALES=[8]),
    merge_from_file=lambda path: open(path).read(),
)
"""

PYSOT = """

class ModelBuilder(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.cls, self.loc = nn.Conv2d(6, 10, 1), nn.Conv2d(6, 20, 1)

    def template(self, z):
        self.zf = self.backbone(z)

    def track(self, x):
        seen = F.conv2d(self.backbone(x), self.zf.transpose(0, 1), groups=6)
        return {"cls": self.cls(seen), "loc": self.loc(seen), "mask": None}
"""

SIAMDW = """

class SiamDW(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = Backbone()

    def template(self, z):
        self.zf = self.features(z)

    def track(self, x):
        return 0.001 * F.conv2d(self.features(x), self.zf)
"""

LIGHTTRACK = """

class LightTrackM_Subnet(nn.Module):
    def __init__(self, path_name, search_size=256, template_size=128, stride=16):
        super().__init__()
        self.name = path_name
        self.features = Backbone(stride, 7)
        self.cls, self.reg = nn.Conv2d(6, 1, 1), nn.Conv2d(6, 4, 1)

    def template(self, z):
        self.zf = self.features(z)

    def track(self, x):
        seen = self.features(x) * self.zf.mean((2, 3), keepdim=True)
        return self.cls(seen), torch.exp(self.reg(seen))
"""

OCEAN = """

class Ocean(nn.Module):
    def __init__(self, align):
        super().__init__()
        self.features, self.cls = Backbone(), nn.Conv2d(6, 1, 1)
        self.reg, self.bias = nn.Conv2d(6, 4, 1), nn.Parameter(torch.ones(1, 4, 1, 1).cuda())

    def template(self, z):
        self.zf = self.features(z)

    def track(self, x):
        seen = self.features(x)[:, :, 3:-3, 3:-3] * self.zf.mean((2, 3), keepdim=True)
        return self.cls(seen), torch.exp(self.reg(seen) + self.bias)
"""

BUILDER = """

class Config(dict):
    __getattr__ = dict.get

    def merge_from_other_cfg(self, other):
        self["task_head"] = Config({"DenseboxHead": Config(other["task_head"]["DenseboxHead"])})


def get_config(tasks):
    return {"track": Config(task_model=Config(SiamTrack=Space(pretrain_model_path="a file")))}


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.cls, self.ctr, self.reg = (nn.Conv2d(6, count, 1) for count in (1, 1, 4))

    def forward(self, cls, reg, x_size, raw_output):
        flat = [f(cls).permute(0, 2, 3, 1).reshape(1, -1, 1) for f in (self.cls, self.ctr)]
        return [*flat, torch.exp(self.reg(reg)) * 8]


class SiamTrack(nn.Module):
    def __init__(self):
        super().__init__()
        self.basemodel, self.head = Backbone(), Head()
        self.c_x, self.r_x, self.c_z_k, self.r_z_k = (nn.Conv2d(6, 6, 1) for _ in range(4))

    def forward(self, z, phase):
        return [self.c_z_k(self.basemodel(z)), self.r_z_k(self.basemodel(z))]


def build(task, settings):
    assert not settings.task_model.SiamTrack.pretrain_model_path
    return SiamTrack()
"""
CORRELATE = """

def xcorr_depthwise(x, z):
    return F.conv2d(x, z.transpose(0, 1), groups=6)[:, :, 3:-3, 3:-3]
"""
SPACE = "\nfrom types import SimpleNamespace as Space\n"

FEAR = """

class FEARNet(nn.Module):
    def __init__(self, img_size, pretrained):
        super().__init__()
        self.features, self.cls, self.reg = Backbone(16, 7), nn.Conv2d(6, 1, 1), nn.Conv2d(6, 4, 1)

    def get_features(self, z):
        return self.features(z)

    def track(self, x, zf):
        seen = self.features(x) * zf.mean((2, 3), keepdim=True)
        maps = torch.exp(self.reg(seen)), self.cls(seen)
        return dict(zip(("TARGET_REGRESSION_LABEL_KEY", "TARGET_CLASSIFICATION_KEY"), maps))
"""
SIAMDW_YAML = """
TEST:
  VOT2017: {scale_step: 1.1466, scale_lr: 0.2061, scale_penalty: 0.9994, w_influence: 0.3242}
"""
OCEAN_YAML = "TEST: {OTB2015: {penalty_k: 0.087, lr: 0.408, window_influence: 0.366}}\n"
NAMED = {"trackit-siamdw": "VOT2017", "lighttrack": "back_04502514044521042540"}  # no files
CONFIGS = {
    "fear": "_target_: model_training.model.fear_net.FEARNet\nimg_size: 256\npretrained: true\n",
    "video-analyst": """
test:
  track:
    model: {task_head: {DenseboxHead: {total_stride: 8, score_size: 17, x_size: 303}}}
    pipeline: {SiamFCppTracker: {test_lr: 0.58, window_influence: 0.21, penalty_k: 0.08}}
""",
}

# authors: files of the checkout; folder, module, class and arguments of the model
CHECKOUTS = {
    "pysot": (
        {"pysot/core/config.py": PYSOT_CONFIG, "pysot/models/model_builder.py": SIAMESE + PYSOT},
        ("", "pysot.models.model_builder", "ModelBuilder"),
    ),
    "trackit-siamdw": (
        {"lib/models/models.py": SIAMESE + SIAMDW, "experiments/test/VOT/SiamDW.yaml": SIAMDW_YAML},
        ("lib", "models.models", "SiamDW"),
    ),
    "trackit-ocean": (
        {"lib/models/models.py": SIAMESE + OCEAN, "experiments/test/OTB/Ocean.yaml": OCEAN_YAML},
        ("lib", "models.models", "Ocean", False),
    ),
    "video-analyst": (
        {
            "videoanalyst/model/builder.py": SIAMESE + SPACE + BUILDER,
            "videoanalyst/model/common_opr/common_block.py": SIAMESE + CORRELATE,
        },
        ("", "videoanalyst.model.builder", "SiamTrack"),
    ),
    "fear": (
        {"model_training/model/fear_net.py": SIAMESE + FEAR},
        ("", "model_training.model.fear_net", "FEARNet", 256, False),
    ),
    "lighttrack": (
        {"lib/models/models.py": SIAMESE + LIGHTTRACK},
        ("", "lib.models.models", "LightTrackM_Subnet", "back_04502514044521042540"),
    ),
}


def write_checkout(folder, authors):
    """A checkout with the authors' names, a configuration and a checkpoint; returns their paths."""
    files, (place, module, name, *arguments) = CHECKOUTS[authors]
    for file, text in files.items():
        path = folder / "code" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    config, checkpoint = folder / "config.yaml", folder / "model.pth"
    config.write_text(CONFIGS.get(authors, "{}\n"))
    config = NAMED.get(authors, config)
    torch.manual_seed(3)
    on_cpu = mock.patch.object(torch.Tensor, "cuda", lambda tensor: tensor)
    with on_cpu, checkout(folder / "code" / place, module.split(".")[0]) as load:
        model = getattr(load(module), name)(*arguments)
    state = {"module." + key: value for key, value in model.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 1}, str(checkpoint))
    return folder / "code", config, checkpoint


def run(path, values):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, {name: v.numpy() for name, v in zip(names, values) if name in names})


@pytest.mark.parametrize("authors", sorted(AUTHORS))
def test_an_export_computes_what_the_authors_module_does(tmp_path, authors):
    code, config, checkpoint = write_checkout(tmp_path, authors)
    given = ["--checkout", code, "--config", config, "--checkpoint", checkpoint, "--name", "mine"]
    assert export.main([authors, *map(str, given), "--out", str(tmp_path / "out")]) == 0
    parts = AUTHORS[authors](code, config, checkpoint)
    sides = parts.table["input"]
    noise = torch.Generator().manual_seed(1)
    z, x = (
        torch.rand(1, 3, sides[key], sides[key], generator=noise) * 255
        for key in ("exemplar", "search")
    )
    with torch.no_grad():
        features = parts.exemplar(z)
        features = features if isinstance(features, tuple) else (features,)
        expected = parts.search(x, *features)
    found = run(tmp_path / "out" / "mine_exemplar.onnx", [z])
    for got, wanted in zip(found, features):
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-4, atol=1e-5)
    found = run(tmp_path / "out" / "mine_search.onnx", (x,) + features)
    for got, wanted in zip(found, expected):
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-4, atol=1e-4)
    tracker = load_tracker(tmp_path / "out" / "mine.toml")  # the TOML describes the files
    frames, boxes = blobs.film(3)
    tracker.init(frames[0], boxes[0])
    assert np.isfinite(tracker.update(frames[1]).box).all()


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(1, 1)}, str(tmp_path / "model.pth"))
    with pytest.raises(BadRun, match="lacks 1 of"):
        load_weights(torch.nn.Linear(1, 1), tmp_path / "model.pth")


def test_objects_beside_the_weights_are_left_out(tmp_path):
    model, kept = torch.nn.Linear(1, 1), tmp_path / "kept"
    kept.mkdir()
    beside = {"stats": Planted(fractions.Fraction, 1, 2), "settings": Planted(shutil.rmtree, kept)}
    torch.save(dict(beside, net=model.state_dict()), str(tmp_path / "trained.pth"))
    other = load_weights(torch.nn.Linear(1, 1), tmp_path / "trained.pth")
    assert torch.equal(other.weight, model.weight) and kept.is_dir()


def test_a_checkpoint_that_would_run_code_is_refused_plainly(tmp_path):
    path = tmp_path / "planted.pth"
    torch.save({"model": Planted(os.system, "true")}, str(path))
    with pytest.raises(BadRun, match="holds more than weights") as refusal:
        load_weights(torch.nn.Linear(1, 1), path)
    assert "weights_only" not in str(refusal.value)


def test_a_wrong_checkout_is_one_sentence(tmp_path, capsys):
    _, config, checkpoint = write_checkout(tmp_path, "pysot")
    (tmp_path / "empty").mkdir()
    arguments = ["pysot", "--checkout", str(tmp_path / "empty"), "--config", str(config)]
    assert export.main(arguments + ["--checkpoint", str(checkpoint), "--name", "mine"]) == 2
    messages = capsys.readouterr().err
    assert "can't be imported" in messages and len(messages.strip().splitlines()) == 1


TRACKERS = {  # that everybody should find: FEAR, Ocean, STARK, SiamFC++, SiamRPN++, LightTrack
    *("FEAR-XS", "FEAR-M, FEAR-L", "Ocean (Offline)", "STARK-S50", "STARK-Lightning"),
    *("SiamFC++ (AlexNet)", "SiamFC++ (GoogLeNet)", "LightTrack"),
    *("SiamRPN++ (ResNet-50)", "SiamRPN++ (MobileNetV2)"),
}


def test_published_trackers_of_the_page_have_a_toml_and_an_exporter():
    page = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    table = page.split("## Published trackers")[1].split("## Precision")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line[:2] == "| "][1:]
    assert TRACKERS <= {row[0] for row in rows}
    for _, toml, files, *_ in rows:
        for name in re.findall(r"`([a-z][\w.]+)`", toml):
            assert toml_of(name.removesuffix(".toml")).is_file()
            assert ("ship" in toml or toml.startswith("as ")) == (name in networks.names())
        for exporter in re.findall("exporter `(.+?)`", files):
            assert exporter in export.EXPORTERS
    reference = (ROOT / "docs" / "reference" / "networks.md").read_text(encoding="utf-8")
    assert [name for name in export.EXPORTERS if f"`{name}`" not in reference] == []


def test_numbers_of_an_unknown_data_set_are_refused_with_those_that_exist(tmp_path):
    code, _, checkpoint = write_checkout(tmp_path, "trackit-siamdw")
    assert (
        AUTHORS["trackit-siamdw"](code, "VOT2017", checkpoint).table["tracking"]["scale_lr"]
        == 0.2061
    )
    with pytest.raises(BadRun, match="SiamDW for --config OTB2015; there are VOT2017"):
        AUTHORS["trackit-siamdw"](code, None, checkpoint)
