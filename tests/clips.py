"""Annotated clips and the two figures that tests take from them.

A clip is a folder with ``img/`` (frames) and ``boxes.csv`` (frame,x,y,w,h; 0-based; empty when the
target is absent).
"""

import csv
import pathlib

import cv2
import numpy as np


class Clip:
    """One annotated clip.

    Attributes:
        name: of the folder.
        frames: paths of the pictures, in order.
        boxes: (frames, 4) float64 (x, y, w, h), NaN where the target is absent.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.name = self.folder.name
        self.frames = sorted((self.folder / "img").iterdir())
        self.boxes = np.full((len(self.frames), 4), np.nan)
        with open(str(self.folder / "boxes.csv")) as file:
            for row in csv.DictReader(file):
                values = [row[key] for key in "xywh"]
                if all(values) and int(row["frame"]) < len(self.frames):
                    self.boxes[int(row["frame"])] = [float(value) for value in values]

    def __len__(self):
        return len(self.frames)

    def __iter__(self):
        for path in self.frames:
            yield cv2.imread(str(path))


def clips_below(folder):
    """Every annotated clip in a folder of clips, sorted by name."""
    return [Clip(path.parent) for path in sorted(pathlib.Path(folder).glob("*/boxes.csv"))]


def follow(tracker, clip, frames=None):
    """Boxes that a tracker gives on a clip from its first box: (frames, 4) float64."""
    boxes = []
    for index, frame in enumerate(clip):
        if index == frames:
            break
        if index == 0:
            tracker.init(frame, clip.boxes[0])
            boxes.append(tuple(clip.boxes[0]))
        else:
            boxes.append(tracker.update(frame).box)
    return np.array(boxes)


def overlap(a, b):
    """Intersection over union of boxes (n, 4), element by element; NaN where a box is NaN."""
    a, b = np.atleast_2d(a), np.atleast_2d(b)
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    return common / (np.prod(a[:, 2:], axis=1) + np.prod(b[:, 2:], axis=1) - common)


def score(boxes, truth):
    """(AO, SR50): mean overlap and share of frames above 0.5, first and absent frames left out."""
    overlaps = overlap(boxes, truth[: len(boxes)])[1:]
    overlaps = overlaps[np.isfinite(overlaps)]
    return float(np.mean(overlaps)), float(np.mean(overlaps > 0.5))
