"""Geometry: the windows that a tracker searches, their crops, and the target's place.

All numbers come from the network's TOML (``[input]``). Three kinds of window:

- ``square``: the square with the area of the box and its context (Bertinetto et al., "Fully-
  Convolutional Siamese Networks for Object Tracking", 2016, section 2);
- ``area``: a square of so many times the box's area (Yan et al., "STARK", 2021);
- ``stretched``: the box with a margin, x and y resized separately (Borsuk et al., "FEAR", 2022).

The target's state is float64 [cx, cy, w, h], centre and size in frame pixels.
"""

import math
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from hotpath.kernels.cpu.interface import PLAIN, Around, CpuKernels
from hotpath.kernels.settings import BoxLimits, InputSettings, WindowSettings
from hotpath.runtime.frames.pictures import AnyFrame, Picture
from hotpath.runtime.types import Box

if TYPE_CHECKING:  # runtime.networks reads the families of runtime.decode, which use this file
    from hotpath.runtime.network import Network

Window = Tuple[Union[int, float], Union[int, float], Union[int, float], Union[int, float]]

FROM_CENTRE = {"(s+1)/2": 1, "s/2": 0, "(s-1)/2": -1}  # twice the distance of the corner, less s


def window_settings(network: "Network") -> WindowSettings:
    """The numbers of ``search_window`` that the kernels take."""
    shape = network.crop
    return WindowSettings(
        exemplar=network.exemplar,
        search=network.search,
        context=network.context if shape == "square" else 0.0,
        corner=FROM_CENTRE[network.corner],
        rounding=network.rounding,
        shape=shape,
        search_factor=network.search_factor if shape == "area" else 0.0,
        search_margin=network.search_margin if shape == "stretched" else 0.0,
        warp=network.resample == "warp",
    )


def box_limits(network: "Network") -> BoxLimits:
    """The numbers of ``clamp_state`` that the kernels take."""
    return BoxLimits(network.min_size, network.clip, network.box_pixels)


def context_side(size: Union[Sequence[float], np.ndarray], context: float) -> float:
    """Side of the square that has the area of a box with its context, frame pixels.

    Args:
        size: (w, h) of the box in frame pixels.
        context: share of (w + h) added to both sides.
    """
    w, h = float(size[0]), float(size[1])
    margin = context * (w + h)
    return math.sqrt((w + margin) * (h + margin))


def exemplar_window(network: "Network", state: np.ndarray) -> Window:
    """Window around the first box, to be resized to ``network.exemplar`` pixels.

    Args:
        network: uses the keys of ``[input]``.
        state: [cx, cy, w, h], centre and size in frame pixels.

    Returns:
        (x0, y0, w, h), 0-based frame pixels, may lie outside the frame; ints, or floats where the
        network's ``resample`` is "warp".
    """
    if network.crop == "square":
        return _square(network, state, max(1, round(context_side(state[2:], network.context))))
    if network.crop == "stretched":
        return _stretched(state, network.exemplar_margin, 1.0)
    return _square(network, state, _area_side(state, network.exemplar_factor))


def exemplar_box(network: "Network", state: np.ndarray) -> Tuple[float, float, float, float]:
    """The target in the exemplar: left, top, right, bottom from its first pixel, 0, to its last, 1.

    It is in the middle (LiteTrack's ``template_bb``).
    """
    window = exemplar_window(network, state)
    last = network.exemplar - 1
    x, y = (state[2 + i] * network.exemplar / window[2 + i] / last / 2 for i in (0, 1))
    return 0.5 - x, 0.5 - y, 0.5 + x, 0.5 + y


def search_window(
    network: "Network", state: np.ndarray, factor: float = 1.0
) -> Tuple[Window, Tuple[float, float]]:
    """Window of a frame, to be resized to ``network.search`` pixels, and its scale.

    Args:
        network: uses the keys of ``[input]``.
        state: [cx, cy, w, h], centre and size in frame pixels.
        factor: factor of the window's sides, for families that look at several scales.

    Returns:
        ((x0, y0, w, h), (x, y)): the window as ``exemplar_window`` gives it, and search pixels per
        frame pixel, as the family's authors compute them, without ``factor``.
    """
    if network.crop == "square":
        state = state.tolist()  # a third of the time of an array's numbers
        side = context_side(state[2:], network.context)
        scale = network.exemplar / side
        side = max(1, round(side * network.search / network.exemplar * factor))
        return _square(network, state, side), (scale, scale)
    if network.crop == "stretched":
        window = _stretched(state, network.search_margin, factor)
        x, y = (network.search * factor / window[2 + i] for i in (0, 1))
        return window, (x, y)
    side = _area_side(state, network.search_factor * factor)
    scale = network.search * factor / side
    return _square(network, state, side), (scale, scale)


def _area_side(state: np.ndarray, factor: float) -> int:
    return max(1, math.ceil(math.sqrt(state[2] * state[3]) * factor))


