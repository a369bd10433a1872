"""A lost target that a GPU follows is searched for as on the host: same states, same boxes."""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from kernels.cuda import compile as compiler
from kernels.cuda.windows import Windows
from kernels.errors import GpuFailed
from runtime.devices.gpu import frame_settings
from runtime.engines.gpu import floats_of
from tests.fakes.cuda import networks
from tests.fakes.cuda.engine import Engine
from tests.fakes.tensorrt import machine
from tests.kernels.cuda.test_cupy_launch import STAND_IN
from tests.runtime.search.test_search import BACK, GONE, SEARCHED, THRESHOLDS
from tests.support import tiny
from tests.support.examples import few_of
from tests.support.fake_gpu import SITE, python

# frames after which boxes of several targets come to lie on one object, and exclude one another
MET = 80


def track(folder, **options):
    """The report of ``tests.fakes.cuda.search``."""
    if "network" not in options:
        options["network"] = str(tiny.write_network(folder, tiny.watched(**THRESHOLDS)))
    site = STAND_IN if options.get("library") == "cupy" else SITE
    said = python(["-m", "tests.fakes.cuda.search", json.dumps(options)], site=site)
    report = json.loads(said.splitlines()[-1])  # ONNX Runtime may warn on standard output before
    assert report["library"] == options.get("library", "pycuda")
    return report


def check(found, wanted):
    """Check that a target was lost and found where the host's tracker says so."""
    check_alike(found, wanted)
    states = [track[3] for track in found]
    assert set(states[GONE + 8 : BACK - 1]) == {"lost"}
    assert states.count("found") == 1 and BACK <= states.index("found")


