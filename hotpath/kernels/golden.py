"""The definitions of crop, pack, correlate, argmax and window, in plain NumPy.

Tests compare every implementation in this folder with these functions: crop and pack bit for bit,
correlations within a stated error. Each decoding family defines its own select.
"""

from typing import Any, Sequence, Tuple, Union

import numpy as np

from hotpath.kernels.planes import Planes
from hotpath.kernels.settings import Border

# First and second source index of every target index, and their weights.
Taps = Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
WEIGHT_ONE = 2048  # the resize weights are fixed-point numbers with 11 fractional bits


def crop(
    frame: Union[np.ndarray, Planes],
    window: Sequence[int],
    size: Union[int, Tuple[int, int]],
    border: Border,
) -> np.ndarray:
    """Cut a window out of a frame and resize it, as OpenCV's fixed-point bilinear ``resize`` does.

    Equal to ``cv2.copyMakeBorder`` with a constant followed by ``cv2.resize(INTER_LINEAR)``. It
    reads only the pixels that it needs, so a window may be far larger than memory.

    In a picture in planes it converts only the pixels that it reads. The result equals a crop of
    the converted picture (``bgr_at``).

    Args:
        frame: (H, W, 3) uint8, BGR, any strides; or ``Planes``.
        window: ``(x, y, w, h)`` ints in frame pixels; may be partly or wholly outside.
        size: ``(height, width)`` of the result, or one int for a square.
        border: 3 uint8 values for the pixels outside the frame.

    Returns:
        (height, width, 3) uint8.

    Raises:
        ValueError: the window or the result has no pixel.
    """
    x, y, width, height = (int(value) for value in window)
    out_height, out_width = size if isinstance(size, (tuple, list)) else (size, size)
    if min(width, height, out_width, out_height) < 1:
        raise ValueError(f"a crop of {width}x{height} to {out_width}x{out_height}")
    if (height, width) == (out_height, out_width):
        return _pixels(frame, y + np.arange(height), x + np.arange(width), border).astype(np.uint8)
    return _resampled(frame, _columns(width, out_width, x), _rows(height, out_height, y), border)


def warp(
    frame: Union[np.ndarray, Planes],
    window: Sequence[float],
    size: Union[int, Tuple[int, int]],
    border: Border,
) -> np.ndarray:
    """Resample a window with fractions of pixels, bilinearly.

    The window's corner (x, y) becomes the centre of the first pixel of the result, and (x + w,
    y + h) the centre of the last one. The arithmetic is that of ``crop``. Weights have 11
    fractional bits. ``cv2.warpAffine`` gives the same within one grey level. Before OpenCV 5 it
    rounds places to 1/32 pixel.

    Args:
        frame, border: as in ``crop``.
        window: ``(x, y, w, h)`` floats, frame pixels; may be partly or wholly outside.
        size: ``(height, width)`` of the result, or one int for a square.

    Returns:
        (height, width, 3) uint8.

    Raises:
        ValueError: the window or the result has no pixel.
    """
    x, y, width, height = (float(value) for value in window)
    rows, columns = size if isinstance(size, (tuple, list)) else (size, size)
    if min(width, height) <= 0 or min(rows, columns) < 1:
        raise ValueError(f"a crop of {width}x{height} to {columns}x{rows}")
    return _resampled(frame, _places(x, width, columns), _places(y, height, rows), border)


def _resampled(
    frame: Union[np.ndarray, Planes], across: Taps, down: Taps, border: Border
) -> np.ndarray:
    """Both passes over a frame, along x and then along y."""
    left, right, left_weight, right_weight = across
    top, bottom, top_weight, bottom_weight = (values[:, None, None] for values in down)

    def resized(rows: np.ndarray) -> np.ndarray:
        """The horizontal pass over some rows: (rows, columns, 3) int64."""
        values = _pixels(frame, rows.ravel(), left, border) * left_weight[:, None]
        values += _pixels(frame, rows.ravel(), right, border) * right_weight[:, None]
        return np.asarray(values >> 4)

    upper, lower = (resized(top) * top_weight) >> 16, (resized(bottom) * bottom_weight) >> 16
    return np.asarray(((upper + lower + 2) >> 2).astype(np.uint8))


