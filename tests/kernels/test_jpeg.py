"""The definition of decoding JPEG equals libjpeg, and refuses what it does not define."""

import cv2
import numpy as np
import pytest

from kernels import golden, jpeg
from tests.support.jpegs import encoded, picture, without_tables

simplejpeg = pytest.importorskip("simplejpeg")


@pytest.mark.parametrize("sampling", ["444", "422", "420", "Gray"])
@pytest.mark.parametrize("size", [(64, 48), (61, 43), (17, 9)])
@pytest.mark.parametrize("scale", jpeg.SCALES)
def test_pixels_are_those_of_libjpeg(sampling, size, scale):
    width, height = size
    data = encoded(picture(width, height), sampling, quality=30 + width)
    smallest = {"min_width": -(-width // scale), "min_height": -(-height // scale)}
    wanted = simplejpeg.decode_jpeg(data, "BGR", fastupsample=True, min_factor=scale, **smallest)
    np.testing.assert_array_equal(golden.bgr_from_planes(jpeg.decode(data, scale)), wanted)


def test_the_standard_tables_are_those_that_opencv_writes():
    data = cv2.imencode(".jpg", picture(64, 48))[1].tobytes()
    bare = without_tables(data)
    assert len(bare) < len(data) - 400
    for one, other in zip(jpeg.decode(data).planes, jpeg.decode(bare).planes):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("flag", ["IMWRITE_JPEG_PROGRESSIVE"])
def test_other_kinds_are_refused(flag):
    data = cv2.imencode(".jpg", picture(64, 48), [getattr(cv2, flag), 1])[1].tobytes()
    with pytest.raises(jpeg.NotBaseline):
        jpeg.decode(data)


def test_data_that_ends_early_is_refused():
    data = encoded(picture(64, 48), "420")
    with pytest.raises(jpeg.NotBaseline):
        jpeg.decode(data[: len(data) // 2] + b"\xff\xd9")
