"""Draw the score maps of each frame, which show where the network sees the target.

``hotpath evaluate --save-maps`` writes one picture a frame: each window of the frame with the
scores of its cells over it, dark blue for 0 and yellow for 1, and the tracker's box in white.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from hotpath.calib.errors import BadRun
from hotpath.kernels.votes import probability
from hotpath.runtime.network import Network
from hotpath.runtime.tracker.tracker import Tracker
from hotpath.runtime.types import Box, Track, WindowResult

SCORES = ("points", "anchors", "centre", "response")  # families with a score for each cell
LEAST, MOST = 0.2, 0.8  # share of the colour in a pixel, for the scores 0 and 1
WHITE = (255, 255, 255)


class ScoreMap(NamedTuple):
    """The scores of a window.

    Attributes:
        area: the ``Box`` that the cells cover, frame pixels. It may leave the frame.
        scores: float32 (n, n), 0 to 1.
    """

    area: Box
    scores: np.ndarray


class MapPictures:
    """Tracks as its tracker does, and writes a picture of each frame.

    A frame's windows are looked at once more for their maps, so its times count for nothing.

    Args:
        tracker: a ``hotpath.runtime.tracker.tracker.Tracker``.
        folder: gets 000001.jpg, 000002.jpg, …; the numbers are those of the frames, from 0.

    Raises:
        BadRun: the network gives a box and no scores.
    """

    def __init__(self, tracker: Tracker, folder: Path) -> None:
        if tracker.network.family not in SCORES:
            raise BadRun(
                f"{tracker.network.name} has no score map, as its graph gives corners; leave out "
                "--save-maps"
            )
        self._tracker, self._folder, self._index = tracker, folder, 0

    @property
    def step_ms(self) -> Any:
        """Milliseconds of the last frame's steps."""
        return self._tracker.step_ms

    def init(self, frame: np.ndarray, box: Sequence[float]) -> None:
        """Start on the first frame."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._index = 0
        self._tracker.init(frame, box)

    def update(self, frame: np.ndarray) -> Track:
        """Track the next frame, and write its picture."""
        self._index += 1
        tracker = self._tracker
        requests = tracker.target.requests(frame, np.shape(frame))
        windows = [request._replace(prior=None) for request in requests]
        result, _ = tracker.device.run(frame, windows)
        maps = [score_map(tracker.network, window) for window in result]
        track: Track = tracker.update(frame)
        picture = drawn_over(frame, maps)
        x, y, w, h = (round(value) for value in track.box)
        cv2.rectangle(picture, (x, y), (x + w, y + h), WHITE, 2)
        cv2.imwrite(str(self._folder / f"{self._index:06d}.jpg"), picture)
        return track


def score_map(network: Network, result: WindowResult) -> ScoreMap:
    """Return the scores of a window, and where they lie.

    Args:
        network: uses the family, ``stride`` and ``score``.
        seen: the window, with ``maps``.
    """
    scores = probability(result.maps[0], getattr(network, "score", "none"))
    if scores.ndim == 3:  # of several anchors the best
        scores = scores.max(axis=0)
    scores = np.where(np.isfinite(scores), scores, 0.0)
    if network.family == "response":  # a correlation, which has no fixed range
        scores = (scores - scores.min()) / max(float(np.ptp(scores)), 1e-12)
    cells = scores.shape[-1]
    before = cells // 2 + 0.5  # a cell stands for the place in its middle
    step_x, step_y = (network.stride / scale for scale in result.scale)
    x, y = (float(at) for at in result.around[:2])
    area = Box(x - before * step_x, y - before * step_y, cells * step_x, cells * step_y)
    return ScoreMap(area, np.clip(scores, 0, 1).astype(np.float32))


def drawn_over(picture: np.ndarray, maps: Sequence[ScoreMap]) -> np.ndarray:
    """Return a copy of a picture, BGR uint8 (H, W, 3), with maps over it; smaller ones on top."""
    picture = picture.copy()
    for area, scores in sorted(maps, key=lambda shown: -shown.area.w * shown.area.h):
        columns, x_cells = _cells(area.x, area.w, scores, picture.shape[1])
        rows, y_cells = _cells(area.y, area.h, scores, len(picture))
        if not (len(columns) and len(rows)):
            continue
        values = scores[y_cells[:, None], x_cells]
        colours = cv2.applyColorMap((values * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
        share = (LEAST + (MOST - LEAST) * np.sqrt(values))[..., None]
        part = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        part[:] = part * (1 - share) + colours * share
    return picture


def _cells(
    start: float, length: float, scores: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (pixels of a picture's side that a map covers, the cell of each)."""
    pixels = np.arange(max(0, int(np.ceil(start))), min(side, int(np.floor(start + length))))
    cells = (pixels + 0.5 - start) / length * scores.shape[0]
    return pixels, np.clip(cells.astype(np.intp), 0, scores.shape[0] - 1)
