"""Bundles for ncnn: what is in them, what INT8 does to the weights, and what is refused."""

import numpy as np
import pytest

from hotpath.boards import load_board
from hotpath.boards.build.engines import ncnn, ncnn_int8
from hotpath.boards.build.order import Order
from hotpath.boards.errors import BuildFailed
from hotpath.runtime.networks import load_network
from tests.support import tiny

PARAM = """7767517
3 3
Input in0 0 1 in0
Convolution conv_0 1 1 in0 1 0=2 1=1 5=1 6=6
InnerProduct fc_0 1 1 1 out0 0=1 1=1 2=2
"""


def order(tmp_path, board="raspberry_pi5", precision="fp32", network=None, **options):
    network = network or load_network("kestrel")
    return Order(load_board(board), network, precision, tmp_path / "engines", **options)


def test_half_precision_halves_the_file_and_int8_makes_it_smaller_still(tmp_path):
    pytest.importorskip("pnnx")
    size = {}
    for precision in ("fp32", "fp16", "int8"):
        made = ncnn.build(order(tmp_path, precision=precision), print)
        made.check_parts()
        assert made.precision == precision and made.engine == "ncnn"
        assert (made.calibration_sha256 is not None) == (precision == "int8")
        size[precision] = made.parts["search.bin"]["bytes"]
    # in INT8 each channel has a scale, and depthwise convolutions stay in floats
    assert size["fp16"] < 0.55 * size["fp32"] and size["int8"] < 0.33 * size["fp32"]


def test_another_engine_than_the_boards_own_has_a_folder_of_its_own(tmp_path):
    assert order(tmp_path, "host").target.name == "kestrel-fp32"
    assert order(tmp_path, "host", engine="ncnn").target.name == "kestrel-fp32-ncnn"


def test_without_pnnx_the_sentence_names_the_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(ncnn.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BuildFailed, match="make setup ALSO=ncnn.*make engine BOARD=raspberry_pi5"):
        ncnn.build(order(tmp_path), print)


def test_int8_without_a_table_of_ranges_is_refused(tmp_path):
    pytest.importorskip("pnnx")
    network = load_network(tiny.write_network(tmp_path))
    with pytest.raises(BuildFailed, match="INT8 needs the ranges of tiny"):
        ncnn.build(order(tmp_path, precision="int8", network=network), print)
    assert not list((tmp_path / "engines").glob("*/*"))  # nothing is half written


def test_an_operator_that_pnnx_passes_on_is_refused():
    with pytest.raises(BuildFailed, match="ncnn has no operator pnnx.Expression"):
        ncnn._check_operators("7767517\n1 1\npnnx.Expression x 1 1 a b\n", "search")


def test_only_convolutions_with_a_range_become_int8(tmp_path, monkeypatch):
    weights = np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]], "<f4")
    biases, dense = np.array([3.0, 4.0], "<f4"), np.array([5.0, 6.0, 7.0], "<f4")
    tag = bytes(4)
    (tmp_path / "search.param").write_text(PARAM)
    data = tag + weights.tobytes() + biases.tobytes() + tag + dense.tobytes()
    (tmp_path / "search.bin").write_bytes(data)
    scales = {weights.tobytes(): 127 / 2.5}
    monkeypatch.setattr(ncnn_int8, "_input_scales", lambda model, part, table: scales)
    assert ncnn_int8.quantise(tmp_path, "search", None, {}) == ["conv_0"]

    lines = (tmp_path / "search.param").read_text().splitlines()
    assert lines[3].endswith(" 8=2") and " 8=" not in lines[4]
    made = (tmp_path / "search.bin").read_bytes()
    assert made[:4] == bytes([0x38, 0x4B, 0x0D, 0x00])
    whole = np.frombuffer(made, np.int8, 6, 4)
    assert whole.tolist() == [64, -127, 32, 0, 0, 0]
    assert np.frombuffer(made, "<f4", 2, 12).tolist() == biases.tolist()
    np.testing.assert_allclose(np.frombuffer(made, "<f4", 3, 20), [63.5, 1.0, 127 / 2.5])
    assert made[32:] == tag + dense.tobytes()


def test_weights_that_are_not_all_understood_are_refused(tmp_path, monkeypatch):
    (tmp_path / "search.param").write_text(PARAM)
    (tmp_path / "search.bin").write_bytes(bytes(4 * 14))
    monkeypatch.setattr(ncnn_int8, "_input_scales", lambda model, part, table: {})
    with pytest.raises(BuildFailed, match="52 of 56 bytes"):
        ncnn_int8.quantise(tmp_path, "search", None, {})
