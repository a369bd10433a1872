"""Bundles for ncnn: what is in them, and what is refused."""

import pytest

from hotpath.boards import load_board
from hotpath.deploy.bundles.engines import ncnn
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.runtime.networks import load_network
from tests.support.errors import refusal


def order(tmp_path, board="raspberry_pi5", precision="fp32", network=None, **options):
    network = network or load_network("kestrel")
    return Order(load_board(board), network, precision, tmp_path / "engines", **options)


def test_half_precision_halves_the_file(tmp_path):
    pytest.importorskip("pnnx")
    size = {}
    for precision in ("fp32", "fp16"):
        made = ncnn.build(order(tmp_path, precision=precision), print)
        made.check_parts()
        assert made.precision == precision and made.engine == "ncnn"
        size[precision] = made.parts["search.bin"]["bytes"]
    assert size["fp16"] < 0.55 * size["fp32"]


def test_another_engine_than_the_boards_has_its_own_folder(tmp_path):
    assert order(tmp_path, "host").target.name == "kestrel-fp32"
    assert order(tmp_path, "host", engine="ncnn").target.name == "kestrel-fp32-ncnn"


def test_without_pnnx_the_sentence_names_the_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(ncnn.importlib.util, "find_spec", lambda name: None)
    with refusal(BuildFailed, "no converter", command="make setup ALSO=ncnn"):
        ncnn.build(order(tmp_path), print)


def test_int8_is_refused_with_what_does_it(tmp_path):
    with refusal(BuildFailed, "precision", command="make engine BOARD=raspberry_pi5"):
        ncnn.build(order(tmp_path, precision="int8"), print)
    assert not list((tmp_path / "engines").glob("*/*"))  # nothing is half written
    with refusal(BuildFailed, "precision", command="make engine BOARD=android"):
        order(tmp_path, "android", "int8")


def test_an_operator_that_pnnx_passes_on_is_refused():
    with refusal(BuildFailed, "unknown operator"):
        ncnn._check_operators("7767517\n1 1\npnnx.Expression x 1 1 a b\n", "search")
