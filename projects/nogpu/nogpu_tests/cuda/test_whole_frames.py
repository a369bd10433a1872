"""Whole frames of every network's family on the GPU path give the boxes of the host's tracker.

The kernels run on the processor, under the real PyCUDA.
"""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from hotpath.graphs import assemble
from hotpath.runtime.devices.gpu import SELECTS
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.options import Options
from hotpath.runtime.targets.exclusion import Decision, Exclusion
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.tracker.tracker import Tracker
from hotpath_nogpu.cuda.onnx_engine import close, cost_of, open_both, read_clip
from tests.support import blobs
from tests.support.described import load_network, names
from tests.support.examples import count, few_of

pytestmark = [pytest.mark.fake_gpu(), pytest.mark.timeout(1500)]
CLIPS = ("otb-Couple", "otb-David")
AWAY = 40  # frames that show something else


def follow(tracker, frames, box):
    """Boxes, scores and lost flags of a clip."""
    tracker.init(frames[0], box)
    tracks = [tracker.update(frame) for frame in frames[1:]]
    return [[list(track.box), track.score, bool(track.lost)] for track in tracks]


def track(name, clips, files=None, frames=60):
    """What the GPU and the host say of clips, and what a frame costs: a dict for each clip."""
    gpu, processor = open_both(name, files)
    report = []
    for folder in clips:
        pictures, box = read_clip(folder, frames)
        tracker = Tracker(gpu, recover=False)
        found = follow(tracker, pictures, box)
        wanted = follow(Tracker(processor, recover=False), pictures, box)
        cost = cost_of(lambda: tracker.update(pictures[-1]))  # noqa: B023
        tracker.release()
        report.append({"found": found, "wanted": wanted, "frame": cost})
    close(gpu)
    return report


def check(report):
    """Check that all boxes are the host's, and what a frame costs."""
    for clip in report:
        found, wanted = (
            np.array([track[0] for track in clip[side]]) for side in ("found", "wanted")
        )
        assert len({tuple(box) for box in found}) > len(found) // 2
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
        for one, other in zip(clip["found"], clip["wanted"]):
            assert abs(one[1] - other[1]) < 1e-5 and one[2] == other[2]
        check_cost(clip["frame"], 1)


def check_cost(frame, targets):
    """One upload of pixels and one of records; gather, crop, and perhaps select."""
    assert frame["allocations"] == 0 and frame["uploads"] == 2
    assert frame["synchronisations"] == 1 and frame["launches"] >= 2


def located(name, folder):
    """The network, or None where its files are not at hand."""
    network = load_network(name)
    try:
        assemble.build(network, network.locate(folder))
    except BadNetwork:  # no files, or an onnx that is too old for a quantised one
        return None
    return network


FAMILIES = {*SELECTS, "anchors", "corners", "response"}  # the processor selects in the last three
NAMES = [name for name in names() if load_network(name).family in FAMILIES]
FEW = [name for name in blobs.FEW if name in NAMES]


@pytest.mark.parametrize("name", few_of(NAMES, FEW, "a network of the same family is tested"))
def test_boxes_are_the_hosts(name, tmp_path, clips_dir, networks_dir):
    clips = [clips_dir / clip for clip in CLIPS[: count(1, 2)]]
    if located(name, networks_dir):
        report = track(name, clips, files=networks_dir, frames=count(15, 60))
    else:
        report = track(blobs.write_network(tmp_path, name), clips[:1], frames=count(15, 20))
    check(report)


# networks of each family
SEVERAL = ["kestrel", "lightfc", "siamrpnpp_resnet50", "stark_s50"]


