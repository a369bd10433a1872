"""Clips for long films: bright rectangles that drift over black, in two halves."""

import cv2
import numpy as np
import pytest

from tests.support import tiny
from tests.support.clips import write_boxes


@pytest.fixture(scope="package")
def halves(tmp_path_factory):
    """The folders of two sets of two clips, with other sizes and lengths."""
    place, folders = tmp_path_factory.mktemp("clips"), []
    for half, start in (("one", 0), ("two", 30)):
        for name, length, scale in (("far", 64, 1.0), ("near", 70, 1.25)):
            pictures, boxes = tiny.film(100)
            folder = place / half / f"{half}-{name}"
            (folder / "img").mkdir(parents=True)
            for index in range(length):
                picture = cv2.resize(pictures[start + index], None, fx=scale, fy=scale)
                cv2.imwrite(str(folder / "img" / f"{index:04d}.png"), picture)
            write_boxes(folder / "boxes.csv", np.array(boxes[start : start + length]) * scale)
        folders.append(place / half)
    return folders
