"""The definitions that only a GPU's crop needs, against OpenCV and slower readings."""

import cv2
import numpy as np
import pytest

from kernels import golden

IMAGE = np.random.RandomState(0).randint(0, 256, (4, 5, 3)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(2, 2), (6, 4), (62, 34), (480, 640)])
def test_nv12_becomes_the_bgr_of_opencv(shape):
    random = np.random.RandomState(shape[0])
    height, width = shape
    luma = random.randint(0, 256, shape).astype(np.uint8)
    chroma = random.randint(0, 256, (height // 2, width)).astype(np.uint8)
    expected = cv2.cvtColor(np.vstack([luma, chroma]), cv2.COLOR_YUV2BGR_NV12)
    np.testing.assert_array_equal(golden.bgr_from_nv12(luma, chroma), expected)


def test_half_precision_is_float32_rounded_once():
    mean, scale = (120.25, 116.5, 103.75), (1 / 58.4, 1 / 57.1, 1 / 57.4)
    single = golden.pack(IMAGE, mean, scale)
    packed = golden.pack(IMAGE, mean, scale, dtype=np.float16)
    assert packed.dtype == np.float16
    np.testing.assert_array_equal(packed, single.astype(np.float16))


def test_int8_is_whole_steps_with_ties_to_even_and_ends_at_its_limits():
    grey = np.array([0, 1, 3, 5, 200, 255], np.uint8).reshape(1, 6, 1).repeat(3, axis=2)
    packed = golden.pack(grey, mean=(100, 0, 0), dtype=np.int8, step=2.0)
    assert packed.dtype == np.int8
    assert list(packed[0, 1, 0]) == [0, 0, 2, 2, 100, 127]
    assert list(packed[0, 0, 0][:2]) == [-50, -50]
    assert golden.pack(grey, mean=(255, 0, 0), dtype=np.int8)[0, 0, 0, 0] == -128
