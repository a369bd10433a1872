"""A bundle's whole frame on the GPU: TensorRT between our kernels, on real PyCUDA."""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from runtime import load_tracker
from tests.fakes.tensorrt.whole import covered, follow, judge
from tests.runtime.search.test_search import THRESHOLDS
from tests.support import tiny, tiny_cut
from tests.support.fake_gpu import python

NETWORKS = {"tiny": tiny.write_network, "tiny_cut": tiny_cut.write_network}


def whole(folder, cuda, name, family, *more):
    """What ``tests.fakes.tensorrt.whole`` says in a folder of its own, on a version of CUDA."""
    folder.mkdir()
    code = ["-m", "tests.fakes.tensorrt.whole", str(folder), name, family]
    code += [json.dumps(value) for value in more]
    return json.loads(python(code, FAKE_CUDA_CAPABILITY="53", FAKE_CUDA_VERSION=cuda))


def check_cost(frame):
    """Check that a frame allocates nothing, waits once, and downloads 64 bytes."""
    assert frame["allocations"] == 0 and frame["synchronisations"] <= 1
    assert frame["downloads"] == 1 and frame["download_bytes"] == 64
    assert frame["uploads"] == 1


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(
    "name, family, cuda",
    [
        ("tiny", "8.2", "10020"),  # a Nano
        ("tiny_cut", "8.2", "12060"),  # our correlation in the middle of the graph
        ("tiny_cut", "10", "12060"),
        ("tiny", "11", "13020"),
    ],
)
def test_boxes_equal_those_of_the_host_and_a_frame_waits_once(
    tmp_path, name, family, cuda, precision
):
    result = whole(tmp_path / "gpu", cuda, name, family, precision)
    assert result["graph"]
    assert result["kind"] == "Gpu" and result["library"] == "pycuda"
    assert result["capability"] == "5.3"
    assert result["form"] == ("cut" if (name, family) == ("tiny_cut", "8.2") else "whole")
    assert result["dtype"] == {"fp32": "float32", "fp16": "float16"}[precision]
    np.testing.assert_allclose(result["boxes"], result["host"], rtol=0, atol=1e-6)
    check_cost(result["frame"])

    host = load_tracker(NETWORKS[name](tmp_path), engine="onnxruntime")
    changes = np.abs(np.array(result["boxes"]) - follow(host))  # pixels
    if precision == "fp32":
        assert changes.max() < 1e-3
    else:
        assert 0 < np.median(changes) < 1.0  # a vote that is as good may win


@pytest.mark.parametrize(
    "name, family, cuda, precision",
    [
        ("tiny", "8.2", "10020", "fp32"),
        ("tiny", "10", "12060", "fp16"),
        ("tiny", "11", "13020", "fp16"),
    ],
)
def test_the_plan_for_several_windows_gives_what_that_for_one_does(
    tmp_path, name, family, cuda, precision
):
    report = whole(tmp_path / "gpu", cuda, name, family, precision, 3, THRESHOLDS)
    assert report["plan"] == {"plan": "windows.plan", "count": 3}
    assert len(report["together"]) == 3 and report["together"] == report["alone"]
    assert report["alone"][0] != report["alone"][1]


def test_a_network_that_cannot_search_has_no_such_plan(tmp_path):
    made = whole(tmp_path / "gpu", "12060", "tiny_cut", "10", "fp32", 3, THRESHOLDS)
    assert made["plan"] is None and made["together"] == []


@pytest.mark.parametrize("cuda", ["10020", "12060"])
# tiny_cut gives no features: its score alone
@pytest.mark.parametrize("name, family", [("tiny", "8.2"), ("tiny", "10"), ("tiny_cut", "8.2")])
def test_a_target_is_lost_where_the_hosts_tracker_says_so(tmp_path, name, family, cuda):
    told, tracking = [], {"lost_below": 0.5}
    for pipeline in (1, 2):
        told.append(whole(tmp_path / str(pipeline), cuda, name, family, pipeline, tracking))
        check_cost(told[-1]["frame"])
    assert told[0]["said"] == told[1]["said"]

    host = load_tracker(NETWORKS[name](tmp_path, tiny.watched(**tracking)), engine="onnxruntime")
    wanted = judge(host, covered())
    lost, certainty, boxes = zip(*told[0]["said"])
    assert lost == tuple(row[0] for row in wanted) and any(lost)
    np.testing.assert_allclose(certainty, [row[1] for row in wanted], atol=1e-5)
    np.testing.assert_allclose(boxes, [row[2] for row in wanted], rtol=0, atol=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("cuda", ["10020", "12060"])
def test_a_lost_target_is_searched_for_beside_the_graph(tmp_path, cuda, precision):
    changes = dict(THRESHOLDS, precision=precision)
    told = whole(tmp_path / "gpu", cuda, "tiny", "8.2", 1, changes)
    assert told["frame"]["graph_launches"] == told["frame"]["synchronisations"] == 1
    assert told["frame"]["downloads"] == 2  # the box, and the features of the search region

    lost, certainty, boxes = zip(*told["said"])
    assert lost == tuple(row[0] for row in told["host"])
    assert any(lost) and not lost[-1]
    np.testing.assert_allclose(certainty, [row[1] for row in told["host"]], atol=1e-6)
    np.testing.assert_allclose(boxes, [row[2] for row in told["host"]], rtol=0, atol=1e-6)
