"""The definitions of pack and correlate agree with OpenCV and with slower arithmetic."""

import cv2
import numpy as np
import pytest

from hotpath.kernels import golden

pytestmark = pytest.mark.pythons("NumPy 1 and 2 promote integers differently")

IMAGE = np.random.RandomState(0).randint(0, 256, (4, 5, 3)).astype(np.uint8)


def test_pack_normalises_each_channel_in_float32():
    mean, scale = (1.5, 2.5, 3.5), (0.1, 0.2, 0.3)
    packed = golden.pack(IMAGE, mean, scale, swap=True)
    assert packed.shape == (1, 3, 4, 5) and packed.dtype == np.float32
    for channel in range(3):
        value = IMAGE[2, 3, 2 - channel].astype(np.float32)
        expected = (value - np.float32(mean[channel])) * np.float32(scale[channel])
        assert packed[0, channel, 2, 3] == expected


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_depthwise_correlation_is_opencvs_filter_of_each_channel(padding):
    random = np.random.RandomState(2)
    exemplar, search = random.normal(size=(5, 4, 3)), random.normal(size=(5, 9, 8))
    found = golden.correlate_depthwise(exemplar, search, padding)
    assert found.shape == (5, 9 + 2 * padding - 3, 8 + 2 * padding - 2)
    for channel in range(5):
        image = np.pad(search[channel], padding, mode="constant")
        filtered = cv2.filter2D(image, cv2.CV_64F, exemplar[channel], anchor=(0, 0))
        expected = filtered[: found.shape[1], : found.shape[2]]
        np.testing.assert_allclose(found[channel], expected, rtol=0, atol=1e-12)


def test_half_precision_is_float32_rounded_once():
    mean, scale = (120.25, 116.5, 103.75), (1 / 58.4, 1 / 57.1, 1 / 57.4)
    single = golden.pack(IMAGE, mean, scale)
    packed = golden.pack(IMAGE, mean, scale, dtype=np.float16)
    assert packed.dtype == np.float16
    np.testing.assert_array_equal(packed, single.astype(np.float16))
