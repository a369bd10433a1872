"""The call by which experiments of the GOT-10k toolkit run a tracker."""

import time
from typing import Any, Sequence, Tuple

import cv2
import numpy as np


def track(
    tracker: Any, img_files: Sequence[Any], box: Sequence[float]
) -> Tuple[np.ndarray, np.ndarray]:
    """Track over a list of pictures.

    Args:
        tracker: the ``Tracker``; its file imports this one.
        img_files: paths of the frames in order.
        box: (x, y, w, h) in the first frame.

    Returns:
        (boxes, times): (frames, 4) and (frames,) float64, pixels and seconds.
    """
    boxes, times = np.zeros((len(img_files), 4)), np.zeros(len(img_files))
    boxes[0] = box
    for index, path in enumerate(img_files):
        frame = cv2.imread(str(path))  # None where it can't be read: a ``BadFrame``
        started = time.perf_counter()
        if index == 0:
            tracker.init(frame, box)
        else:
            boxes[index] = tracker.update(frame).box
        times[index] = time.perf_counter() - started
    return boxes, times
