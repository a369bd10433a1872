"""A lost target that a GPU follows is searched for as on the host: same states, same boxes."""

import cv2
import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from hotpath.deploy.film import film
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.runtime.identity.guard import JUDGED
from hotpath.runtime.identity.identity import PROBATION
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.tracker.tracker import Tracker
from hotpath_nogpu.cuda.onnx_engine import close, cost_of, open_both
from tests.runtime.search.test_redetector import BACK, GONE, SEARCHED, THRESHOLDS, Elsewhere
from tests.support import tiny
from tests.support.pictures_in_planes import planes_of
from tests.support.proposed import counted

pytestmark = [pytest.mark.fake_gpu(), pytest.mark.timeout(1500)]

# bytes of a download
PLACES = 4 * 312  # of four windows
ROW = 4 + 2 * 4 * 3  # of the features under a place
FEATURES = 4 * 3 * 256  # of a whole window


def changed(frames, start):
    """The frames, from one on 1.5 times as large."""
    if start is None:
        return frames
    return frames[:start] + [cv2.resize(f, None, fx=1.5, fy=1.5) for f in frames[start:]]


def told(track, tracker):
    return [
        list(track.box),
        track.score,
        bool(track.lost),
        track.state,
        tracker.target.identity.value,
    ]


def follow(tracker, frames, first, box):
    """What is said of every frame, and the cost of each on the device."""
    tracker.init(first, box)
    messages, costs = [], []
    for frame in frames:
        update = lambda: messages.append(told(tracker.update(frame), tracker))  # noqa: B023, E731
        cost = cost_of(update)  # with further windows, if a candidate was followed backwards
        costs.append(dict(cost, traced=tracker._trail is not None and tracker._trail.has_followed))
    return messages, costs


def own_network(folder, share=0.02, **proof):
    """The TOML of a network that searches."""
    return tiny.write_network(folder, tiny.watched(**THRESHOLDS, peak_share=share, **proof))


def track(path, kind="bgr", change=None, after=0):
    """What the GPU and the host say of a film, and the cost of each frame: a dict."""
    gpu, processor = open_both(path, log=lambda line: None)
    film = Elsewhere()
    box, frames = film.boxes[0], changed(film.frames + film.frames[-1:] * after, change)
    if kind == "nv12":
        frames = [PlanarFrame(planes_of(frame, "NV12")) for frame in frames]
    given = frames[1:]
    if kind == "bgrx":
        given = (np.dstack([frame, frame[:, :, 0]]) for frame in given)  # none is kept
    tracker = Tracker(gpu, recover=True)
    report = {
        "peaks": counted(tracker)
        if tracker.target.redetector and tracker.target.guard.chooses
        else []
    }
    # what is uploaded first must not need a mean colour of the device's memory
    report["found"], report["costs"] = follow(tracker, given, frames[0], box)
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


@pytest.mark.parametrize("options", [*KINDS, *LARGER])
def test_states_and_boxes_are_the_hosts(tmp_path, options):
    report = track(own_network(tmp_path), **options)
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
    usual = [number for number, cost in enumerate(report["costs"]) if not cost["traced"]]
    assert len(usual) > 0.8 * len(learnt)
    for number in usual:
        cost = report["costs"][number]
        assert cost["launches"] == 4 and cost["allocations"] == 0  # gather, crop, places, pooling
        assert cost["uploads"] == 2 and cost["synchronisations"] == 1
        read = FEATURES if learnt[number] else 0
        assert cost["download_bytes"] == PLACES + 7 * ROW + read


SHIPPED = ["kestrel", "kestrel_fast", "kestrel_small"]
MOST_BYTES = 16 << 10


FRAMES, AWAY = 12, 40  # with the target, and without it: the search begins after some


def twins():
    """Frames with patches of the same looks around the target, and the boxes of the target."""
    frames, truth = film(FRAMES, (0, 1))
    for frame, (x, y, w, h) in zip(frames, truth[:, 0].astype(int)):
        patch = frame[y : y + h, x : x + w].copy()
        for across, down in ((80, 10), (-75, 40), (10, 80)):
            left, top = max(x + across, 0), max(y + down, 0)
            place = frame[top : top + h, left : left + w]
            place[:] = patch[: place.shape[0], : place.shape[1]]
    return frames, truth


class Counted:
    """Counts a device's calls, one row for each call of its ``run``."""

    def __init__(self, gpu):
        self.rows = []
        self._run, gpu.run = gpu.run, self.run
        self.most = gpu.windows

    def run(self, frame, requests):
        answers = []
        row = cost_of(lambda: answers.extend(self._run(frame, requests)))
        results, step_ms = answers
        parts = [requests[n : n + self.most] for n in range(0, len(requests), self.most)]
        row.update(
            windows=len(requests),
            places=max(len(each.scores) for each in results),
            reads=sum(any(request.reads for request in part) for part in parts),
        )
        self.rows.append(row)
        return results, step_ms

    def take(self):
        """The rows so far, which are forgotten."""
        rows, self.rows = self.rows, []
        return rows


def costs_of(name):
    """The costs of calls: a followed target beside a similar one, a lost one, and five targets."""
    gpu, _ = open_both(name)
    rows, report = Counted(gpu), {}
    frames, truth = twins()

    tracker = Tracker(gpu, recover=True)
    tracker.init(frames[0], truth[0, 0])
    rows.take()
    for frame in frames[1:]:
        tracker.update(frame)
    report["choice"] = rows.take()
    noise = np.random.RandomState(1).randint(60, 140, frames[0].shape).astype(np.uint8)
    for index in range(AWAY):
        tracker.update(np.roll(noise, 9 * index, axis=1))
    report["lost"] = rows.take()[-8:]
    tracker.release()

    targets = Targets(gpu, Options(recover=True))
    x, y, w, h = truth[0, 0]
    for number in range(5):
        targets.add(frames[0], (x + 20 * number, y + 10 * number, w, h))
    rows.take()
    for frame in frames[1:]:
        targets.update(frame)
    report["targets"] = rows.take()
    close(gpu)
    return report


@pytest.mark.parametrize("name", SHIPPED)
def test_a_frame_is_one_upload_one_download_and_one_wait(name):
    """Of each network that ships: with the choice, lost, and with 5 targets."""
    report = costs_of(name)
    assert max(cost["places"] for cost in report["choice"]) > 1
    assert {cost["windows"] for cost in report["lost"]} == {1}
    assert min(cost["windows"] for cost in report["targets"]) == 5  # more where one is searched for
    for costs in report.values():
        assert len(costs) > 7 and any(not cost["reads"] for cost in costs)
        for cost in costs:
            calls = -(-cost["windows"] // 4)
            # records and pixels; gather, crop, places, pooling
            assert cost["uploads"] == 2 * calls and cost["launches"] == 4 * calls
            assert cost["synchronisations"] == calls and cost["allocations"] == 0
            assert cost["downloads"] == calls + cost["reads"] <= 2 * calls
            if not cost["reads"]:
                assert 0 < cost["download_bytes"] <= MOST_BYTES * calls
    assert not any(cost["reads"] for cost in report["lost"])


def test_a_target_among_similar_objects_has_the_hosts_boxes(tmp_path):
    report = track(own_network(tmp_path))
    check_alike(report["found"], report["wanted"])
    assert max(report["peaks"]) > 1
