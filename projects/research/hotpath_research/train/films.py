"""Pairs across time: the teacher follows things through the videos of a bank.

Stills show no change of appearance. In a video, the teacher's tracker says where a thing is seconds
later. Only pictures in which it is sure count.
"""

import copy
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hotpath.base import cache
from hotpath.runtime.decode.centre import Centre
from hotpath_research.train.bank import VIDEO, Bank
from hotpath_research.train.geometry import EXEMPLAR, EXEMPLAR_FACTOR, SEARCH, SEARCH_FACTOR
from hotpath_research.train.teacher import Teacher

STARTS, BOXES = 2, 3  # places in a video from which things are followed, things followed from each
SURE, UNSURE = 0.4, 0.25  # least score of a picture that counts; below UNSURE it may be lost
PATIENCE = 3  # unsure pictures after which a track ends
FEWEST = 4  # sure pictures of a track
SMALLEST = 6  # pixels, of a side


class Films:
    """Tracks of things through videos.

    Args:
        path: file of ``write_tracks``.

    Attributes:
        tracks: each float32 (n, 5): index of the picture in the bank, centre x, y and size w, h in
            its pixels. Only pictures in which the teacher was sure, in order of time.
    """

    def __init__(self, path: str | Path) -> None:
        with np.load(path) as file:
            rows, ends = file["rows"], file["ends"]
        self.tracks = np.split(rows, ends[:-1]) if len(ends) else []

    def __len__(self) -> int:
        return len(self.tracks)


class TeacherTracker:
    """The teacher's tracker, with the family's own selection.

    Args:
        teacher: the ``Teacher``.
    """

    def __init__(self, teacher: Teacher) -> None:
        network = copy.copy(teacher.network)
        network.min_size = SMALLEST
        network.score = "none"  # the teacher gives probabilities
        self._teacher = teacher
        self._decoder = Centre(network)

    def track(self, pictures: Any, box: np.ndarray) -> np.ndarray:
        """Boxes (n, 4) as centre and size, and scores: (n, 5), up to where the thing is lost.

        Args:
            pictures: BGR uint8; the box is in the first one.
            box: centre x, y and size w, h in its pixels.
        """
        rows = []
        doubts = 0
        exemplar = None
        state = np.array(box, float)
        for picture in pictures:
            if exemplar is None:
                crop, _ = _cut(picture, state, EXEMPLAR_FACTOR, EXEMPLAR)
                exemplar, _ = self._teacher.exemplar(crop)
                rows.append([*state, 1.0])
                continue
            crop, scale = _cut(picture, state, SEARCH_FACTOR, SEARCH)
            *maps, _ = self._teacher.search(exemplar, crop)
            height, width = picture.shape[:2]
            cell, _ = self._decoder.select(maps, state, (scale, scale), width, height)
            score = float(maps[0].flat[cell])
            rows.append([*state, score])
            doubts = doubts + 1 if score < UNSURE else 0
            if doubts == PATIENCE:
                break
        return np.array(rows)


def _cut(picture: np.ndarray, box: np.ndarray, factor: float, out: int) -> tuple[np.ndarray, float]:
    """The square around a box, black outside of the picture, and its pixels per frame pixel."""
    scale = out / (factor * float(np.sqrt(box[2] * box[3])))
    matrix = np.array([[scale, 0, 0], [0, scale, 0]])
    matrix[:, 2] = (out - 1) / 2 - scale * box[:2]
    return np.asarray(cv2.warpAffine(picture, matrix, (out, out))), scale


def write_tracks(bank: Bank, teacher: Teacher, path: Path, seed: int) -> None:
    """Track things through all videos of the bank that may be trained on; written once."""
    if path.is_file():
        return
    tracker = TeacherTracker(teacher)
    rng = np.random.default_rng(seed)
    rows = [np.zeros((0, 5))]
    ends = []
    videos = bank.group[(bank.kind == VIDEO) & ~bank.held]
    for group in np.unique(videos):
        frames = np.flatnonzero(bank.group == group)
        for start in range(STARTS):
            part = frames[len(frames) * start // STARTS :]
            for choice in rng.permutation(bank.boxes.shape[1])[:BOXES]:
                tracked = tracker.track(map(bank.picture, part), bank.boxes[part[0]][choice])
                sure = tracked[:, 4] >= SURE
                if sure.sum() >= FEWEST:
                    rows.append(np.column_stack([part[: len(tracked)], tracked[:, :4]])[sure])
                    ends.append(len(rows[-1]))
    new = path.with_suffix(".new.npz")
    np.savez(new, rows=np.concatenate(rows).astype(np.float32), ends=np.cumsum(ends))
    cache.replace(str(new), str(path))
