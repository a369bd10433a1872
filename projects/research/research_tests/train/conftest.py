"""Small pictures and clips to train on."""

import os

import numpy as np
import onnx
import pytest

from hotpath_research.train.bank import build_bank
from tests.calib.test_one_step_overlap import write_square
from tests.support import tiny

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of PyTorch: the tests' workers share the cores


def still(seed, height=120, width=160):
    noise = np.random.default_rng(seed).integers(0, 60, (height, width, 3), np.uint8)
    noise[40:80, 60:110] += 150
    return noise


@pytest.fixture
def folders(tmp_path):
    """Stills in images/, one clip of a bright square that moves in clips/."""
    tiny.write_pictures(tmp_path / "images", map(still, range(50)))
    (tmp_path / "clips").mkdir()
    write_square(tmp_path / "clips" / "square")
    return tmp_path


@pytest.fixture
def bank(folders):
    return build_bank(folders / "bank", [folders / "images"], [folders / "clips"])


def write_wider(folder, factor):
    """Write the tiny network with boxes larger by a factor; returns the path of its TOML."""
    folder.mkdir()
    toml, path = tiny.write_network(folder), str(folder / "tiny_head.onnx")
    head = onnx.load(path)
    sizes = next(value for value in head.graph.initializer if value.name == "log")
    more = onnx.numpy_helper.to_array(sizes) + np.float32(np.log(factor))
    sizes.CopyFrom(onnx.numpy_helper.from_array(more, "log"))
    onnx.save(head, path)
    return toml