def bgr_at(picture: Planes, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Convert the pixels at rows x columns of a picture in planes to BGR.

    A pixel takes the nearest colour sample. Where the matrix is "601" of a limited range, this is
    what OpenCV's ``cvtColor`` does (``COLOR_YUV2BGR_NV12`` and the like), bit for bit. Otherwise
    every value is within 1 of ITU-R BT.601 or BT.709 in real numbers.

    Args:
        picture: the ``Planes``.
        rows, columns: indices inside the picture.

    Returns:
        (rows, columns, 3) uint8.
    """
    samples, factors = picture.samples, picture.factors
    if samples is None:
        bgrx: np.ndarray = picture.planes[0][rows][:, columns, :3]
        return bgrx
    luma = samples.luma[rows][:, columns].astype(np.int64)
    grey = np.maximum(luma - factors.black, 0) * factors.grey
    colours: Sequence[Union[int, Sequence[int]]] = (0, 0, 0)
    if samples.u is not None and samples.v is not None:
        at = rows >> samples.shift_y, columns >> samples.shift_x
        u, v = (c[at[0]][:, at[1]].astype(np.int64) - 128 for c in (samples.u, samples.v))
        green = factors.u_green * u + factors.v_green * v
        colours = factors.u_blue * u, green, factors.v_red * v
    channels = [(grey + colour + (1 << 19)) >> 20 for colour in colours]
    return np.asarray(np.clip(np.stack(channels, axis=2), 0, 255).astype(np.uint8))


def bgr_from_planes(picture: Planes) -> np.ndarray:
    """Convert a whole picture: (H, W, 3) uint8; see ``bgr_at``."""
    return bgr_at(picture, np.arange(picture.height), np.arange(picture.width))


def pack(
    image: np.ndarray,
    mean: Sequence[float] = (0, 0, 0),
    scale: Sequence[float] = (1, 1, 1),
    swap: bool = False,
    dtype: Any = np.float32,
) -> np.ndarray:
    """Lay a crop out as a network's input.

    Args:
        image: (h, w, 3) uint8, BGR.
        mean, scale: per channel of the result, which is ``(value - mean) * scale`` in float32.
            Without effect on uint8.
        swap: whether the result is RGB.
        dtype: ``numpy.float32``; ``float16``: the float32 value rounded; or ``uint8``.

    Returns:
        (1, 3, h, w) of that dtype, C-contiguous.
    """
    planes = np.ascontiguousarray(image[:, :, :: -1 if swap else 1].transpose(2, 0, 1))[None]
    if np.dtype(dtype) == np.uint8:
        return planes
    means, scales = (np.asarray(v, np.float32).reshape(1, 3, 1, 1) for v in (mean, scale))
    return ((planes.astype(np.float32) - means) * scales).astype(dtype)


def correlate_depthwise(exemplar: np.ndarray, search: np.ndarray, padding: int = 0) -> np.ndarray:
    """Slide the exemplar over the search region, each channel separately.

    Args:
        exemplar: (C, h, w) features.
        search: (C, H, W) features.
        padding: zeros added on each side of ``search``.

    Returns:
        (C, H + 2*padding - h + 1, W + 2*padding - w + 1) float64.
    """
    exemplar, search = np.asarray(exemplar, np.float64), np.asarray(search, np.float64)
    search = np.pad(search, ((0, 0), (padding, padding), (padding, padding)), mode="constant")
    height = search.shape[1] - exemplar.shape[1] + 1
    width = search.shape[2] - exemplar.shape[2] + 1
    result = np.zeros((search.shape[0], height, width))
    for row in range(exemplar.shape[1]):
        for column in range(exemplar.shape[2]):
            weight = exemplar[:, row, column, None, None]
            result += weight * search[:, row : row + height, column : column + width]
    return result


def _pixels(
    frame: Union[np.ndarray, Planes], rows: np.ndarray, columns: np.ndarray, border: Border
) -> np.ndarray:
    """The frame's pixels at rows x columns, ``border`` outside: (rows, columns, 3) int64."""
    height, width = frame.shape[:2]
    at = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    if isinstance(frame, Planes):
        values = bgr_at(frame, *at).astype(np.int64)
    else:
        values = frame[at[0]][:, at[1]].astype(np.int64)
    values[(rows < 0) | (rows >= height)] = values[:, (columns < 0) | (columns >= width)] = border
    return values


def _taps(source: int, target: int) -> Tuple[np.ndarray, np.ndarray]:
    """First source index and the two weights of every target index, before any clamping."""
    scale = 1.0 / (float(target) / float(source))  # OpenCV inverts twice; keep that rounding
    place = ((np.arange(target) + 0.5) * scale - 0.5).astype(np.float32)
    index = np.floor(place)
    return index.astype(np.int64), place - index


def _weights(part: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Fixed-point weights of the first and second source pixel, rounded half to even."""
    first = np.rint((np.float32(1) - part) * np.float32(WEIGHT_ONE)).astype(np.int64)
    return first, np.rint(part * np.float32(WEIGHT_ONE)).astype(np.int64)


def _columns(source: int, target: int, origin: int = 0) -> Taps:
    """Left and right column and their weights; at the edges of the window one column counts."""
    index, part = _taps(source, target)
    part[(index < 0) | (index >= source - 1)] = 0
    left = np.clip(index, 0, source - 1)
    return (origin + left, origin + np.minimum(left + 1, source - 1)) + _weights(part)


def _rows(source: int, target: int, origin: int = 0) -> Taps:
    """Top and bottom row and their weights; at the edges both are the same row, weights stay."""
    index, part = _taps(source, target)
    top, bottom = (origin + np.clip(index + more, 0, source - 1) for more in (0, 1))
    return (top, bottom) + _weights(part)


def _places(start: float, length: float, count: int) -> Taps:
    """The two source indices of each place of a warp, and their weights."""
    step = int(np.rint(length / (count - 1) * 2.0**32)) if count > 1 else 0
    places = int(np.rint(start * 2.0**32)) + step * np.arange(count) + (1 << 20)
    first, weight = places >> 32, places >> 21 & (WEIGHT_ONE - 1)
    return first, first + 1, WEIGHT_ONE - weight, weight
