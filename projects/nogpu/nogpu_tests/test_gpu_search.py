"""A lost target that a GPU follows is searched for as on the host: same states, same boxes."""

import cv2
import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from hotpath.graphs import batch
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.runtime.identity.identity import PROBATION
from hotpath.runtime.search.search import JUDGED
from hotpath.runtime.tracker.tracker import Tracker
from hotpath_nogpu.cuda.onnx_engine import close, cost_of, open_both
from hotpath_nogpu.gpu import STAND_IN
from tests.runtime.search.test_search import BACK, GONE, SEARCHED, THRESHOLDS, Elsewhere
from tests.support import tiny
from tests.support.pictures_in_planes import planes_of
from tests.support.proposed import counted

pytestmark = [pytest.mark.fake_gpu(), pytest.mark.timeout(1500)]

# bytes of a download
PLACES = 4 * 312  # of four windows
ROW = 4 + 2 * 4 * 3  # of the features under a place
FEATURES = 4 * 3 * 256  # of a whole window


def on_the_gpu(frame, kind):
    """A BGR frame as the GPU's tracker takes it."""
    if kind == "bgrx":
        return np.dstack([frame, frame[:, :, 0]])
    return frame


def given_of(frames, kind, engine):
    """The frames as the GPU's tracker takes them, one after the other; none is kept."""
    for frame in frames:
        yield on_the_gpu(bgr_of(frame) if kind != "nv12" else frame, kind)


def changed(frames, start):
    """The frames, from one on 1.5 times as large."""
    if start is None:
        return frames
    return frames[:start] + [cv2.resize(f, None, fx=1.5, fy=1.5) for f in frames[start:]]


def told(track, tracker):
    return [list(track.box), track.score, bool(track.lost), track.state, tracker.identity.value]


def follow(tracker, frames, first, box):
    """What is said of every frame, and the cost of each on the device."""
    tracker.init(first, box)
    messages, costs = [], []
    for frame in frames:
        update = lambda: messages.append(told(tracker.update(frame), tracker))  # noqa: B023, E731
        costs.append(cost_of(update))
    return messages, costs


def own_network(folder, share=0.02, **proof):
    """The TOML of a network that searches."""
    return tiny.write_network(folder, tiny.watched(**THRESHOLDS, peak_share=share, **proof))


def track(path, kind="bgr", change=None, after=0, pictures=None, box=None, **library):
    """What the GPU and the host say of a film, and the cost of each frame: a dict."""
    gpu, processor = open_both(path, log=lambda line: None, **library)
    if pictures is None:
        results = Elsewhere()
        pictures, box = results.frames, results.boxes[0]
    frames = changed(pictures + pictures[-1:] * after, change)
    if kind == "nv12":
        frames = [PlanarFrame(planes_of(frame, "NV12")) for frame in frames]
    tracker = Tracker(gpu, recover=True)
    report = {"peaks": counted(tracker) if tracker.search and tracker.search.chooses else []}
    # what is uploaded first must not need a mean colour of the device's memory
    report["found"], report["costs"] = follow(
        tracker, given_of(frames[1:], kind, gpu.engine), frames[0], box
    )
    tracker.release()
    other = Tracker(processor, recover=True)
    other.init(frames[0], box)
    report["wanted"] = [told(other.update(frame), other) for frame in frames[1:]]
    report["counts"] = list(gpu.engine.counts)
    close(gpu)
    return report


def check(found, wanted):
    """Check that a target was lost and found where the host's tracker says so."""
    check_alike(found, wanted)
    states = [track[3] for track in found]
    assert set(states[GONE + 8 : BACK - 1]) == {"lost"}
    back = [state for state in states[BACK:] if state != "lost"]
    assert back and "lost" not in back


def check_alike(found, wanted):
    """Check that two trackers say the same of every frame."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted):
        assert one[3] == other[3]
        np.testing.assert_allclose(one[0], other[0], rtol=0, atol=1e-4)
        assert abs(one[1] - other[1]) < 1e-5 and one[2] == other[2]
        assert abs(one[4] - other[4]) < 1e-5


KINDS = [{"kind": kind} for kind in ("bgrx", "nv12")]
LARGER = [{"change": 8}, {"change": SEARCHED + 6}]  # frames, while tracked and while lost


CUPY = pytest.param({"library": "cupy"}, marks=pytest.mark.fake_gpu(site=STAND_IN))


@pytest.mark.parametrize("options", [*KINDS, *LARGER, CUPY])
def test_states_and_boxes_are_the_hosts(tmp_path, options):
    report = track(own_network(tmp_path), **options)
    check(report["found"], report["wanted"])
    assert report["counts"] == [1, 2, 4]
    assert max(report["peaks"]) > 1  # it chooses among similar objects


def test_graphs_of_one_window_give_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "several", lambda model, count=None: None)
    # graphs that were made ready for several are another's
    report = track(own_network(tmp_path).rename(tmp_path / "apart.toml"))
    check(report["found"], report["wanted"])
    assert report["counts"] == [1, 2, 3, 4]


def test_a_find_on_probation_is_learnt_afterwards(tmp_path):
    path = own_network(tmp_path, same_share=0.3, wider_below=0.2)
    report = track(path, after=PROBATION + JUDGED)
    check_alike(report["found"], report["wanted"])
    words = [track[3] for track in report["found"]]
    found = words.index("tracked", words.index("lost"))
    read = [number for number, cost in enumerate(report["costs"]) if cost["downloads"] > 1]
    assert found + PROBATION < read[-1]
    assert not any(found < number < found + PROBATION for number in read)


@pytest.mark.parametrize("share", (0.2, 0.0))
def test_features_are_downloaded_only_where_they_are_learnt(tmp_path, share):
    report = track(own_network(tmp_path, share))
    check(report["found"], report["wanted"])
    learnt = [cost["downloads"] > 1 for cost in report["costs"]]
    assert 5 < sum(learnt) < len(learnt) // 2
    for number, cost in enumerate(report["costs"]):
        assert cost["launches"] == 4 and cost["allocations"] == 0  # gather, crop, places, pooling
        assert cost["uploads"] == 2 and cost["synchronisations"] == 1
        read = FEATURES if learnt[number] else 0
        assert cost["download_bytes"] == PLACES + 7 * ROW + read