def check_alike(found, wanted):
    """Check that two trackers say the same of every frame."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted):
        assert one[3] == other[3]
        np.testing.assert_allclose(one[0], other[0], rtol=0, atol=1e-4)
        assert abs(one[1] - other[1]) < 1e-5 and one[2] == other[2]
        assert abs(one[4] - other[4]) < 1e-5


KINDS = [{"kind": kind} for kind in ("bgrx", "nv12", "device")]
LARGER = [{"change": 8}, {"change": SEARCHED + 6}]  # frames, while tracked and while lost


@pytest.mark.parametrize("options", [*KINDS, *LARGER, {"windows": 4}, {"library": "cupy"}])
def test_states_and_boxes_are_the_hosts(tmp_path, options):
    report = track(tmp_path, **options)
    check(report["found"], report["wanted"])


def test_a_tracked_frame_downloads_features_and_a_window_its_maps(tmp_path):
    report = track(tmp_path, kind="bgr")
    check(report["found"], report["wanted"])
    tracked, searched = report["costs"][5], report["costs"][BACK - 3]
    seen = 4 * 3 * 256
    assert tracked["launches"] == 2 and tracked["allocations"] == 0
    assert tracked["uploads"] == tracked["synchronisations"] == 1
    assert tracked["downloads"] == 2 and tracked["download_bytes"] == 64 + seen
    assert searched["launches"] == 2 and searched["allocations"] == 0
    assert searched["uploads"] == 3 and searched["synchronisations"] == 1
    assert searched["download_bytes"] == 4 * 6 * 256 + seen


class Broken(machine.Device):
    """A device whose second upload after ``breaks`` was set fails; it computes nothing."""

    breaks = None

    def kernel(self, module, name):
        return name

    def launch(self, *arguments):
        pass

    def upload(self, *arguments):
        if self.breaks is not None and self.counters.uploads > self.breaks:
            raise GpuFailed("no memory")
        super().upload(*arguments)


def test_windows_whose_upload_fails_wait_for_what_is_in_flight(monkeypatch):
    monkeypatch.setattr(compiler, "binary", lambda path, *rest: path)
    device, net, state = Broken(), networks.network(), (40.0, 30.0, 20.0, 20.0)
    engine = Engine(device, net)
    looks = Windows(device, frame_settings(net), engine)
    looks.begin(state, (0, 0, 0), engine.new_features())
    device.breaks, waits = device.counters.uploads, device.counters.synchronisations
    with pytest.raises(GpuFailed):
        looks.look(np.zeros((60, 80, 3), np.uint8), [(state, 1.0, (20, 10, 40, 40))])
    assert device.counters.uploads == device.breaks + 1  # the frame's
    assert device.counters.synchronisations == waits + 1


class Uncached(np.ndarray):
    """Pinned memory that no cache holds: it may be copied, and nothing else."""

    def __array_ufunc__(self, *arguments, **options):
        raise AssertionError("numbers are read one by one")

    astype = __getitem__ = __array_ufunc__

    def copy(self):
        return np.array(memoryview(self.view(np.uint8).data)).view(self.dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_pinned_memory_is_read_by_one_copy(dtype):
    values = np.arange(16384).astype(dtype)
    found = floats_of(values.view(Uncached))
    assert type(found) is np.ndarray and found.dtype == np.float32
    np.testing.assert_array_equal(found, values)
    assert not np.shares_memory(found, values)


@pytest.mark.parametrize("kind", few_of(["bgr", "nv12"], ["bgr"], "the same windows"))
def test_windows_of_a_batch_are_those_of_one_at_a_time_bit_for_bit(tmp_path, kind):
    options = {"kind": kind, "windows": 5, "change": SEARCHED + 6}
    alone, batched = (track(tmp_path, batch=batch, **options) for batch in (1, 4))
    check(batched["found"], batched["wanted"])
    assert batched["found"] == alone["found"]
    # one upload, crop, call of the network and download for four windows, then one alone
    searched, one_by_one = (report["costs"][BACK - 3] for report in (batched, alone))
    assert searched["launches"] == searched["synchronisations"] * 2 == 4
    assert one_by_one["launches"] == one_by_one["synchronisations"] * 2 == 10
    assert searched["allocations"] == 0


def test_a_batch_that_is_cut_short_is_followed_by_no_window_beyond_the_budget(tmp_path):
    report = track(tmp_path, windows=4, batch=4, one_batch=True)
    states = [track[3] for track in report["found"]]
    assert "found" in states  # so a window showed something, and those after it were left
    costs = report["costs"][SEARCHED + 1 : states.index("found")]
    assert {each["launches"] for each in costs} == {2}


@pytest.mark.parametrize("why, said", [("one_region", ""), ("broken", "can't be loaded")])
def test_an_engine_without_a_batch_searches_one_window_at_a_time(tmp_path, why, said):
    report = track(tmp_path, windows=2, batch=2, again=True, **{why: True})
    check(report["found"], report["wanted"])
    assert report["costs"][BACK - 3]["launches"] == 4
    sentences = [text for text in report["said"] if "one window at a time" in text]
    assert len(sentences) == bool(said) and all(said in text for text in sentences)


@pytest.mark.slow("each target also alone on the host")
# with 4 windows a frame, each lost target has a batch of the 4 that the profile allows
@pytest.mark.parametrize("windows, change", [(4, None), (2, SEARCHED + 6)])
def test_targets_of_a_group_are_found_as_each_alone_on_the_host(tmp_path, windows, change):
    report = track(tmp_path, targets=True, windows=windows, change=change)
    assert report["way"] == "Together"
    *moving, resting = zip(zip(*report["found"]), report["wanted"])
    for own, alone in moving:
        check(own[:MET], alone[:MET])
    check_alike(*resting)
    assert {track[3] for track in resting[0]} == {"tracked"}


@pytest.mark.slow("whole clips under the fake driver")
def test_kestrel_while_a_clip_shows_another_scene(tmp_path, clips_dir):
    clips = [str(clips_dir / name) for name in ("otb-David", "otb-Couple")]
    report = track(tmp_path, network="kestrel", clips=clips, windows=3)
    check_alike(report["found"], report["wanted"])
    batched = track(tmp_path, network="kestrel", clips=clips, windows=3, batch=3)
    assert batched["found"] == report["found"]
    launches = [[costs["launches"] for costs in told["costs"]] for told in (batched, report)]
    assert 2 in launches[0] and 6 in launches[1]
    states = [track[3] for track in report["found"]]
    assert states.count("lost") > 10 and "found" in states and states[-1] == "tracked"
