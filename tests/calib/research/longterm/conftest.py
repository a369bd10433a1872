"""Clips for long films: bright rectangles that drift over black, in two halves."""

import cv2
import numpy as np
import pytest

from tests.support import tiny
from tests.support.clips import write_clip


@pytest.fixture(scope="package")
def halves(tmp_path_factory):
    """The folders of two sets of two clips, with other sizes and lengths."""
    place, folders = tmp_path_factory.mktemp("clips"), []
    for half, start in (("one", 0), ("two", 30)):
        for name, length, scale in (("far", 64, 1.0), ("near", 70, 1.25)):
            pictures, boxes = tiny.film(100)
            part = slice(start, start + length)
            shown = [cv2.resize(picture, None, fx=scale, fy=scale) for picture in pictures[part]]
            write_clip(place / half / f"{half}-{name}", shown, np.array(boxes[part]) * scale)
        folders.append(place / half)
    return folders
