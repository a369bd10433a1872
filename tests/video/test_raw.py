"""A camera's raw buffers as planes; ``test_camera.py`` has their reuse."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.video.raw import RawCapture, planes_in
from tests.support.pictures_in_planes import planes_of

WIDTH, HEIGHT = 64, 48


def test_a_buffer_of_another_size_is_no_frame():
    short = SimpleNamespace(read=lambda buffer: (True, np.zeros((HEIGHT + 1, WIDTH, 2), np.uint8)))
    assert RawCapture(short, "YUYV", (WIDTH, HEIGHT)).read() == (False, None)


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
