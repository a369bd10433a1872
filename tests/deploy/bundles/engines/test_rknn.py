"""Bundles for an RK3588's NPU: the ranges given to Rockchip's toolkit, and what is refused."""

import importlib.util
import sys
import types

import pytest

from hotpath.boards import load_board
from hotpath.deploy.bundles.engines import rknn
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.runtime.networks import load_network
from tests.support.errors import refusal

ENTRY = """    {}:
        qtype: asym
        qmethod: {}
        dtype: {}
        min:
        -   {}
        max:
        -   {}
        scale:
        -   0.1
"""


@pytest.fixture
def convert(monkeypatch):
    """The toolkit's program, without the toolkit."""
    api = types.ModuleType("rknn.api")
    api.RKNN = None
    monkeypatch.setitem(sys.modules, "rknn", types.ModuleType("rknn"))
    monkeypatch.setitem(sys.modules, "rknn.api", api)
    spec = importlib.util.spec_from_file_location("rknn_convert", str(rknn.PROGRAM))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def limits(text, name):
    """(min, max) of a tensor in the toolkit's table."""
    lines = text[text.index(f"    {name}:\n") :].split("\n")
    return tuple(float(lines[i].split()[-1]) for i in (5, 7))


def table(*entries):
    text = "custom_quantize_layers: {}\nquantize_parameters:\n"
    return text + "".join(ENTRY.format(*entry) for entry in entries)


def test_the_tables_ranges_take_the_place_of_the_toolkits(convert):
    text = table(
        ("a", "layer", "int8", -1.0, 1.0),
        ("a_tp-rs", "layer", "int8", -1.0, 1.0),
        ("b", "layer", "int8", 0.0, 1.0),
        ("w", "channel", "int8", -5.0, 5.0),
        ("out", "layer", "float32", -5.0, 5.0),
    )
    given = {"a": [-2.0, 3.0], "b": [-9.0, 4.0], "w": [-1, 1], "out": [-1, 1]}
    made = convert.with_ranges(text, given, ["out"])
    assert limits(made, "a") == limits(made, "a_tp-rs") == (-2.0, 3.0)
    assert limits(made, "b") == (0.0, 4.0)  # before a ReLU
    assert limits(made, "w") == limits(made, "out") == (-5.0, 5.0)  # weights; floating point
    assert "custom_quantize_layers:\n    out: float16\nquantize" in made


def test_a_tensor_that_the_toolkit_adds_grows_with_the_others(convert):
    names = ("a", 1.0), ("b", 1.0), ("c", 1.0), ("a_conv", 2.0)
    text = table(*((name, "layer", "int8", -low, 1.0) for name, low in names))
    given = {"a": [-2.0, 1.0], "b": [-3.0, 3.0], "c": [-9.0, 9.0]}
    assert limits(convert.with_ranges(text, given, []), "a_conv") == (-6.0, 3.0)


def order(tmp_path, precision):
    return Order(load_board("rk3588"), load_network("kestrel"), precision, tmp_path / "engines")


def test_what_cannot_be_built_is_refused_with_a_command(tmp_path, monkeypatch):
    with refusal(BuildFailed, "precision"):
        rknn.build(order(tmp_path, "fp32"), print)
    monkeypatch.setattr(rknn, "PYTHON", tmp_path / "python")
    with refusal(BuildFailed, "no converter"):
        rknn.build(order(tmp_path, "int8"), print)
    rknn.PYTHON.write_text("#!/bin/sh\necho one; echo two; echo three; echo four; exit 3\n")
    rknn.PYTHON.chmod(0o755)
    with refusal(BuildFailed, "converter failed"):
        rknn.build(order(tmp_path, "int8"), print)
    assert not list((tmp_path / "engines").glob("*/*"))  # nothing is half written
