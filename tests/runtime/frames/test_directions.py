"""The direction to a target, against OpenCV's pinhole camera."""

import math

import cv2
import numpy as np
import pytest

import hotpath
from hotpath.runtime import BadBox, BadOption, bearing
from hotpath.runtime.frames.directions import vertical_fov_deg
from tests.support.errors import refusal

SIZE = 640, 480


def at(x, y):
    """A box with its middle in a point."""
    return x - 10, y - 15, 20, 30


def test_the_middle_is_ahead_and_edges_are_half_the_field_away():
    assert hotpath.bearing is bearing
    assert bearing(at(320, 240), SIZE, 60) == (0, 0)
    assert bearing(at(640, 240), SIZE, 60) == pytest.approx((30, 0))
    assert bearing(at(0, 240), SIZE, (60, 40)) == pytest.approx((-30, 0))
    assert bearing(at(320, 480), SIZE, (60, 40)) == pytest.approx((0, 20))
    assert bearing(at(320, 0), SIZE, 60).down == pytest.approx(-vertical_fov_deg(60, SIZE) / 2)


@pytest.mark.parametrize("point", [(12.5, 20), (600, 30), (320, 400), (70, 333)])
@pytest.mark.parametrize("as_list", [False, True])
def test_a_camera_matrix_gives_the_direction_as_opencv_does(point, as_list):
    matrix = np.array([[523.0, 0, 301], [0, 510, 260], [0, 0, 1]])
    right, down = bearing(at(*point), SIZE, matrix.tolist() if as_list else matrix)
    forward = math.cos(math.radians(down))
    ray = (
        forward * math.sin(math.radians(right)),
        math.sin(math.radians(down)),
        forward * math.cos(math.radians(right)),
    )
    none = np.zeros(3)
    seen, _ = cv2.projectPoints(np.array([ray]), none, none, matrix, None)
    assert seen.ravel() + 0.5 == pytest.approx(point)  # OpenCV's zero is the middle of a pixel


@pytest.mark.parametrize(
    "fov",
    [0, 180, -60, math.nan, "wide", None, (60, 0), (60, 40, 3), [[1, 2], [3, 4]]]
    + [np.zeros((3, 3)), np.full((3, 3), np.nan), [[1, 0, 0], [0, 1], [0, 0, 1]]],
)
def test_what_no_camera_has_is_refused(fov):
    with refusal(BadOption, "not an angle"):
        bearing(at(5, 5), SIZE, fov)


def test_the_shape_of_a_frame_is_not_its_size():
    with refusal(BadOption, "not a size"):
        bearing(at(5, 5), (480, 640, 3), 60)
    with pytest.raises(BadBox):
        bearing((1, 2, math.nan, 4), SIZE, 60)


def test_radians_are_not_taken_for_degrees():
    with refusal(BadOption, "radians"):
        bearing((300, 200, 40, 40), (640, 480), 1.08)
    bearing((300, 200, 40, 40), (640, 480), 2.3)  # a long lens
