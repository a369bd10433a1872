"""A bundle's whole frame on the GPU: TensorRT between our kernels, on real PyCUDA."""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from kernels import cpu
from runtime import engines
from runtime.networks import load_network
from runtime.tracker import Tracker
from tests import tiny, tiny_cut
from tests.fakes.tensorrt.whole import follow
from tests.test_cuda_frame import python

NETWORKS = {"tiny": tiny.write_network, "tiny_cut": tiny_cut.write_network}


@pytest.mark.parametrize(
    "name, family, cuda",
    [
        ("tiny", "8.2", "10020"),  # a Nano: step by step
        ("tiny_cut", "8.2", "10020"),
        ("tiny_cut", "8.2", "12060"),  # as one graph, our correlation in the middle of it
        ("tiny_cut", "10", "12060"),
        ("tiny", "11", "13020"),
    ],
)
def test_boxes_equal_those_of_the_host_and_a_frame_waits_once(tmp_path, name, family, cuda):
    (tmp_path / "gpu").mkdir()
    code = ["-m", "tests.fakes.tensorrt.whole", str(tmp_path / "gpu"), name, family]
    result = json.loads(python(code, FAKE_CUDA_CAPABILITY="53", FAKE_CUDA_VERSION=cuda))
    assert result["graph"] == (cuda != "10020")
    assert result["kind"] == "GpuTracker" and result["library"] == "pycuda"
    assert result["capability"] == "5.3"
    assert result["form"] == ("cut" if (name, family) == ("tiny_cut", "8.2") else "whole")

    network = load_network(NETWORKS[name](tmp_path))
    host = Tracker(network, engines.create("onnxruntime", network, network.locate()), cpu.load())
    np.testing.assert_allclose(result["boxes"], follow(host), rtol=0, atol=1e-3)

    frame = result["frame"]
    assert frame["allocations"] == 0 and frame["synchronisations"] <= 1
    assert frame["downloads"] == 1 and frame["download_bytes"] == 64
    assert frame["uploads"] == 1
