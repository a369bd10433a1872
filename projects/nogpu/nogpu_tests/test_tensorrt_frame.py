"""A bundle's whole frame on the GPU: TensorRT between our kernels, on real PyCUDA."""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from hotpath.runtime import load_tracker
from hotpath_nogpu.gpu import python
from hotpath_nogpu.tensorrt.whole import covered, follow, judge
from tests.runtime.search.test_search import THRESHOLDS
from tests.support import tiny, tiny_cut

NETWORKS = {"tiny": tiny.write_network, "tiny_cut": tiny_cut.write_network}


def whole(folder, cuda, name, family, *more):
    """What ``hotpath_nogpu.tensorrt.whole`` says in a folder of its own, on a version of CUDA."""
    folder.mkdir()
    code = ["-m", "hotpath_nogpu.tensorrt.whole", str(folder), name, family]
    code += [json.dumps(value) for value in more]
    return json.loads(python(code, FAKE_CUDA_CAPABILITY="53", FAKE_CUDA_VERSION=cuda))


def check_cost(frame):
    """Check that a frame is one graph, allocates nothing, and waits once."""
    assert frame["allocations"] == 0 and frame["graph_launches"] == 1
    assert frame["synchronisations"] == 1 and frame["uploads"] == 2


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
    "name, family, cuda, precision, form",
    [
        ("tiny", "8.2", "10020", "fp32", "whole"),
        ("tiny_cut", "8.2", "12060", "fp32", "cut"),
        ("tiny_cut", "10", "12060", "fp32", "cut"),  # whole it takes a fixed number of windows
        ("tiny", "10", "12060", "fp16", "whole"),
        ("tiny", "11", "13020", "fp16", "whole"),
    ],
)
def test_three_targets_and_a_search_are_one_call_and_equal_boxes(
    tmp_path, name, family, cuda, precision, form
):
    report = whole(tmp_path / "gpu", cuda, name, family, precision, 4, THRESHOLDS)
    assert report["windows"] == 4 and report["form"] == form and report["graph"]
    assert report["counts"] == [1, 2, 3, 4]
    for found, wanted in zip(report["found"], report["wanted"]):
        assert [state for _, state in found] == [state for _, state in wanted]
        boxes = [[box for box, _ in told] for told in (found, wanted)]
        np.testing.assert_allclose(*boxes, rtol=0, atol=1e-3 if precision == "fp32" else 0.1)
    check_cost(report["costs"][5])  # three targets
    for cost in report["costs"]:  # with the windows of the search up to 12
        assert cost["synchronisations"] == cost["graph_launches"] <= 3
    grown = [cost["allocations"] for cost in report["costs"]]
    assert sum(grown) == max(grown) == 2  # when the frames become larger
    states = {state for told in report["found"] for _, state in told}
    assert "tracked" in states and ("lost" in states) is (
        name == "tiny"
    )  # the other has no features


@pytest.mark.parametrize("cuda", ["10020", "12060"])
# tiny_cut gives no features: nothing tells a loss
@pytest.mark.parametrize("name, family", [("tiny", "8.2"), ("tiny", "10"), ("tiny_cut", "8.2")])
def test_a_target_is_lost_where_the_hosts_tracker_says_so(tmp_path, name, family, cuda):
    tracking = tiny.LOSSY
    told = whole(tmp_path / "gpu", cuda, name, family, tracking)
    check_cost(told["frame"])

    toml = NETWORKS[name](tmp_path, tiny.watched(**tracking))
    host = load_tracker(toml, engine="onnxruntime", search_windows=2)
    wanted = judge(host, covered())
    lost, certainty, boxes = zip(*told["said"])
    assert lost == tuple(row[0] for row in wanted) and any(lost) is (name == "tiny")
    if name == "tiny":
        np.testing.assert_allclose(certainty, [row[1] for row in wanted], atol=1e-5)
    np.testing.assert_allclose(boxes, [row[2] for row in wanted], rtol=0, atol=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("cuda", ["10020", "12060"])
def test_a_lost_target_is_searched_for_as_by_the_processor(tmp_path, cuda, precision):
    changes = dict(THRESHOLDS, precision=precision)
    told = whole(tmp_path / "gpu", cuda, "tiny", "8.2", changes)
    check_cost(told["frame"])
    lost, certainty, boxes = zip(*told["said"])
    assert lost == tuple(row[0] for row in told["host"])
    assert any(lost) and not lost[-1]
    np.testing.assert_allclose(certainty, [row[1] for row in told["host"]], atol=1e-6)
    np.testing.assert_allclose(boxes, [row[2] for row in told["host"]], rtol=0, atol=1e-6)