def _square(network: "Network", state: np.ndarray, side: int) -> Window:
    """The window of an integer side around the target's centre."""
    half = (side + FROM_CENTRE[network.corner]) / 2
    x0, y0 = state[0] - half, state[1] - half
    if network.resample == "warp":  # from the first pixel's centre to the last one's
        return float(x0), float(y0), max(side - 1, 1), max(side - 1, 1)
    whole = WHOLE[network.rounding]
    return whole(x0), whole(y0), side, side


def _stretched(state: np.ndarray, margin: float, factor: float) -> Window:
    """The box with a margin on each side, cut to whole pixels as FEAR's authors cut it."""
    w, h = state[2], state[3]
    margin = margin * factor + (factor - 1) / 2
    return (
        int(state[0] - w / 2 - w * margin),
        int(state[1] - h / 2 - h * margin),
        max(1, int(w * (1 + margin + margin))),
        max(1, int(h * (1 + margin + margin))),
    )


# A window's corner in whole pixels, as the network's authors round it.
WHOLE: Dict[str, Callable[[float], int]] = {
    "half_up": lambda value: int(math.floor(value + 0.5)),
    "half_even": lambda value: int(round(float(value))),
    "up": lambda value: int(math.ceil(value)),
}


def state_of(
    network: "Network", box: Sequence[float], frame_width: int, frame_height: int
) -> np.ndarray:
    """State of a target from its first box.

    Args:
        network: uses ``box_centre``, and ``box_pixels`` and ``clip`` if its family has them.
        box: (x, y, w, h), 0-based frame pixels.
        frame_width, frame_height: frame pixels.

    Returns:
        float64 [cx, cy, w, h].
    """
    x, y, w, h = box
    if getattr(network, "box_pixels", "exact") != "exact":
        x, y, w, h = int(x), int(y), max(1, int(w)), max(1, int(h))
    less = 1 if network.box_centre == "(w-1)/2" else 0
    state = np.array([x + (w - less) / 2, y + (h - less) / 2, w, h], np.float64)
    if getattr(network, "clip", None) == "inside":
        clamp_state(network, state, frame_width, frame_height)
    return state


def box_of(network: "Network", state: np.ndarray) -> Box:
    """Return the ``Box`` of a state."""
    less = 1 if network.box_corner == "(w-1)/2" else 0
    cx, cy, w, h = state.tolist()
    return Box(cx - (w - less) / 2, cy - (h - less) / 2, w, h)


def clamp_state(network: "Network", state: np.ndarray, frame_width: int, frame_height: int) -> None:
    """Bring a state into the limits that the network's authors set; in place.

    Args:
        network: uses ``min_size``, ``clip`` and ``box_pixels``.
        state: float64 [cx, cy, w, h].
        frame_width, frame_height: frame pixels.
    """
    if network.box_pixels != "exact":  # left, top, width and height, each on its own
        whole: Callable[[float], int] = round if network.box_pixels == "round" else math.floor
        for axis in (0, 1):
            low = whole(float(state[axis] - state[axis + 2] / 2))
            state[axis + 2] = whole(float(state[axis + 2]))
            state[axis] = low + state[axis + 2] / 2
    _CLIPS[network.clip](state, network.min_size, frame_width, frame_height)


def _keep_centre(state: np.ndarray, min_size: float, frame_width: int, frame_height: int) -> None:
    """SiamRPN and its relatives: the centre inside, the size between ``min_size`` and the frame."""
    state[0] = min(max(state[0], 0.0), frame_width)
    state[1] = min(max(state[1], 0.0), frame_height)
    state[2] = max(min_size, min(state[2], frame_width))
    state[3] = max(min_size, min(state[3], frame_height))


def _keep_corners(state: np.ndarray, min_size: float, frame_width: int, frame_height: int) -> None:
    """STARK: each corner inside, ``min_size`` of the box too."""
    for axis, limit in ((0, frame_width), (1, frame_height)):
        low, high = state[axis] - state[axis + 2] / 2, state[axis] + state[axis + 2] / 2
        low = min(max(0.0, low), limit - min_size)
        high = min(max(min_size, high), limit)
        state[axis + 2] = max(min_size, high - low)
        state[axis] = low + state[axis + 2] / 2


def _keep_inside(state: np.ndarray, min_size: float, frame_width: int, frame_height: int) -> None:
    """FEAR: moved in from the left and top, cut at the right and bottom."""
    for axis, limit in ((0, frame_width), (1, frame_height)):
        low = min(max(0.0, state[axis] - state[axis + 2] / 2), limit)
        size = min(low + max(min_size, state[axis + 2]), limit) - low
        if size < min_size:
            size = min_size
            low -= max(0.0, low + size - limit)
        state[axis + 2] = size
        state[axis] = low + size / 2


