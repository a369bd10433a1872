"""Clips for long films: bright rectangles that drift over black, in two halves."""

import cv2
import numpy as np
import pytest

from hotpath_lab.longterm import films
from tests.support import tiny
from tests.support.clips import write_clip


@pytest.fixture(scope="package")
def halves(tmp_path_factory):
    """The folders of two sets of two clips, with other sizes and lengths."""
    place = tmp_path_factory.mktemp("clips")
    folders = []
    for half, start in (("one", 0), ("two", 30)):
        for name, length, scale in (("far", 64, 1.0), ("near", 70, 1.25)):
            pictures, boxes = tiny.film(100)
            part = slice(start, start + length)
            shown = [cv2.resize(picture, None, fx=scale, fy=scale) for picture in pictures[part]]
            write_clip(place / half / f"{half}-{name}", shown, np.array(boxes[part]) * scale)
        folders.append(place / half)
    return folders


def describe(halves, path, *more):
    """Describe long films of both halves; returns the exit code."""
    given = ["--development", halves[0], "--report", halves[1], "--out", path, *more]
    return films.main([str(each) for each in given])


@pytest.fixture(scope="module")
def place(halves, tmp_path_factory):
    """A folder with ``films.json``, one film of each half, and the tiny network."""
    folder = tmp_path_factory.mktemp("place")
    tiny.write_network(folder, tiny.watched(**tiny.LOSSY))
    assert describe(halves, folder / "films.json", "--count", "1") == 0
    return folder
