"""Exports of one-stream trackers: a small network of the authors' names, and the authors' own."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import torch

from hotpath.graphs import assemble
from hotpath.runtime import load_tracker
from hotpath.runtime.networks import load_network
from hotpath_research.export import __main__ as export
from hotpath_research.export import one_stream
from hotpath_research.export.authors import checkout
from research_tests.export.authors_tracker import film
from tests.support import blobs

CONFIG = """
from types import SimpleNamespace as Space

cfg = Space(
    DATA=Space(TEMPLATE=Space(SIZE=128)),
    MODEL=Space(BACKBONE=Space(STRIDE=16, CE_LOC=[3], CE_TEMPLATE_RANGE="CTR_POINT")),
    TEST=Space(TEMPLATE_SIZE=128, SEARCH_SIZE=256, TEMPLATE_FACTOR=2.0, SEARCH_FACTOR=4.0),
)


def update_config_from_file(path):
    cfg.MODEL.BACKBONE.CE_TEMPLATE_RANGE = open(path).read().strip()
"""

MODEL = """
import torch
from torch import nn
from torch.nn import functional as F


class OSTrack(nn.Module):
    \"\"\"Attention of the search region's cells to themselves and to the template's.\"\"\"

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Conv2d(3, 8, 16, 16), nn.Conv2d(8, 5, 1)
        self.places = torch.zeros(1, 8, 1, 1).cuda()

    def forward(self, template, search, ce_template_mask=None):
        z, x = (self.embed(v).flatten(2).transpose(1, 2) for v in (template, search))
        z = z + ce_template_mask.float().unsqueeze(-1)
        both = torch.cat([z, x], 1)
        x = F.scaled_dot_product_attention(x, both, both)
        cells = F.fold(x.transpose(1, 2).repeat(1, 4, 1), (32, 32), (2, 2), stride=(2, 2))
        maps = torch.sigmoid(self.head(F.avg_pool2d(cells, 2)))
        return {"score_map": maps[:, :1], "size_map": maps[:, 1:3], "offset_map": maps[:, 3:]}


def build_ostrack(cfg, training):
    return OSTrack()
"""


def write_checkout(folder):
    """A checkout with the names of OSTrack, a configuration and a checkpoint."""
    for name, text in (("config/ostrack/config.py", CONFIG), ("models/ostrack.py", MODEL)):
        path = folder / "code" / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(".cuda()", ""))
    config, checkpoint = folder / "config.yaml", folder / "model.pth"
    config.write_text("CTR_POINT")
    torch.manual_seed(3)
    with checkout(folder / "code", "lib") as load:
        torch.save({"net": load("lib.models.ostrack").OSTrack().state_dict()}, str(checkpoint))
    (folder / "code/lib/models/ostrack.py").write_text(MODEL)
    return folder / "code", config, checkpoint


def run(folder, kind, code, config, checkpoint):
    """Export; returns the exit code and the TOML's path."""
    given = ["--checkout", code, "--config", config, "--checkpoint", checkpoint]
    given += ["--name", "mine", "--out", folder]
    return export.main([kind] + [str(value) for value in given]), folder / "mine.toml"


def test_a_network_of_both_pictures_becomes_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(one_stream, "timm_library", lambda: None)  # the small network needs none
    code, path = run(tmp_path / "out", "ostrack", *write_checkout(tmp_path))
    assert code == 0
    network = load_network(path)
    graphs = assemble.build(network, network.locate())
    operators = {node.op_type for node in graphs.search.graph.node}
    assert "Softmax" in operators and not operators & {"Col2Im", "Attention"}
    assert any(node.op_type == "Conv" for node in graphs.exemplar.graph.node)  # done once
    tracker = load_tracker(path)
    frames, boxes = blobs.film(3)
    tracker.init(frames[0], boxes[0])
    assert np.isfinite(tracker.update(frames[1]).box).all()


def test_elimination_by_the_box_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(one_stream, "timm_library", lambda: None)
    code, config, checkpoint = write_checkout(tmp_path)
    config.write_text("GT_BOX")
    assert run(tmp_path / "out", "ostrack", code, config, checkpoint)[0] == 2
    messages = capsys.readouterr().err
    assert "set it to CTR_POINT" in messages and len(messages.strip().splitlines()) == 1


