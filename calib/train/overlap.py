"""One-step overlap: how well a network finds a target near where it was, without a tracker.

432 fixed pairs of crops from the annotated clips. A tracker's mean overlap on a few clips is
chaotic (one lost target moves it by 0.03); this is not, so it is what decisions are made by. The
clips are split: CHOOSE may be looked at while choosing, CONFIRM not.
"""

import csv
import pathlib

import cv2
import numpy as np

from calib.train.errors import BadImages
from calib.train.geometry import EXEMPLAR, SEARCH, STRIDE
from calib.train.pairs import context_side
from calib.train.pictures import PICTURES

CHOOSE = (
    "dtb70-MountainBike6", "mot15-TUD-Campus", "otb-Couple", "otb-David", "tir-airplane",
    "vot2015-ball1",
)  # fmt: skip
WINDOW = 0.2  # weight of the Hanning window
SEED, FRAMES = 5, 40  # a clip


def read_boxes(path):
    """boxes.csv -> float64 (frames, 4), NaN where there is no target."""
    with open(path, newline="") as file:
        rows = [[row[c] or "nan" for c in "xywh"] for row in csv.DictReader(file)]
    return np.array(rows, float)


def pictures_of(folder):
    """A clip's pictures in order."""
    pictures = folder / "img" if (folder / "img").is_dir() else folder
    return sorted(path for path in pictures.iterdir() if path.suffix.lower() in PICTURES)


def tracker_crop(frame, centre, side, out, fill):
    """NanoTrack's crop: a square of whole pixels, the outside filled, then resized."""
    side = int(side)
    low = np.floor(np.asarray(centre) - (side + 1) / 2 + 0.5).astype(int)
    high, limit = low + side, frame.shape[1::-1]
    a, b = np.maximum(low, 0), np.minimum(high, limit)
    patch = np.empty((side, side, 3), np.uint8)
    patch[:] = fill.astype(np.uint8)
    if (b > a).all():
        patch[a[1] - low[1] : b[1] - low[1], a[0] - low[0] : b[0] - low[0]] = frame[
            a[1] : b[1], a[0] : b[0]
        ]
    return patch if side == out else cv2.resize(patch, (out, out))


def centre_of(box):
    return box[:2] + (box[2:] - 1) / 2


class OneStep:
    """The pairs.

    Args:
        clips_dir: folder of clips, pictures in ``img`` or beside ``boxes.csv``.
        only: beginnings of the names of those to take; none: all.
        repeats: how often every frame is cut, each time from elsewhere; the first is the measure,
            more of them make it less a matter of luck.

    Attributes: ``clips`` (names), ``exemplars`` uint8 (clips,127,127,3), ``searches`` uint8
    (pairs,255,255,3), ``boxes`` (pairs, 4) as centre from the crop's centre and size in search
    pixels, ``clip`` (pairs,) index of the clip; 432 pairs of the eleven clips.
    """

    def __init__(self, clips_dir, only=("",), repeats=1):
        folders = sorted(path.parent for path in pathlib.Path(clips_dir).glob("*/boxes.csv"))
        folders = [folder for folder in folders if folder.name.startswith(tuple(only))]
        if not folders:
            raise BadImages(
                "{} has no annotated clips (folders with boxes.csv and pictures) of these names; "
                "name the folder of validation clips".format(clips_dir)
            )
        self.clips = [folder.name for folder in folders]
        self.exemplars, self.searches, self.boxes, self.clip = [], [], [], []
        for repeat in range(repeats):
            rng = np.random.default_rng(SEED + 100 * repeat)
            for index, folder in enumerate(folders):
                self._add(index, folder, rng)
        self.exemplars = self.exemplars[: len(folders)]  # the same in every round
        for name in ("exemplars", "searches", "boxes", "clip"):
            setattr(self, name, np.array(getattr(self, name)))

    def _add(self, index, folder, rng):
        paths, truth = pictures_of(folder), read_boxes(folder / "boxes.csv")
        first = cv2.imread(str(paths[0]))
        fill = first.mean((0, 1))
        side = round(context_side(*truth[0][2:]))
        self.exemplars.append(tracker_crop(first, centre_of(truth[0]), side, EXEMPLAR, fill))
        for i in np.linspace(2, len(paths) - 1, FRAMES).astype(int):
            if np.isnan(truth[i - 1 : i + 1]).any():
                continue
            before, now = truth[i - 1], truth[i]
            side = context_side(*before[2:]) * np.exp(rng.uniform(-0.1, 0.1))
            centre = centre_of(before) + rng.uniform(-0.12, 0.12, 2) * side
            side = round(side * SEARCH / EXEMPLAR)
            frame = cv2.imread(str(paths[i]))
            self.searches.append(tracker_crop(frame, centre, side, SEARCH, fill))
            offset = (centre_of(now) - centre) * SEARCH / side
            self.boxes.append(np.concatenate([offset, now[2:] * SEARCH / side]))
            self.clip.append(index)

    def overlaps(self, maps):
        """IoU of every pair.

        Args:
            maps: one (probability (n,n), distances (4,n,n) in search pixels) for every pair.
        """
        return np.array([overlap(*pair, box) for pair, box in zip(maps, self.boxes)])

    def summary(self, overlaps):
        """Mean over all pairs, over those of the CHOOSE clips, and over the others."""
        chosen = np.isin(np.array(self.clips)[self.clip], CHOOSE)
        parts = {"os": overlaps, "os_choose": overlaps[chosen], "os_confirm": overlaps[~chosen]}
        return {name: round(float(part.mean()), 4) for name, part in parts.items() if len(part)}


def overlap(probability, distances, box):
    """IoU of the best cell's box and ``box`` (centre from the crop's centre, size)."""
    n = len(probability)
    hann = np.hanning(n)
    weighed = probability * (1 - WINDOW) + np.outer(hann, hann) * WINDOW
    row, column = np.unravel_index(weighed.argmax(), weighed.shape)
    left, top, right, bottom = distances[:, row, column]
    x, y = (column - n // 2) * STRIDE, (row - n // 2) * STRIDE
    low, high = np.array([x - left, y - top]), np.array([x + right, y + bottom])
    true_low, true_high = box[:2] - box[2:] / 2, box[:2] + box[2:] / 2
    common = np.clip(np.minimum(high, true_high) - np.maximum(low, true_low), 0, None).prod()
    return common / ((high - low).prod() + box[2:].prod() - common)
