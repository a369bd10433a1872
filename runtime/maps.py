"""The score maps of a frame's windows, for people: where does the network believe the target is?

A tracker never needs this file. ``Maps`` is made where somebody asked to see the maps, and then
keeps those of a frame until they are taken. On a GPU that is one more download of each frame.
"""

from typing import Any, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from hotpath.kernels.votes import probability
from hotpath.runtime.devices.base import Device, Look, StepMs
from hotpath.runtime.errors import BadOption
from hotpath.runtime.network import Network
from hotpath.runtime.types import Box, Seen

SCORES = ("points", "anchors", "centre", "response")  # families with a score for each cell
LEAST, MOST = 0.2, 0.8  # share of the colour in a pixel, for the scores 0 and 1
EDGE = (255, 255, 255)


class ScoreMap(NamedTuple):
    """The scores of a window.

    Attributes:
        area: the ``Box`` that the cells cover, frame pixels. It may leave the frame.
        scores: float32 (n, n), 0 to 1.
    """

    area: Box
    scores: np.ndarray


class Maps:
    """Keeps the score maps of the windows that a device looks at.

    Args:
        device: the ``Device``. Its ``look`` is replaced.

    Attributes:
        last: a ``ScoreMap`` for each window of the last call that followed targets, in their order.

    Raises:
        BadOption: the network gives a box and no scores.
    """

    def __init__(self, device: Device) -> None:
        self._network = device.network
        if self._network.family not in SCORES:
            raise BadOption(
                f"{self._network.name} has no score map, as its graph gives corners; take another "
                "network",
                what="no score map",
            )
        self.last: Sequence[ScoreMap] = ()
        self._look = device.look
        device.show_maps()
        vars(device)["look"] = self._looked

    def _looked(self, frame: Any, looks: Sequence[Look]) -> Tuple[List[Seen], StepMs]:
        seen, spent = self._look(frame, looks)
        first = all(look.prior is None for look in looks)  # or a tap: a look at a new target
        if not first or self._network.family == "response":  # which has no prior ever
            self.last = [score_map(self._network, shown) for shown in seen]
        return seen, spent

    def take(self) -> Sequence[ScoreMap]:
        """Return ``last``, and forget it: a frame without targets has no map."""
        maps, self.last = self.last, ()
        return maps


def score_map(network: Network, seen: Seen) -> ScoreMap:
    """Return the scores of a window, and where they lie.

    Args:
        network: uses the family, ``stride`` and ``score``.
        seen: the window, with ``maps``.
    """
    scores = probability(seen.maps[0], getattr(network, "score", "none"))
    if scores.ndim == 3:  # of several anchors the best
        scores = scores.max(axis=0)
    scores = np.where(np.isfinite(scores), scores, 0.0)
    if network.family == "response":  # a correlation, which has no fixed range
        scores = (scores - scores.min()) / max(float(np.ptp(scores)), 1e-12)
    cells = scores.shape[-1]
    # a cell stands for the place in its middle: offsets of kestrel and LightFC lie around 0. Heads
    # whose offsets go from 0 to 1 are drawn half a cell too far up and left
    before = cells // 2 + 0.5
    step_x, step_y = (network.stride / scale for scale in seen.scale)
    x, y = (float(at) for at in seen.around[:2])
    area = Box(x - before * step_x, y - before * step_y, cells * step_x, cells * step_y)
    return ScoreMap(area, np.clip(scores, 0, 1).astype(np.float32))


def drawn_over(picture: np.ndarray, maps: Sequence[ScoreMap], scale: float = 1.0) -> np.ndarray:
    """Return a copy of a picture with score maps over it: dark blue is 0, yellow is 1.

    Args:
        picture: BGR uint8 (H, W, 3).
        maps: smaller ones cover larger ones.
        scale: pixels of the picture for one of the frame.
    """
    picture = picture.copy()
    for area, scores in sorted(maps, key=lambda shown: -shown.area.w * shown.area.h):
        x, y, w, h = (value * scale for value in area)
        columns, rows = _cells(x, w, scores, picture.shape[1]), _cells(y, h, scores, len(picture))
        if not (len(columns[0]) and len(rows[0])):
            continue
        values = scores[rows[1][:, None], columns[1]]
        colours = cv2.applyColorMap((values * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
        share = (LEAST + (MOST - LEAST) * np.sqrt(values))[..., None]
        part = picture[rows[0][0] : rows[0][-1] + 1, columns[0][0] : columns[0][-1] + 1]
        part[:] = part * (1 - share) + colours * share
        corners = [int(round(float(np.clip(at, -16000, 16000)))) for at in (x, y, x + w, y + h)]
        cv2.rectangle(picture, tuple(corners[:2]), tuple(corners[2:]), EDGE, 1)
    return picture


def _cells(at: float, length: float, scores: np.ndarray, side: int) -> Tuple[np.ndarray, Any]:
    """Return (pixels of a picture's side that a map covers, the cell of each)."""
    pixels = np.arange(max(0, int(np.ceil(at))), min(side, int(np.floor(at + length))))
    cells = (pixels + 0.5 - at) / length * scores.shape[0]
    return pixels, np.clip(cells.astype(np.intp), 0, scores.shape[0] - 1)
