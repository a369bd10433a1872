"""JPEG files for tests."""

import cv2
import numpy as np


def picture(width, height, seed=0, blur=1.2):
    """A BGR picture of smooth noise."""
    noise = np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), blur)


def encoded(bgr, sampling="420", quality=85):
    """A JPEG by simplejpeg; ``sampling``: 444, 422, 420, 440, 411 or Gray."""
    import simplejpeg

    if sampling == "Gray":
        return simplejpeg.encode_jpeg(bgr[:, :, :1].copy(), quality, "GRAY", sampling)
    return simplejpeg.encode_jpeg(bgr, quality, "BGR", sampling)


def without_tables(data):
    """A JPEG without its tables of codes, as cameras of Motion JPEG send it."""
    kept = [data[:2]]
    at = 2
    while data[at + 1] != 0xDA:
        length = data[at + 2] << 8 | data[at + 3]
        if data[at + 1] != 0xC4:
            kept.append(data[at : at + 2 + length])
        at += 2 + length
    return b"".join(kept) + data[at:]
