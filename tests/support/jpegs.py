"""A picture for tests, of which JPEG files are made."""

import cv2
import numpy as np


def picture(width, height, seed=0, blur=1.2):
    """A BGR picture of smooth noise."""
    noise = np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), blur)
