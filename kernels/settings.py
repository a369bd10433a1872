"""The numbers of a network that the kernels take.

The tracker fills them in, so that the kernels need not know what a network file looks like. They
stay the same while a target is followed.
"""

from typing import NamedTuple, Sequence

# Names of choices, with their numbers in hotpath.h.
SCORES = {"softmax": 0, "sigmoid": 1, "none": 2}  # what a score map holds
ROUNDINGS = {"half_up": 0, "half_even": 1, "up": 2, "cut": 3}  # how a corner becomes a whole pixel


class WindowSettings(NamedTuple):
    """Where a tracker looks: at squares around the target.

    Attributes:
        exemplar, search: sides of the network's two inputs, in pixels.
        context: share of (width + height) that is added to both sides of the box.
        corner: twice the distance from the window's first pixel to its centre, less its side.
        rounding: a name in ``ROUNDINGS``.
    """

    exemplar: int
    search: int
    context: float
    corner: int
    rounding: str


class InputSettings(NamedTuple):
    """How a network takes a crop.

    Attributes:
        mean, scale: three numbers each, one per channel of the input: ``(value - mean) * scale``.
        swap: whether the channels are R, G, B instead of B, G, R.
    """

    mean: Sequence[float]
    scale: Sequence[float]
    swap: bool


class PointsSettings(NamedTuple):
    """Select for heads in which every cell votes for a box around its own point.

    Attributes:
        size: cells on each side of the maps.
        stride: search pixels from one cell to the next.
        penalty: strength of the penalty on changes of size and ratio.
        influence: share of the window in a vote, 0 to 1.
        rate: how fast the size follows, 0 to 1.
        power: of penalty * score * rate, the share by which the size follows: 0, 1 or 2.
        min_size: smallest side of a box, in frame pixels.
        score: a name in ``SCORES``.
    """

    size: int
    stride: float
    penalty: float
    influence: float
    rate: float
    power: int
    min_size: float
    score: str


class LossSettings(NamedTuple):
    """When a target is lost, and what is done then.

    Attributes:
        lost_below: certainty below which the target is lost; 0: the target is not monitored.
        hold_below: certainty below which the last certain box is kept; 0: never.
        hold_widen: factor by which the search region grows with every frame that is held.
        hold_limit: largest factor of the search region.
        kept: share of the last frame's certainty in this frame's, 0 to 1.
        inner: share of the box's sides whose cells are averaged, 0 to 1.
        stride: search pixels from one cell of the features to the next.
    """

    lost_below: float
    hold_below: float
    hold_widen: float
    hold_limit: float
    kept: float
    inner: float
    stride: float


class FrameSettings(NamedTuple):
    """All that a whole frame needs to know of a network."""

    window: WindowSettings
    input: InputSettings
    points: PointsSettings
    loss: LossSettings
