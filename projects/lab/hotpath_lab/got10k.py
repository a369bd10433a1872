"""Our tracker for the experiments of the GOT-10k toolkit (Huang et al.)."""

import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from hotpath.runtime.tracker import Tracker


class ToolkitTracker:
    """A tracker with the interface of the toolkit.

    Example:
        >>> tracker = ToolkitTracker(load_tracker("nanotrack_v2"))
        >>> ExperimentOTB("OTB100", version=2015).run(tracker)
    """

    is_deterministic = True

    def __init__(self, tracker: Tracker) -> None:
        self.tracker, self.name = tracker, tracker.name

    def track(
        self, img_files: Sequence[Any], box: Sequence[float], visualize: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Track over a list of pictures.

        Args:
            img_files: paths of the frames in order.
            box: (x, y, w, h) in the first frame.
            visualize: of the toolkit; nothing is shown.

        Returns:
            (boxes, times): (frames, 4) and (frames,) float64, pixels and seconds.
        """
        boxes, times = np.zeros((len(img_files), 4)), np.zeros(len(img_files))
        boxes[0] = box
        for index, path in enumerate(img_files):
            frame = cv2.imread(str(path))  # None where it can't be read: a ``BadFrame``
            started = time.perf_counter()
            if index == 0:
                self.tracker.init(frame, box)
            else:
                boxes[index] = self.tracker.update(frame).box
            times[index] = time.perf_counter() - started
        return boxes, times

    forward_test = track  # its name in the toolkit's later versions
