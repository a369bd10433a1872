"""A network and its table of ranges reach the FPGA compiler only when they belong together."""

import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the compiler is for Python 3.10 or newer", allow_module_level=True)
pytest.importorskip("onnxruntime", reason="the compiler needs onnx and ONNX Runtime")

from calib import table
from calib.errors import BadTable
from calib.fpga.compile import beside, compile_network
from kernels.fpga.design.compiler.layers import CannotCompile
from runtime.networks import load_network


def test_ranges_of_another_network_are_refused():
    network = load_network("kestrel_small")
    ranges = table.read(beside(network))
    ranges["files"]["search"] = "0" * 64
    with pytest.raises(BadTable, match="calib.int8"):
        compile_network(network, None, ranges)


def test_a_tensor_without_a_range_is_refused():
    network = load_network("kestrel_small")
    ranges = table.read(beside(network))
    del ranges["tensors"]["search"]["x//trunk/trunk.1/trunk.1.1/Relu_output_0"]
    with pytest.raises(CannotCompile, match=r"trunk\.1.*calibrate"):
        compile_network(network, None, ranges)