def follow_several(gpu, other, frames, box, count):
    """What several targets and the same targets one by one find, and what a frame costs."""
    x, y, w, h = box
    told = []
    boxes = [(x + i * w / 4, y + i * h / 5, w, h) for i in range(count)]
    targets = Targets(gpu, Options(recover=False))
    for first in boxes[:-1]:
        targets.add(frames[0], first)
    for index, frame in enumerate(frames[1:]):
        if index == 2:  # the last one comes late, and the first one goes
            targets.add(frames[0], boxes[-1])
        if index == len(frames) - 4:
            targets.drop(0)
        tracks = {}
        cost = cost_of(lambda: tracks.update(targets.update(frame)))  # noqa: B023
        told.append({number: list(track.box) for number, track in tracks.items()})
    for number in targets.numbers:
        targets.drop(number)
    wanted = []
    for number, first in enumerate(boxes):
        late = number == len(boxes) - 1
        alone = Tracker(other, recover=False)
        wanted.append([t[0] for t in follow(alone, frames[:1] + frames[1 + 2 * late :], first)])
        alone.release()
    return told, wanted, cost


@pytest.mark.parametrize("name", few_of(SEVERAL, ["kestrel", "lightfc"], "as they"))
def test_each_of_several_targets_is_found_as_alone_on_the_host(
    name, tmp_path, clips_dir, monkeypatch
):
    def each_finds_what_it_finds(self, trackers, tracks, shape, losers):
        return {number: Decision(track, None, None) for number, track in tracks.items()}

    monkeypatch.setattr(Exclusion, "assign_objects", each_finds_what_it_finds)
    gpu, processor = open_both(name if name == "kestrel" else blobs.write_network(tmp_path, name))
    told, wanted, cost = follow_several(gpu, processor, *read_clip(clips_dir / CLIPS[1], 8), 3)
    close(gpu)
    last = len(wanted) - 1
    for index, found in enumerate(told):
        for number, box in found.items():
            at = index - 2 if number == last else index  # the last target comes 2 late
            np.testing.assert_allclose(box, wanted[number][at], rtol=0, atol=2e-3)
    assert 0 in told[0] and 0 not in told[-1]
    assert len({tuple(box) for box in told[-1].values()}) == last
    check_cost(cost, last)


def interrupted(frames):
    """The frames, a part of them of a grey noise in which there is no target."""
    start = len(frames) // 3
    noise = np.random.RandomState(3).randint(60, 140, (2,) + frames[0].shape).astype(np.uint8)
    away = [noise[n % 2] for n in range(min(AWAY, len(frames) // 3))]
    return frames[:start] + away + frames[start + len(away) :]


def judged(tracker, frames, box):
    """[state, found] of every frame, and its box, score and presence."""
    tracker.init(frames[0], box)
    tracks = [tracker.update(frame) for frame in frames[1:]]
    tracker.release()
    numbers = [(*track.box, track.score, track.presence) for track in tracks]
    return [[track.state, track.found] for track in tracks], np.array(numbers, float)


def check_equality(names, clips, count):
    """Check states, boxes and presence of the defaults, also after losses."""
    for name in names:
        gpu, processor = open_both(name)
        lost = 0
        for clip in clips:
            frames, box = read_clip(clip, count)
            frames = interrupted(frames)
            (messages, found), (wanted, numbers) = (
                judged(Tracker(device, recover=True), frames, box) for device in (gpu, processor)
            )
            assert messages == wanted, clip
            np.testing.assert_allclose(found, numbers, rtol=0, atol=1e-4, err_msg=str(clip))
            np.testing.assert_allclose(found[:, 4], numbers[:, 4], rtol=0, atol=1e-5)
            lost += sum(state == "lost" for state, _ in wanted)
        close(gpu)
        assert lost > 0


def test_the_defaults_judge_a_loss_as_the_host_does(clips_dir):
    check_equality(["kestrel_fast"], [clips_dir / CLIPS[1]], 90)


@pytest.mark.slow("300 frames of each development clip")
def test_the_defaults_say_of_every_clip_what_the_host_says(clips_dir):
    clips = sorted(path.parent for path in clips_dir.glob("*/boxes.csv"))
    check_equality(["kestrel", "kestrel_fast", "kestrel_small"], clips, 300)
