"""Our tracker for the experiments of the GOT-10k toolkit (Huang et al.): OTB, LaSOT, VOT, …

The toolkit itself is not needed here: its experiments ask for a name and these methods.
"""

import time
from typing import Any, Optional, Sequence, Tuple

import cv2
import numpy as np

from hotpath.runtime import load_tracker
from hotpath.runtime.options import PathLike
from hotpath.runtime.types import Box


class Got10kTracker:
    """A Hotpath tracker with the interface of the toolkit's ``got10k.trackers.Tracker``.

    Args:
        network, options: as in ``hotpath.load_tracker``.
        name: name of the folder of results; None takes that of the network.

    Attributes:
        tracker: the ``hotpath.runtime.tracker.tracker.Tracker``.

    Example:
        >>> tracker = Tracker("kestrel", precision="fp32")
        >>> tracker.name  # ExperimentOTB("OTB100", version=2015).run(tracker)
        'kestrel'
    """

    is_deterministic = True

    def __init__(
        self, network: Optional[PathLike] = None, *, name: Optional[str] = None, **options: Any
    ) -> None:
        self.tracker = load_tracker(network, **options)
        self.name = name or self.tracker.name

    def init(self, image: Any, box: Sequence[float]) -> None:
        """Start to follow a target.

        Args:
            image: a picture as the toolkit reads it: of PIL, or RGB uint8 (H, W, 3).
            box: (x, y, w, h), 0-based pixels.
        """
        self.tracker.init(_bgr_of(image), box)

    def update(self, image: Any) -> Box:
        """Return the target's box (x, y, w, h) in the next picture; see ``init``."""
        return self.tracker.update(_bgr_of(image)).box

    def track(
        self, img_files: Sequence[Any], box: Sequence[float], visualize: bool = False
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Track over a list of pictures, which OpenCV reads.

        Args:
            img_files: paths of the frames in order.
            box: (x, y, w, h) in the first frame.
            visualize: whether the toolkit shows each picture with its box.

        Returns:
            (boxes, times): (frames, 4) and (frames,) float64, pixels and seconds. Reading the
            pictures is not in the times.

        Raises:
            BadFrame: a picture cannot be read.
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
            if visualize:
                from got10k.utils.viz import show_frame
                from PIL import Image

                show_frame(Image.fromarray(_bgr_of(frame)), boxes[index])
        return boxes, times

    forward_test = track  # its name in the toolkit's later versions


def _bgr_of(image: Any) -> np.ndarray:
    """Swap red and blue of a picture of PIL or NumPy."""
    if hasattr(image, "convert"):
        image = image.convert("RGB")
    return np.ascontiguousarray(np.asarray(image)[..., ::-1])


Tracker = Got10kTracker  # the name that programs import
