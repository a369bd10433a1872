"""The camera's motion between two frames, for ``--steady``.

Sparse optical flow follows corners of a small grey picture from one frame to the next. The motion
that most of them share is the camera's. The result depends on no clock and no random numbers.
"""

import math
from typing import Any, Optional, Sequence, Tuple

import cv2
import numpy as np

from hotpath.runtime.pictures import AnyFrame, every_pixel

SIDE_PX = 320  # about the longer side of the small picture
CORNERS, QUALITY, APART_PX = 60, 0.01, 8  # the most corners; OpenCV's goodFeaturesToTrack
FLOW: Any = dict(winSize=(13, 13), maxLevel=3, criteria=(3, 10, 0.03))
EDGE_PX = 3  # around a box, pixels of the small picture: corners there are half the target's
LEAST = 12  # corners that must agree, and the share of all that were followed
AGREE_SHARE, AGREE_PX = 0.4, 1.5  # pixels of the small picture
LEARNT, ERRORS_LEARNT = 0.2, 0.1  # shares of a frame in a target's own motion, and in its errors
BETTER = 0.85  # of the last place's error: below it the prediction counts
ROUNDS = 4  # of the fit, each without the corners that disagree with the last one

Affine = Any  # float64 (2, 3): where it takes (x, y, 1), frame pixels


class CameraMotion:
    """Compares each frame with the one before it."""

    def __init__(self) -> None:
        self._before: Optional[np.ndarray] = None
        self._size: Sequence[int] = ()  # of the frame before, height and width

    def begin(self, frame: AnyFrame) -> None:
        """Set the frame to compare the next one with."""
        self._before, self._size = small_grey(frame)[0], frame.shape[:2]

    def between(self, frame: AnyFrame, boxes: Sequence[Any] = ()) -> Optional[Affine]:
        """Return the similarity transform from the last frame's background to this frame's.

        Args:
            frame: the frame, of any kind.
            boxes: (x, y, w, h) of the targets in the last frame. Corners in them are ignored.

        Returns:
            float64 (2, 3), frame pixels. None for the first frame, after a change of the frame's
            size, or if too few corners agree.
        """
        grey, step = small_grey(frame)
        before, size = self._before, self._size
        self._before, self._size = grey, frame.shape[:2]
        if before is None or size != self._size:
            return None
        mask = _mask(before.shape, boxes, step)
        corners = cv2.goodFeaturesToTrack(before, CORNERS, QUALITY, APART_PX, mask=mask)
        if corners is None or len(corners) < LEAST:
            return None
        after, found, _ = cv2.calcOpticalFlowPyrLK(before, grey, corners, None, **FLOW)
        good = found.ravel() == 1
        motion = fit(corners[good, 0].astype(float), after[good, 0].astype(float))
        if motion is not None:
            # in frame pixels, whose first one's centre is (step - 1) / 2 before a small one's
            first = 0.5 * (step - 1) * (np.eye(2) - motion[:, :2]).sum(axis=1)
            motion[:, 2] = step * motion[:, 2] + first
        return motion


class Ahead:
    """Predicts a target's place in the next frame from the camera's motion and the target's own.

    A camera that follows its target moves the background and not the target. So ``Ahead`` learns
    the target's motion against the background. If its prediction is worse than the last place, as
    with water or a crowd behind the target, the last place is used.
    """

    def __init__(self) -> None:
        self._own = np.zeros(2)  # motion against the background, pixels a frame
        self._errors = np.zeros(2)  # means of last frames, of the prediction and of the last place
        self._carried: Any = None  # centre, [cx, cy], if the target had stood still on it
        self._before: Any = None  # its state before the camera moved

    def of(self, state: np.ndarray, motion: Optional[Affine], tracked: bool) -> np.ndarray:
        """Predict the state in the next frame, float64 [cx, cy, w, h].

        Args:
            state: [cx, cy, w, h] in the last frame, frame pixels.
            motion: the camera's motion since then. None leaves the state unchanged.
            tracked: whether the target is certainly there.
        """
        if self._carried is not None and tracked:
            seen, places = state[:2], np.array([self._carried + self._own, self._before[:2]])
            side = math.sqrt(max(self._before[2] * self._before[3], 1.0))
            errors = np.hypot(*(places - seen).T) / side
            self._errors += ERRORS_LEARNT * (errors - self._errors)
            self._own = self._own + LEARNT * (seen - self._carried - self._own)
        self._before, self._carried = state, None
        if motion is None:
            return state
        result = moved(state, motion)
        self._carried = result[:2].copy()
        result[:2] += self._own
        return result if self._errors[0] < BETTER * self._errors[1] else state


def moved(state: np.ndarray, motion: Affine) -> np.ndarray:
    """Return the state with its centre moved by the camera: a new float64 [cx, cy, w, h]."""
    result = state.copy()
    result[:2] = motion[:, :2] @ state[:2] + motion[:, 2]
    return result


def small_grey(frame: AnyFrame) -> Tuple[np.ndarray, int]:
    """Return a small grey picture of a frame, uint8, and its pixel size in frame pixels."""
    height, width = frame.shape[:2]
    step = max(1, int(round(max(height, width) / SIDE_PX)))
    if isinstance(frame, np.ndarray):
        size = max(1, width // step), max(1, height // step)
        part = frame[: size[1] * step, : size[0] * step]
        small = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR) if step > 1 else part
    else:
        small = every_pixel(frame, step)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), step


def _mask(shape: Sequence[int], boxes: Sequence[Any], step: int) -> np.ndarray:
    """Where corners may be: 255; 0 in the boxes and at their edges."""
    mask = np.full(shape, 255, np.uint8)
    for x, y, w, h in boxes:
        near, far = (
            (at / step + side).astype(int)
            for at, side in ((np.array([x, y]), -EDGE_PX), (np.array([x + w, y + h]), EDGE_PX + 1))
        )
        (left, top), (right, bottom) = np.maximum(near, 0), np.maximum(far, 0)
        mask[top:bottom, left:right] = 0
    return mask


def fit(points: np.ndarray, moved: np.ndarray) -> Optional[Affine]:
    """Fit the similarity transform that most pairs of points agree on; None if too few agree.

    Args:
        points, moved: float64 (n, 2) each, the corners before and after.
    """
    needed = max(LEAST, AGREE_SHARE * len(points))
    if len(points) < needed:
        return None
    motion = np.eye(2, 3)
    motion[:, 2] = np.median(moved - points, axis=0)
    limit = 4 * AGREE_PX
    for _ in range(ROUNDS):
        errors = np.hypot(*(points @ motion[:, :2].T + motion[:, 2] - moved).T)
        agree = errors < limit
        if agree.sum() < needed:
            return None
        motion, limit = _similarity(points[agree], moved[agree]), max(AGREE_PX, limit / 2)
    return motion


def _similarity(points: np.ndarray, moved: np.ndarray) -> Affine:
    """The similarity of least squares."""
    a, b = points.mean(0), moved.mean(0)
    p, q = points - a, moved - b
    total = max((p * p).sum(), 1e-9)
    cosine, sine = (p * q).sum() / total, (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / total
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([turn, b - turn @ a])