AUTHORS = os.environ.get("HOTPATH_AUTHORS", "")  # a folder with checkouts
NETWORKS = (
    "OSTrack/experiments/ostrack/vitb_256_mae_32x4_ep300.yaml",
    "OSTrack/experiments/ostrack/vitb_256_mae_ce_32x4_ep300.yaml",
    "OSTrack/experiments/ostrack/vitb_384_mae_32x4_ep300.yaml",
    "OSTrack/experiments/ostrack/vitb_384_mae_ce_32x4_ep300.yaml",
    "SMAT/experiments/mobilevitv2_track/mobilevitv2_256_128x1_ep300.yaml",
    "MVT/experiments/mobilevit_track/mobilevit_256_128x1_got10k_ep100_cosine_annealing.yaml",
    "HiT/experiments/HiT/HiT_Base.yaml",
    "AsymTrack/experiments/AsymTrack/base.yaml",
    "LiteTrack/experiments/litetrack/B4_cae_center_all_ep300.yaml",
    "LiteTrack/experiments/litetrack/B9_cae_center_all_ep300.yaml",
    "MixFormerV2/experiments/mixformer2_vit_online/224_depth4_mlp1_score.yaml",
    "MixFormerV2/experiments/mixformer2_vit_online/288_depth8_score.yaml",
    "Stark/experiments/stark_st2/baseline.yaml",
    "Stark/experiments/stark_s/baseline.yaml",
    "Stark/experiments/stark_lightning_X_trt/baseline_rephead_4_lite_search5.yaml",
)
STARKS = {"stark_s": "stark-s", "stark_lightning_X_trt": "stark-lightning"}


def recorded(engine, expected, eliminates):
    """The maps of every search of an engine from now on, a row each."""
    rows = []
    random = np.random.RandomState(0)
    search = engine.search

    def row(maps):
        return np.concatenate([values.ravel() for values in maps])

    def searched(features):
        maps = [values.copy() for values in search(features)]
        rows.append(row(maps))
        if eliminates and abs(rows[-1] - expected[len(rows) - 1]).max() > 1e-4:
            crop = engine.search_crop.copy()
            engine.search_crop[...] += random.normal(0, 3e-6, crop.shape)
            rows[-1] = row(search(features))
            engine.search_crop[...] = crop
            searched.ties += 1
        return maps

    searched.ties = 0
    engine.search = searched
    return rows


@pytest.mark.timeout(1800)
@pytest.mark.slow("large networks of the authors' code")
@pytest.mark.parametrize("name", NETWORKS)
def test_maps_and_boxes_are_those_of_the_authors_tracker(tmp_path, name):
    config = pathlib.Path(AUTHORS or "no checkouts") / name
    if not config.is_file():
        pytest.skip(f"{config} is not there; set HOTPATH_AUTHORS to a folder with checkouts")
    kind = STARKS.get(name.split("/")[2], name.split("/")[0].lower())
    checkpoint = tmp_path / "model.pth"
    code = pathlib.Path(AUTHORS) / name.split("/")[0]
    module = "research_tests.export.authors_tracker"
    given = [kind, code, config, checkpoint, tmp_path / "expected.npz"]
    subprocess.run([sys.executable, "-m", module] + [str(v) for v in given], check=True)
    result, path = run(tmp_path, kind, code, config, checkpoint)
    assert result == 0
    expected = np.load(str(tmp_path / "expected.npz"))
    frames, boxes = film()
    for library in ("openvino", "onnxruntime"):
        tracker = load_tracker(path, engine=library)
        tracker.init(frames[0], boxes[0])
        engine = tracker.device.engine
        maps = recorded(engine, expected["maps"], "_ce_" in name)
        found = [tracker.update(frame) for frame in frames[1:]]
        if expected["maps"].size:  # the authors' results have no score maps of STARK-S
            np.testing.assert_allclose(maps, expected["maps"], rtol=0, atol=1e-4)
        assert engine.search.ties <= 1
        np.testing.assert_allclose([r.box for r in found], expected["boxes"], rtol=0, atol=0.01)
        if expected["scores"].size:
            scores = [result.score for result in found]
            np.testing.assert_allclose(scores, expected["scores"], rtol=0, atol=1e-4)
