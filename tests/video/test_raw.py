"""A camera's raw buffers: written again when no frame uses them, and never before."""

import numpy as np
import pytest

from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.video.raw import RawCapture, planes_in
from tests.support.pictures_in_planes import planes_of

WIDTH, HEIGHT = 64, 48


class Capture:
    """Gives YUYV pictures of one value that counts up, in the buffer that it is given."""

    def __init__(self):
        self.value = 0
        self.buffers = set()

    def read(self, buffer=None):
        self.value += 1
        if buffer is None:
            buffer = np.empty((HEIGHT, WIDTH, 2), np.uint8)
        buffer[:] = self.value
        self.buffers.add(buffer.ctypes.data)
        return True, buffer


def test_frames_that_are_held_keep_their_pixels():
    camera = RawCapture(Capture(), "YUYV", (WIDTH, HEIGHT))
    frames = [camera.read()[1] for _ in range(12)]
    assert all(isinstance(frame, PlanarFrame) for frame in frames)
    assert [int(frame.planes.planes[0][0, 0]) for frame in frames] == list(range(1, 13))


def test_buffers_are_written_again_when_no_frame_uses_them():
    capture = Capture()
    camera = RawCapture(capture, "YUYV", (WIDTH, HEIGHT))
    held = []
    for _ in range(40):
        held = held[-1:] + [camera.read()[1]]
    assert len(capture.buffers) <= 4


def test_a_buffer_of_another_size_is_no_frame():
    class Short(Capture):
        def read(self, buffer=None):
            return True, np.zeros((HEIGHT - 1, WIDTH, 2), np.uint8)

    assert RawCapture(Short(), "YUYV", (WIDTH, HEIGHT)).read() == (False, None)


@pytest.mark.parametrize("kind", ["YUYV", "NV12", "I420"])
@pytest.mark.parametrize("gap", [0, 16])
def test_rows_of_planes_may_have_gaps(kind, gap):
    frame = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    wanted = planes_of(frame, kind).planes
    row_bytes = wanted[0].shape[1] + gap
    rows = [row_bytes] + [row_bytes // (2 if kind == "I420" else 1)] * (len(wanted) - 1)
    wide = [np.pad(p, ((0, 0), (0, n - p.shape[1])), "constant") for p, n in zip(wanted, rows)]
    pixels = np.concatenate([plane.ravel() for plane in wide])
    found = planes_in(pixels, kind, (8, 6), row_bytes if gap else 0).planes
    assert all(np.array_equal(a, b) for a, b in zip(found, wanted)) and len(found) == len(wanted)
