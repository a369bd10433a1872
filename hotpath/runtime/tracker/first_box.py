"""Check a first box: can its target be followed, and by which size convention was it drawn?

A box from which tracking works badly is accepted with a warning.

One user draws a dog with its tail, another without. A network predicts its own size, whatever the
first box was, so all of its boxes differ from what the user means by about the same factor. The
drawn box and the network's own box in the first frame give this factor. Part of it is chance, so
its square root is used. Only the boxes that the user gets are changed; the tracker goes on with the
network's own ones. POWER and MOST were chosen on 21 clips and 59 public sequences, and
POWER again on the 40 seen sequences (docs/results/box-convention.md).
"""

from typing import Optional, Sequence

import numpy as np

from hotpath.kernels.settings import SelectionPrior
from hotpath.runtime.frames.pictures import AnyFrame, bgr_of, brightness
from hotpath.runtime.network import Network
from hotpath.runtime.types import Box, WindowResult

TINY_PX = 4.0  # side
MOST_OF_FRAME = 0.8  # of its area: a larger box shows a scene and not an object
LEAST_INSIDE = 0.5  # share of the box
AROUND = 0.25  # of a side of the box, on both sides, that is looked at with it
SAMPLES = 24  # rows and columns that are looked at
FLAT = 6.0  # standard deviation of each channel there: targets of 41 clips have 20 of grey, a sky 5
UNSMOOTHED = SelectionPrior(
    size_lr=1.0
)  # a request whose box is the network's own, see ``own_size``
POWER = 0.5  # of the ratio of the drawn side to the network's own one
MOST = 1.2  # a ratio beyond it tells a badly drawn box


class DoubtfulBox(UserWarning):
    """Tracking from this first box will hardly work; the message says what to do."""


def doubt_of(frame: AnyFrame, box: Box, frame_shape: Sequence[int]) -> str:
    """Return a sentence if a target can hardly be followed from a first box, else "".

    ``box`` is as ``hotpath.runtime.types.checked_box`` returns it.
    """
    x, y, w, h = box
    height, width = frame_shape[:2]
    inside = _inside(box, frame_shape)
    if min(w, h) < TINY_PX:
        return f"the box is only {w:.3g} x {h:.3g} pixels; draw it around the whole object"
    if fills_frame(box, frame_shape):
        return "the box is nearly the whole picture; draw a tight box around one object"
    if inside < LEAST_INSIDE * w * h:
        return "most of the box is outside the picture; draw it around the part that is seen"
    rows, columns = _samples(y, h, height), _samples(x, w, width)
    if float(np.std(brightness(frame, rows, columns))) < FLAT:  # colours may still differ
        if float(bgr_of(frame)[rows[:, None], columns].std(axis=(0, 1)).max()) < FLAT:
            return "the box shows one colour and no edges; draw it around something that stands out"
    return ""


def fills_frame(box: Box, frame_shape: Sequence[int]) -> bool:
    """Return whether a box is nearly the whole picture, so that it tells no object from another."""
    return _inside(box, frame_shape) > MOST_OF_FRAME * frame_shape[0] * frame_shape[1]


def _inside(box: Box, frame_shape: Sequence[int]) -> float:
    """Return the area of a box inside the frame, pixels."""
    x, y, w, h = box
    across = min(x + w, frame_shape[1]) - max(x, 0.0)
    down = min(y + h, frame_shape[0]) - max(y, 0.0)
    return max(across, 0.0) * max(down, 0.0)


def bias_of(
    network: Network, state: np.ndarray, result: WindowResult, frame_shape: Sequence[int]
) -> Optional[np.ndarray]:
    """Return by which factors the network's boxes are too small for the convention of a drawn box.

    Args:
        network: its ``search_lost_below`` is the least score of a box of the target.
        state: float64 [cx, cy, w, h] of the drawn box, frame pixels.
        result: the ``WindowResult`` of the first frame around it, with the prior ``UNSMOOTHED``.
        frame_shape: (height, width, ...) of the frame.

    Returns:
        float64 (1, 1, w, h), factors of a state; None if the box is not all in the frame, or if
        the network does not see the target in it.
    """
    half = state[2:] / 2
    inside = (state[:2] >= half) & (state[:2] + half <= frame_shape[1::-1])
    if not (inside.all() and result.scores[0] >= network.search_lost_below):
        return None
    ratio = state[2:] / own_size(network, state, result)
    return np.concatenate([np.ones(2), np.clip(ratio, 1 / MOST, MOST) ** POWER])


def own_size(network: Network, state: np.ndarray, result: WindowResult) -> np.ndarray:
    """Return the network's own size of a target, (w, h), without a rest of the drawn one.

    In networks of the family ``centre`` the size follows by a share of the score to a power, also
    with ``UNSMOOTHED``. This share is known, so the whole step follows from it. In other families
    the penalty is a part of the share, and a rest of the drawn size stays.
    """
    share = result.scores[0] ** getattr(network, "score_power", 0)
    size: np.ndarray = state[2:] + (result.states[0][2:] - state[2:]) / share
    return size


def _samples(start: float, side: float, limit: int) -> np.ndarray:
    """Return pixels across a box and a little more, in growing order, inside the frame."""
    ends = max(start - AROUND * side, 0.0), min(start + (1 + AROUND) * side, limit) - 1
    return np.unique(np.clip(np.linspace(*ends, SAMPLES), 0, limit - 1).astype(np.intp))
