"""A survey of a network names what the FPGA's compiler refuses, all of it and nothing else."""

import sys

import numpy as np
import pytest

if sys.version_info < (3, 10):
    pytest.skip("the compiler is for Python 3.10 or newer", allow_module_level=True)
pytest.importorskip("onnxruntime")

import hotpath_fpga as design
from fpga_tests import fpga_nets, fpga_sizes
from fpga_tests.kernels.test_compiler import gated, pooled, two_strides
from hotpath.graphs import quantisable
from hotpath.runtime.networks import load_network
from hotpath_fpga.compile import compile_network
from hotpath_fpga.compiler.layers import CannotCompile
from hotpath_fpga.compiler.survey import survey

SIDES = {"exemplar": 15, "search": 47}
BOARD = "kv260"


def unlike(x, source, channels):
    return [x.conv(source, channels, 1, stride=3)]


def stretched(x, source, channels):
    return [x.conv(source, channels, 1, stride=2, dilation=2)]


@pytest.mark.parametrize(
    "middle", [gated, pooled, two_strides, unlike, stretched, fpga_nets.towers, fpga_nets.blocks]
)
def test_a_survey_refuses_what_the_compiler_refuses(middle):
    rng = np.random.default_rng(1)
    models = fpga_nets.pixelwise(rng, SIDES, middle)
    found = survey(fpga_nets.Net, models, BOARD)
    try:
        fpga_nets.compiled(models, SIDES, rng, design.sizes()[BOARD])
    except CannotCompile as error:
        assert [sentence for _, sentence in found.refused] == [str(error)]
    else:
        assert found.refused == []


def test_a_survey_goes_on_behind_what_is_refused():
    def middle(x, source, channels):
        excited = x.node("Mul", [source, x.node("GlobalAveragePool", [source])])
        swished = x.node("HardSwish", [x.conv(excited, channels, 8)])
        pooled = x.node("MaxPool", [swished], kernel_shape=[2, 2])
        return [x.conv(pooled, 8, 1, kernel=5), x.conv(swished, 8, 2, stride=3)]

    models = fpga_nets.pixelwise(np.random.default_rng(1), SIDES, middle)
    found = survey(fpga_nets.Net, models, BOARD).refused
    assert [operator for operator, _ in found] == ["GlobalAveragePool", "Mul", "MaxPool", "Conv"]


def test_what_reads_an_unknown_tensor_is_not_refused_for_it():
    def middle(x, source, channels):
        shapes = [
            x.constant(np.array(shape)) for shape in ([1, channels, -1], [1, channels, 12, 12])
        ]
        mixed = x.node("Softmax", [x.node("Reshape", [source, shapes[0]])])
        return [x.conv(x.node("Reshape", [mixed, shapes[1]]), channels, 1, stride=3)]

    models = fpga_nets.pixelwise(np.random.default_rng(1), SIDES, middle)
    found = survey(fpga_nets.Net, models, BOARD).refused
    assert [operator for operator, _ in found] == ["Softmax", "Conv"]


def test_cycles_of_a_survey_equal_the_program_with_true_ranges():
    network = load_network("kestrel_small")
    found = survey(network, quantisable.parts(network, network.locate()), BOARD)
    compiled = compile_network(network, size_name=BOARD)
    assert found.cycles == compiled.run["programs"]["search"]["cycles"] > 0


def test_a_network_that_does_not_fit_the_memory_is_refused(monkeypatch):
    small = fpga_sizes.size(lanes=1, words=128)
    monkeypatch.setattr(design, "sizes", lambda: {BOARD: small})
    models = fpga_nets.pixelwise(np.random.default_rng(1), SIDES, fpga_nets.towers)
    found = survey(fpga_nets.Net, models, BOARD)
    ((operator, sentence),) = found.refused
    assert not operator
    assert "128 in all" in sentence
