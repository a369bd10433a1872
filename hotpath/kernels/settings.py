"""The settings of a network for the kernels.

The tracker fills them in, so that the kernels do not depend on the format of a network's TOML. They
stay the same while a target is followed.
"""

from typing import TYPE_CHECKING, NamedTuple, Optional, Sequence, Tuple, Union

if TYPE_CHECKING:
    import numpy as np

Border = Union[Sequence[int], "np.ndarray"]  # the colour outside a picture: blue, green, red

# Names of choices, with their numbers in geometry.h and families.h.
SHAPES = {"square": 0, "area": 1, "stretched": 2}  # of a window
ROUNDINGS = {"half_up": 0, "half_even": 1, "up": 2}  # how a corner becomes a whole pixel
CLIPS = {"centre": 0, "corners": 1, "none": 2, "inside": 3}  # what stays in a frame
BOX_PIXELS = {"exact": 0, "floor": 1, "round": 2}  # how a box gets whole pixels
SCORES = {"softmax": 0, "sigmoid": 1, "none": 2}  # what a score map holds
RELATIVES = {"target": 0, "window": 1}  # what the search region is centred on


class WindowSettings(NamedTuple):
    """The size of the windows that are searched around the target."""

    exemplar: int  # sides of the network's two inputs, in pixels
    search: int
    context: float  # of a square, share of (width + height) that is added to both sides of the box
    corner: int  # twice the distance from the window's first pixel to its centre, less its side
    rounding: str  # a name in ``ROUNDINGS``
    shape: str = "square"  # a name in ``SHAPES``
    search_factor: float = 0.0  # of an area, its side in roots of the box's area
    search_margin: float = 0.0  # of a stretched window, share of the box on each side
    warp: bool = False  # whether windows have fractions of pixels


class InputSettings(NamedTuple):
    """The format of a network's input."""

    # three numbers each, one per channel of the input: ``(value - mean) * scale``
    mean: Sequence[float]
    scale: Sequence[float]
    swap: bool  # whether the channels are R, G, B instead of B, G, R


class BoxLimits(NamedTuple):
    """Limits of the target's box."""

    min_size: float  # smallest side, in frame pixels
    clip: str = "centre"  # a name in ``CLIPS``
    pixels: str = "exact"  # a name in ``BOX_PIXELS``


class PointsSettings(NamedTuple):
    """Select for heads in which every cell votes for a box around its own point."""

    size: int  # cells on each side of the maps
    stride: float  # search pixels from one cell to the next
    penalty: float  # strength of the penalty on changes of size and ratio
    window_influence: float  # share of the window in a vote, 0 to 1
    size_lr: float  # how fast the size follows, 0 to 1
    power: int  # of penalty * score * learning_rate, the share by which the size follows: 0, 1 or 2
    score: str  # a name in ``SCORES``
    limits: BoxLimits  # of the box


class CentreSettings(NamedTuple):
    """Select for heads that give a score of the centre, its place in the cell, and a size."""

    size: int  # cells on each side of the maps
    score: str  # a name in ``SCORES``, not "softmax"
    min_score: float  # below it the target stays where it was
    relative_to: str  # a name in ``RELATIVES``
    window: WindowSettings  # where the tracker looks
    limits: BoxLimits  # of the box
    size_lr: float = 1.0  # share of the new size in the target's, at a score of 1
    power: int = 0  # of the score in that share: 0, 1 or 2
    influence: float = -1.0  # of the window in a vote; below 0: scores are multiplied by it


SelectSettings = Union[PointsSettings, CentreSettings]  # of the families with compiled kernels


class SelectionPrior(NamedTuple):
    """What select weighs in a window, and the places it proposes: one where cells are no places."""

    size_lr: Optional[float] = None  # how fast the size follows; None: the network's
    influence: Optional[float] = None  # of the Hanning window in a vote; None: the network's
    most: int = (
        1  # places at most, up to ``MOST_PROPOSALS``; the first one is the cell with most votes
    )
    share: float = 0.0  # of the best score, that a further place must have
    # cells around a place in which there is no other; 0: the others are peaks of the score map
    apart: int = 0


ARGMAX = SelectionPrior()
MOST_PROPOSALS = 7  # of a window
PLACES = ("points", "centre")  # families in which a cell is a place


def weights_of(settings: SelectSettings, prior: SelectionPrior) -> Tuple[float, float]:
    """Return the size smoothing and the influence of a prior, or else those of settings."""
    if isinstance(settings, PointsSettings):
        influence = settings.window_influence
    else:
        influence = settings.influence
    return (
        settings.size_lr if prior.size_lr is None else prior.size_lr,
        influence if prior.influence is None else prior.influence,
    )


def with_prior(settings: SelectSettings, prior: SelectionPrior) -> SelectSettings:
    """Return settings with the size smoothing and the influence of a prior."""
    rate, influence = weights_of(settings, prior)
    if isinstance(settings, PointsSettings):
        return settings._replace(size_lr=rate, window_influence=influence)
    return settings._replace(size_lr=rate, influence=influence)


class FrameSettings(NamedTuple):
    """All settings of a network for the GPU."""

    exemplar: int  # sides of the network's two inputs, in pixels
    search: int
    warp: bool  # whether windows have fractions of pixels
    input: InputSettings  # how the network takes a crop
    select: Optional[SelectSettings]  # how its maps become a box; None where the processor does it
    stride: float = 0.0  # search pixels from one cell of the features to the next; 0: none