def _keep_size(state: np.ndarray, min_size: float, frame_width: int, frame_height: int) -> None:
    """OpenCV's VitTrack: enforce the minimum size only."""
    state[2] = max(min_size, state[2])
    state[3] = max(min_size, state[3])


_CLIPS = {
    "centre": _keep_centre,
    "corners": _keep_corners,
    "none": _keep_size,
    "inside": _keep_inside,
}


class Crops:
    """Crops windows of frames into an input of a network; ``window`` says how.

    Args:
        network: uses the keys of ``[input]``.
    """

    def __init__(self, network: "Network") -> None:
        self.network = network

    def window(self, frame: AnyFrame, window: Window, border: np.ndarray) -> None:
        """Resize a window of a frame.

        Args:
            frame: of any kind.
            window: (x, y, w, h) in frame pixels.
            border: colour of the pixels outside the frame, (3,) uint8, BGR.
        """
        raise NotImplementedError

    def around(
        self, frame: AnyFrame, state: np.ndarray, factor: float, border: np.ndarray
    ) -> Tuple[float, float]:
        """Crop the window around a target; returns its scale.

        Args:
            frame, border: as in ``window``.
            state, factor: as ``search_window`` takes them.
        """
        window, scale = search_window(self.network, state, factor)
        self.window(frame, window, border)
        return scale


class KernelCrops(Crops):
    """Crops by the kernels of the processor into an array.

    Args:
        network: as for ``Crops``.
        kernels: ``crop`` and ``warp`` (see ``hotpath.kernels.cpu``).
        out: (..., 3, height, width).
        is_input: whether ``out`` is an input of the network, with its packing. Else it gets the
            pixels as they are.
    """

    def __init__(
        self, network: "Network", kernels: CpuKernels, out: Any, is_input: bool = True
    ) -> None:
        super().__init__(network)
        self._out, self._size, self._packing = out, (out.shape[-1], out.shape[-2]), PLAIN
        self._has_fractions = network.resample == "warp"
        self._warp = kernels.warp
        self._crop = kernels.warp if self._has_fractions else kernels.crop
        self._around: Optional[Around] = None  # window and crop of an array, in one call
        if is_input:
            is_rgb = network.channels == "RGB"
            self._packing = InputSettings(network.mean, network.scale, is_rgb)
            self._around = kernels.around(window_settings(network), out, self._packing)

    def window(self, frame: AnyFrame, window: Window, border: np.ndarray) -> None:
        if not isinstance(frame, Picture):
            self._crop(frame, window, border, self._out, self._packing)
            return
        # decode no more of it, and no larger, than the crop needs
        width, height = self._size
        picture, scale = frame.part(window, min(window[2] / width, window[3] / height))
        if scale == 1:
            self._crop(picture, window, border, self._out, self._packing)
        else:
            reduced = reduced_window(window, self._size, scale, self._has_fractions)
            self._warp(picture, reduced, border, self._out, self._packing)

    def around(
        self, frame: AnyFrame, state: np.ndarray, factor: float, border: np.ndarray
    ) -> Tuple[float, float]:
        if self._around is not None and type(frame) is np.ndarray:
            return self._around(frame, state, factor, border)
        return super().around(frame, state, factor, border)


def reduced_window(
    window: Window, size: Tuple[int, int], scale: int, has_fractions: bool
) -> Tuple[float, float, float, float]:
    """Convert a window of a frame to the window of a picture with 1 / ``scale`` of its size.

    Args:
        window: (x, y, w, h) in frame pixels.
        size: (width, height) of the crop.
        scale: how many frame pixels a side of the picture's pixel has.
        has_fractions: whether the window reaches from the first pixel's centre of the crop to the
            last one's, as with ``resample = "warp"``; else from edge to edge.

    Returns:
        (x, y, w, h) in pixels of the picture, from the first pixel's centre to the last one's.
    """
    x, y, w, h = (float(value) for value in window)
    if not has_fractions:
        step_x, step_y = w / size[0], h / size[1]
        x, y, w, h = x + (step_x - 1) / 2, y + (step_y - 1) / 2, w - step_x, h - step_y
    return (x + 0.5) / scale - 0.5, (y + 0.5) / scale - 0.5, w / scale, h / scale


def border_colour(network: "Network", frame: AnyFrame) -> np.ndarray:
    """Return the colour for pixels outside the frame: (3,) uint8, BGR.

    For a frame in planes it is the colour of the mean Y, U and V. This is within 1 of the converted
    frame's mean, unless many pixels lie outside BGR's range (see
    ``hotpath.kernels.planes.Planes.mean``).
    """
    if network.border == "zero":
        return np.zeros(3, np.uint8)
    mean = frame.mean() if isinstance(frame, Picture) else np.array(cv2.mean(frame)[:3])
    return (np.rint(mean) if network.border == "mean_rounded" else mean).astype(np.uint8)
