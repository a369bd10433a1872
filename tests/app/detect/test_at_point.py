"""The object at a point is the smallest one there, also one that only a window shows."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.app.detect import load_detector
from hotpath.app.detect.boxes import boxes_around, nearest_to, smallest_at
from hotpath.runtime.boxes import overlaps
from tests.support import tiny_detector

pytest.importorskip("onnxruntime")

BOXES = [(0, 0, 100, 100), (40, 40, 20, 20), (10, 10, 60, 60), (200, 0, 10, 40)]


def test_the_smallest_box_around_a_point_is_taken():
    assert smallest_at(BOXES, (50, 50)) == (40, 40, 20, 20)
    assert smallest_at(BOXES, (15, 15)) == (10, 10, 60, 60)
    assert smallest_at(BOXES, (15, 15), reach=0.4) == (0, 0, 100, 100)
    assert smallest_at(BOXES, (15, 15), largest_px2=3000) is None
    assert smallest_at(BOXES, (150, 50)) is None
    assert smallest_at(np.zeros((0, 4)), (150, 50)) is None


def test_a_point_beside_a_box_takes_the_nearest_if_not_far():
    assert nearest_to(BOXES, (196, 20)) == (200, 0, 10, 40)
    assert nearest_to(BOXES, (140, 50)) == (0, 0, 100, 100)
    assert nearest_to(BOXES, (160, 50)) is None
    assert nearest_to(np.zeros((0, 4)), (1, 1)) is None


def test_a_small_object_is_found_in_a_window_around_the_point(tmp_path):
    """The detector has one size of boxes, so that only a window of the right size fits."""
    detector = load_detector(tiny_detector.write_detector(tmp_path), classes=["red"])
    frame = np.zeros((256, 512, 3), np.uint8)
    frame[100:124, 300:324, 2] = 255  # 24 pixels: BOX of a window of 128
    found = boxes_around(detector, frame, (312.0, 112.0))
    assert overlaps([(300, 100, 24, 24)], found).max() > 0.5
    assert overlaps([(300, 100, 24, 24)], detector.detect(frame).boxes).max(initial=0) < 0.3


class Everywhere:
    """Finds a box at each side of any picture, and one in its middle."""

    def detect(self, frame):
        y, x = (side - 10 for side in frame.shape[:2])
        corners = [(0, y / 2), (x, y / 2), (x / 2, 0), (x / 2, y), (x / 2, y / 2)]
        return SimpleNamespace(boxes=np.array([corner + (10, 10) for corner in corners]))


@pytest.mark.parametrize(
    "point, count",
    [((0.0, 0.0), 5 + 4 + 3), ((511.0, 255.0), 5 + 4 + 3), ((256.0, 128.0), 5 + 3 + 1)],
)
def test_windows_stay_inside_the_frame_and_leave_cut_objects_out(point, count):
    found = boxes_around(Everywhere(), np.zeros((256, 512, 3), np.uint8), point)
    assert len(found) == count  # in the frame, in the large window, in the small one
    in_the_middle = (np.abs(found[:, :2] + 5 - point) < 2).all(axis=1)
    assert in_the_middle.sum() == (3 if point == (256.0, 128.0) else 0)
    assert (found[:, :2] >= 0).all() and (found[:, :2] + found[:, 2:] <= (512, 256)).all()
