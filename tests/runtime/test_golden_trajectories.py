"""Boxes equal those of the original trackers: PyTorch's trajectories on real clips."""

import csv
import itertools

import numpy as np
import pytest

from hotpath.runtime import engines, load_tracker
from hotpath.runtime.frames.boxes import overlap
from hotpath.video.clips import find_clips
from hotpath_lab.metrics import figures
from tests.support.examples import count

NETWORKS = ("nanotrack_v1", "nanotrack_v2", "nanotrack_v3")
CASES = [(network, engine) for network in NETWORKS for engine in engines.installed()]
IDS = ["-".join(case) for case in CASES]

FIRST = count(8, 20)


@pytest.fixture(scope="module")
def first_frames(shared):
    return run_all(shared, FIRST)


@pytest.fixture(scope="module")
def runs(shared):
    return run_all(shared, None)


def run_all(shared, frames):
    """dict of (network, engine) -> dict of clip name -> (boxes, golden boxes, true boxes)."""
    # without the search, which also chooses among the peaks
    options = {"precision": "fp32", "networks_dir": shared / "models", "recover": False}
    trackers = {case: load_tracker(case[0], engine=case[1], **options) for case in CASES}
    found = {case: {} for case in CASES}
    for clip in find_clips([shared / "clips"]):
        boxes = {case: [] for case in CASES}
        for index, frame in enumerate(itertools.islice(clip, frames)):
            for case, tracker in trackers.items():
                if index == 0:
                    tracker.init(frame, clip.boxes[0])
                    boxes[case].append(tuple(clip.boxes[0]))
                else:
                    tracker.update(frame)
                    boxes[case].append(tracker.box)  # also of a lost one
        for case in CASES:
            golden = _golden(shared / "golden" / f"{clip.name}.{case[0][-2:]}.csv")
            found[case][clip.name] = (np.array(boxes[case]), golden, clip.boxes)
    return found


def _golden(path):
    with open(str(path)) as file:
        return np.array([[float(row[key]) for key in "xywh"] for row in csv.DictReader(file)])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_first_frames_have_the_boxes_of_the_original_tracker(first_frames, case):
    assert len(first_frames[case]) >= 11
    for name, (boxes, golden, _) in first_frames[case].items():
        assert overlap(boxes, golden[:FIRST]).min() >= 0.97, name


@pytest.mark.slow("whole clips")
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_mean_overlap_is_that_of_the_original_tracker(runs, case):
    # a long clip can flip between drift and no drift on the last bit of a float, so one may differ
    differ = {}
    for name, (boxes, golden, truth) in runs[case].items():
        ours, theirs = figures(boxes, truth)["ao"], figures(golden, truth)["ao"]
        if abs(ours - theirs) > 0.02:
            differ[name] = ours, theirs
    print("clips whose overlap differs:", differ or "none")
    assert len(runs[case]) >= 11
    assert len(differ) <= 1, differ
