"""The numbers of a network that the kernels take.

The tracker fills them in, so that the kernels need not know what a network file looks like. They
stay the same while a target is followed.
"""

from typing import NamedTuple, Sequence, Tuple, Union

# Names of choices, with their numbers in geometry.h and families.h.
SHAPES = {"square": 0, "stretched": 1, "area": 2}  # of a window
ROUNDINGS = {"half_up": 0, "half_even": 1, "up": 2, "cut": 3}  # how a corner becomes a whole pixel
CLIPS = {"centre": 0, "position": 1, "corners": 2, "inside": 3, "none": 4}  # what stays in a frame
BOX_PIXELS = {"exact": 0, "round": 1, "floor": 2}  # how a box gets whole pixels
SCORES = {"softmax": 0, "sigmoid": 1, "none": 2}  # what a score map holds
QUALITIES = {"none": 0, "product": 1, "blend": 2}  # how a quality map changes the score
RELATIVES = {"target": 0, "window": 1}  # what the search region is centred on
OUTPUTS = {"two_maps": 0, "one_map": 0, "box": 1, "scored_box": 2}  # what a corner head gives


class WindowSettings(NamedTuple):
    """Where a tracker looks: at windows around the target.

    Attributes:
        exemplar, search: sides of the network's two inputs, in pixels.
        context: of a square, share of (width + height) that is added to both sides of the box.
        corner: twice the distance from the window's first pixel to its centre, less its side.
        rounding: a name in ``ROUNDINGS``.
        shape: a name in ``SHAPES``.
        exemplar_margin, search_margin: of a stretched window, shares of the box on each side.
        exemplar_factor, search_factor: of an area, its side in roots of the box's area.
        warp: whether windows have fractions of pixels.
    """

    exemplar: int
    search: int
    context: float
    corner: int
    rounding: str
    shape: str = "square"
    exemplar_margin: float = 0.0
    search_margin: float = 0.0
    exemplar_factor: float = 0.0
    search_factor: float = 0.0
    warp: bool = False


class InputSettings(NamedTuple):
    """How a network takes a crop.

    Attributes:
        mean, scale: three numbers each, one per channel of the input: ``(value - mean) * scale``.
        swap: whether the channels are R, G, B instead of B, G, R.
    """

    mean: Sequence[float]
    scale: Sequence[float]
    swap: bool


class BoxLimits(NamedTuple):
    """Limits of the target's box.

    Attributes:
        min_size: smallest side, in frame pixels.
        clip: a name in ``CLIPS``.
        pixels: a name in ``BOX_PIXELS``.
    """

    min_size: float
    clip: str = "centre"
    pixels: str = "exact"


class PointsSettings(NamedTuple):
    """Select for heads in which every cell votes for boxes, around its own point or of anchors.

    Attributes:
        size: cells on each side of the maps.
        stride: search pixels from one cell to the next.
        penalty: strength of the penalty on changes of size and ratio.
        window_influence: share of the window in a vote, 0 to 1.
        learning_rate: how fast the size follows, 0 to 1.
        power: of penalty * score * learning_rate, the share by which the size follows: 0, 1 or 2.
        score: a name in ``SCORES``.
        limits: of the box.
        quality: a name in ``QUALITIES``.
        quality_share: of the quality in the score, with "blend".
        inclusive: whether a box is one search pixel wider than its distances say.
        anchors: (width, height) of each anchor in search pixels; none for boxes around points.
        window_power: of the Hanning window.
    """

    size: int
    stride: float
    penalty: float
    window_influence: float
    learning_rate: float
    power: int
    score: str
    limits: BoxLimits
    quality: str = "none"
    quality_share: float = 0.0
    inclusive: bool = False
    anchors: Sequence[Tuple[float, float]] = ()
    window_power: float = 1.0


class CentreSettings(NamedTuple):
    """Select for heads that give a score of the centre, its place in the cell, and a size.

    Attributes:
        size: cells on each side of the maps.
        score: a name in ``SCORES``, not "softmax".
        min_score: below it the target stays where it was.
        relative_to: a name in ``RELATIVES``.
        window: where the tracker looks.
        limits: of the box.
    """

    size: int
    score: str
    min_score: float
    relative_to: str
    window: WindowSettings
    limits: BoxLimits


class CornersSettings(NamedTuple):
    """Select for heads that give heat maps of two corners, or the box.

    Attributes:
        size: cells on each side of the heat maps; 0 for a box.
        search: side of the search region, in pixels.
        output: a name in ``OUTPUTS``.
        cell_centre: where in its cell a corner lies, 0 to 1.
        limits: of the box.
        score: of a scored box: a name in ``SCORES``, not "softmax".
    """

    size: int
    search: int
    output: str
    cell_centre: float
    limits: BoxLimits
    score: str = "none"


class ResponseSettings(NamedTuple):
    """Select for heads that respond to the target, which is looked for at several sizes.

    Attributes:
        size: cells on each side of the network's response.
        upsample: how many times the response is enlarged.
        stride: search pixels from one cell to the next.
        window_influence: share of the window in a vote, 0 to 1.
        scale_lr: how fast the size follows, 0 to 1.
        min_size: smallest side of a box, in frame pixels.
        factors: sizes that are tried, relative to the search region.
        damping: factors of their responses.
    """

    size: int
    upsample: int
    stride: float
    window_influence: float
    scale_lr: float
    min_size: float
    factors: Sequence[float]
    damping: Sequence[float]


SelectSettings = Union[PointsSettings, CentreSettings, CornersSettings]


class LossSettings(NamedTuple):
    """When a target is lost.

    Attributes:
        lost_below: certainty below which the target is lost; 0: the target is not monitored.
        kept: share of the last frame's certainty in this frame's, 0 to 1.
        inner: share of the box's sides whose cells are averaged, 0 to 1.
        stride: search pixels from one cell of the features to the next.
    """

    lost_below: float
    kept: float
    inner: float
    stride: float


class ColourSettings(NamedTuple):
    """Bins of colours, of OpenCV's hue (0 to 179), saturation and value.

    Attributes:
        total: of all bins; those of greys come last.
        hues, levels: bins of hue, and of brightness for each.
        hue_width: hues in a bin.
        level_width, grey_width: values of brightness in a bin; the same of greys.
        grey: saturation below which a pixel has no hue.
    """

    total: int
    hues: int
    levels: int
    hue_width: int
    level_width: int
    grey_width: int
    grey: int


class FrameSettings(NamedTuple):
    """All that a whole frame needs to know of a network.

    Attributes:
        window: where the tracker looks.
        input: how the network takes a crop.
        select: how its maps become a box.
        loss: when the target is lost.
        factors: sizes of the windows that are searched in a frame.
    """

    window: WindowSettings
    input: InputSettings
    select: Union[SelectSettings, ResponseSettings]
    loss: LossSettings
    factors: Sequence[float] = (1.0,)
