"""The camera's turn from one frame to the next is measured, or said to be unknown."""

import cv2
import numpy as np
import pytest

from runtime.recovery.camera import CameraMotion


@pytest.mark.parametrize("moved", [(0, 0), (6, -4), (-30, 12)])
def test_the_cameras_turn_is_measured(moved):
    scene = np.random.RandomState(3).randint(0, 255, (60, 90, 3)).astype(np.uint8)
    scene = cv2.resize(scene, (720, 480), interpolation=cv2.INTER_CUBIC)
    camera = CameraMotion()
    assert camera.see(scene[60:420, 60:660]) == (0.0, 0.0)  # there is no frame before
    x, y = moved
    found = camera.see(scene[60 - y : 420 - y, 60 - x : 660 - x])
    assert np.allclose(found, moved, atol=1.5)


def test_after_a_cut_nothing_is_known_of_the_camera():
    noise = np.random.RandomState(4)
    camera = CameraMotion()
    camera.see(noise.randint(0, 255, (360, 640, 3)).astype(np.uint8))
    assert camera.see(noise.randint(0, 255, (360, 640, 3)).astype(np.uint8)) == (0.0, 0.0)
