"""A bundle's whole frame on the GPU: TensorRT between our kernels, on real PyCUDA."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from hotpath.kernels import cpu
from hotpath.runtime import load_tracker, loading
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.tracker.tracker import Tracker
from hotpath_nogpu.cuda.counting import cost_of
from hotpath_nogpu.tensorrt.fake_bundle import boxes_of, covered, judge, make, quiet
from tests.runtime.search.test_redetector import THRESHOLDS
from tests.support import tiny, tiny_cut

NETWORKS = {"tiny": tiny.write_network, "tiny_cut": tiny_cut.write_network}


pytestmark = pytest.mark.timeout(1500)


def on(cuda):
    """The driver of a version of CUDA, on a Nano's GPU."""
    return pytest.mark.fake_gpu(FAKE_CUDA_CAPABILITY="53", FAKE_CUDA_VERSION=cuda)


EACH_CUDA = [pytest.param(marks=on(cuda), id=cuda) for cuda in ("10020", "12060")]


def opened(folder, **options):
    """The tracker of the bundle of a folder."""
    loaded = loading.load(Options(bundle=folder / "bundle", log=quiet))
    return loading.create_tracker(*loaded, Options(log=quiet, **options))


def on_the_host(tracker, **options):
    """A tracker of the same plans, with the processor's crop and select."""
    return Tracker(CpuDevice(tracker.network, tracker.engine, cpu.load()), **options)


def check_cost(frame):
    """Check that a frame is one graph, allocates nothing, and waits once."""
    assert frame["allocations"] == 0 and frame["graph_launches"] == 1
    assert frame["synchronisations"] == 1 and frame["uploads"] == 2


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(
    "name, family",
    [
        pytest.param("tiny", "8.2", marks=on("10020")),  # a Nano
        # our correlation in the middle of the graph
        pytest.param("tiny_cut", "8.2", marks=on("12060")),
        pytest.param("tiny_cut", "10", marks=on("12060")),
        pytest.param("tiny", "11", marks=on("13020")),
    ],
)
def test_boxes_equal_those_of_the_host_and_a_frame_waits_once(tmp_path, name, family, precision):
    made = make(tmp_path / "gpu", name, family, precision)
    tracker = opened(tmp_path / "gpu")
    boxes = boxes_of(tracker)
    assert tracker.device.uses_graph and type(tracker.device).__name__ == "GpuDevice"
    assert tracker.engine.device.name == "pycuda" and made.compute_capability == "5.3"
    assert made.run["form"] == ("cut" if (name, family) == ("tiny_cut", "8.2") else "whole")
    assert tracker.engine.dtype == {"fp32": "float32", "fp16": "float16"}[precision]
    check_cost(cost_of(lambda: tracker.update(tiny.film(1)[0][0])))
    np.testing.assert_allclose(boxes, boxes_of(on_the_host(tracker)), rtol=0, atol=1e-6)
    tracker.close()

    host = load_tracker(NETWORKS[name](tmp_path), engine="onnxruntime")
    changes = np.abs(np.array(boxes) - boxes_of(host))  # pixels
    if precision == "fp32":
        assert changes.max() < 1e-3
    else:
        assert 0 < np.median(changes) < 1.0  # a vote that is as good may win


@pytest.mark.parametrize(
    "name, family, precision, form",
    [
        pytest.param("tiny", "8.2", "fp16", "whole", marks=on("10020")),
        pytest.param("tiny_cut", "8.2", "fp32", "cut", marks=on("12060")),
        pytest.param("tiny_cut", "8.6", "fp32", "whole", marks=on("12060")),
        pytest.param("tiny", "10", "fp16", "whole", marks=on("12060")),
        pytest.param("tiny", "11", "fp16", "whole", marks=on("13020")),
    ],
)
def test_three_targets_and_a_search_are_one_submission_and_equal_boxes(
    tmp_path, name, family, precision, form
):
    made = make(tmp_path / "gpu", name, family, precision, **THRESHOLDS)
    loaded = loading.load(Options(bundle=tmp_path / "gpu" / "bundle", log=quiet))
    options = Options(log=quiet)
    gpu = loading.create_device(*loaded, options)
    assert made.run["form"] == form and gpu.uses_graph
    assert list(loaded.engine.counts) == [1, 2, 3, 4]
    processor = CpuDevice(loaded.network, loaded.engine, cpu.load())
    (found, costs), (wanted, _) = (three(device, options) for device in (gpu, processor))
    loaded.engine.close()
    for own, host in zip(found, wanted):
        assert [track.state for track in own] == [track.state for track in host]
        boxes = [[track.box for track in tracks] for tracks in (own, host)]
        np.testing.assert_allclose(*boxes, rtol=0, atol=1e-3 if precision == "fp32" else 0.1)
    check_cost(costs[5])  # three targets
    for each in costs:  # with the windows of the search up to 12
        assert each["synchronisations"] == each["graph_launches"] <= 3
    grown = [each["allocations"] for each in costs]
    assert sum(grown) == max(grown) == 2  # when the frames become larger
    states = {track.state for tracks in found for track in tracks}
    # tiny_cut gives no features
    assert "tracked" in states and ("lost" in states) is (name == "tiny")


def three(device, options):
    """The tracks of three targets in every frame, and the cost of each frame."""
    frames, box = covered()
    targets, found, costs = Targets(device, options), [], []
    for first in (box, box + (5, -4, 6, 3), box + (60, 30, 0, 0)):
        targets.add(frames[0], first)
    for frame in frames[1:70]:
        follow = lambda: found.append(list(targets.update(frame).values()))  # noqa: B023, E731
        cost = cost_of(follow)
        trails = [tracker._trail for tracker in targets._trackers.values()]
        if not any(trail is not None and trail.has_followed for trail in trails):
            costs.append(cost)  # else candidates had further windows
    assert len(costs) > 30
    return found, costs


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize((), EACH_CUDA)
def test_a_lost_target_is_searched_for_as_by_the_processor(tmp_path, precision):
    make(tmp_path / "gpu", "tiny", "8.2", precision, **THRESHOLDS)
    tracker = opened(tmp_path / "gpu")
    frames, first = covered()
    lost, certainty, boxes = zip(*judge(tracker, frames, first))
    check_cost(cost_of(lambda: tracker.update(frames[-1])))
    wanted = judge(on_the_host(tracker, recover=True), frames, first)
    tracker.close()
    assert lost == tuple(row[0] for row in wanted)
    assert any(lost) and not lost[-1]
    np.testing.assert_allclose(certainty, [row[1] for row in wanted], atol=1e-6)
    np.testing.assert_allclose(boxes, [row[2] for row in wanted], rtol=0, atol=1e-6)
