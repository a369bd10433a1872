"""Find the objects of a class in a frame."""

from typing import Dict, List, Optional, Tuple

import cv2
import numpy as np

from hotpath.app.detect import families
from hotpath.app.detect.description import Description
from hotpath.app.detect.session import Runner
from hotpath.base.python_end import uninterrupted
from hotpath.runtime import decode
from hotpath.runtime.errors import NetworkFailed
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.frames.pictures import AnyFrame, bgr_of, checked_frame
from hotpath.runtime.targets.detections import Detections

PADDING = 114  # grey of what a letterbox leaves free, as the detectors were trained
SMALLEST_PX = 4  # smallest side of a box that is given, frame pixels


class Detector:
    """Finds objects in frames. ``hotpath.app.detect.load_detector`` makes it.

    Args:
        description: the detector's TOML, as ``hotpath.app.detect.describe`` returns it.
        inputs: names of the network's inputs, the picture first.
        run: function that runs the network.
        classes: numbers of the classes to find; None for all.

    Attributes:
        name: name of the detector.
    """

    def __init__(
        self, description: Description, inputs: List[str], run: Runner, classes: Optional[List[int]]
    ) -> None:
        self.name = description.name
        self.description = description
        self._inputs, self._run, self._wanted = inputs, run, classes
        self._family = decode.module_of(description.family, families.__name__)

    @uninterrupted
    def detect(self, frame: AnyFrame) -> Detections:
        """Find the objects in a frame.

        Args:
            frame: BGR uint8 (H, W, 3), or a ``hotpath.runtime.frames.pictures.Picture``.

        Raises:
            BadFrame: the frame is not a picture.
            BadNetwork: the outputs are not those of the detector's family.
            NetworkFailed: the network can't be run, or its output is not finite.
        """
        frame = bgr_of(checked_frame(frame))
        picture, scale = self._prepared(frame)
        feeds = {self._inputs[0]: picture}
        if len(self._inputs) > 1:  # graphs that place their boxes themselves take the size
            feeds[self._inputs[1]] = np.array([self.description.side], np.int64)
        boxes, scores, classes = self._family.decode(self._outputs(feeds), self.description)
        if not np.isfinite(scores).all():
            raise NetworkFailed(f"{self.name} gave no finite score; its file may be damaged")
        chosen = scores >= self.description.score
        if self._wanted is not None:
            chosen &= np.isin(classes, self._wanted)
        boxes = boxes[chosen] / (scale * 2)
        size = frame.shape[1::-1]
        low, high = (np.clip(c, 0, size) for c in (boxes[:, :2], boxes[:, :2] + boxes[:, 2:]))
        inside = np.concatenate([low, high - low], axis=1).astype(float)
        return self._without_doubles(inside, scores[chosen], classes[chosen])

    def _outputs(self, feeds: Dict[str, np.ndarray]) -> List[np.ndarray]:
        try:
            return self._run(feeds)
        except Exception as error:  # of classes of the libraries, which are private
            text = (str(error).strip().splitlines() or [repr(error)])[0]
            raise NetworkFailed(f"{self.name} can't be run: {text}; get its file again") from None

    def proposals(self, frame: AnyFrame) -> Tuple[np.ndarray, np.ndarray]:
        """Return places where a lost target may be, the best first.

        Args:
            frame: as in ``detect``.

        Returns:
            (boxes, scores): (n, 4) float64 (x, y, w, h), 0-based pixels of the frame, and (n,)
            float64, 0 to 1.
        """
        detections = self.detect(frame)
        return detections.boxes, detections.scores

    def _prepared(self, frame: np.ndarray) -> Tuple[np.ndarray, Tuple[float, float]]:
        """The network's picture, (1, 3, h, w) float32, and input pixels per frame pixel."""
        description = self.description
        width, height = description.side
        x, y = width / frame.shape[1], height / frame.shape[0]
        if description.resize == "letterbox":
            x = y = min(x, y)
        size = max(1, int(frame.shape[1] * x)), max(1, int(frame.shape[0] * y))
        small = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
        picture = np.full((height, width, 3), PADDING, np.uint8)
        picture[: size[1], : size[0]] = small
        if description.channels == "RGB":
            picture = picture[:, :, ::-1]
        mean, factor = (np.array(v, np.float32) for v in (description.mean, description.scale))
        values = (picture - mean) * factor
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32), (x, y)

    def _without_doubles(
        self, boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray
    ) -> Detections:
        good = (boxes[:, 2:] >= SMALLEST_PX).all(axis=1)
        boxes, scores, classes = boxes[good], scores[good].astype(float), classes[good]
        order = np.argsort(-scores, kind="mergesort")
        if self.description.overlap < 1:
            far = (classes * 1e5)[:, None]  # boxes of other classes never overlap
            moved = np.concatenate([boxes[:, :1] + far, boxes[:, 1:]], axis=1)
            order = non_maximum_suppression(moved, scores, self.description.overlap)
        names = self.description.class_names
        return Detections(boxes[order], scores[order], classes[order], names)


def non_maximum_suppression(boxes: np.ndarray, scores: np.ndarray, most: float) -> np.ndarray:
    """Indices of the boxes that no better one overlaps by more than ``most``, the best first."""
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    order = np.argsort(-np.asarray(scores, float), kind="mergesort")  # the stable one of any NumPy
    left = []
    while len(order):
        best, order = order[0], order[1:]
        left.append(best)
        order = order[overlaps(boxes[best], boxes[order])[0] <= most]
    return np.array(left, int)
