# ruff: noqa: E402 -- the libraries of the imports below may be missing, which is a skip
"""From a user's own clips to an INT8 folder for a Jetson: `hotpath int8`, then `hotpath engine`."""

import json
import sys

import cv2
import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 10), reason="calib/ is for Python 3.10 and newer"),
    pytest.mark.slow("it calibrates a network on ten clips"),
]

from hotpath.deploy.bundles import engine_command as engine
from hotpath.deploy.bundles import prepared
from tests.support.clips import write_clip

NETWORK = "kestrel_small"


def write_own_clips(folder):
    """Ten clips of a drawn thing that moves over a drawn scene, each of other colours and sizes."""
    for number in range(10):
        random = np.random.RandomState(number)
        scene = cv2.resize(random.randint(0, 255, (12, 16, 3)).astype(np.uint8), (320, 240))
        side = int(random.randint(24, 60))
        thing = cv2.resize(random.randint(0, 255, (5, 5, 3)).astype(np.uint8), (side, side))
        pictures, boxes = [], []
        for index in range(10):
            x, y = 40 + 3 * index + 10 * number, 60 + 2 * index
            picture = scene.copy()
            picture[y : y + side, x : x + side] = thing
            pictures.append(picture)
            boxes.append((x, y, side, side))
        write_clip(folder / f"own{number}", pictures, boxes)


def test_losses_by_layer_lead_to_kept_layers(tmp_path, capsys):
    from hotpath.calib import int8_command as int8

    write_own_clips(tmp_path / "clips")
    given = ["--network", NETWORK, "--clips", tmp_path / "clips", "--out", tmp_path / "int8"]
    given += ["--exemplars", "1", "--searches", "3", "--tolerance", "-1", "--budget", "0.3"]
    assert int8.main([str(word) for word in given]) == 0
    report = json.loads((tmp_path / "int8" / f"{NETWORK}-int8.json").read_text())
    assert len(report["held_out"]) == 5
    layers = [step["added"] for step in report["search"]]
    assert layers and all("loss" in step for step in report["search"])
    table = tmp_path / "int8" / f"{NETWORK}-ranges.json"
    kept = json.loads(table.read_text())["keep"]
    assert kept and set(kept) <= set(layers)

    words = ["jetson_orin_nano", "--network", NETWORK, "--precision", "int8"]
    words += ["--calibration", table, "--out", tmp_path / "engines"]
    assert engine.main([str(word) for word in words]) == 0
    (folder,) = {path.parent for path in (tmp_path / "engines").rglob(prepared.FILE)}
    floats = prepared.read(folder)["float_tensors"]
    for layer in kept:
        assert any(layer in name for name in floats), layer
    assert folder.name.endswith(".prepared") and "layers in 16 bit" in capsys.readouterr().err
