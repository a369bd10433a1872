"""One-step overlap: how well a network finds a target near its last place, without a tracker.

A tracker's mean overlap on a dozen clips is chaotic: one clip can change it by 0.03. Fixed pairs of
crops near the true box are not chaotic, so calibration and training use them for decisions. A
search crop is cut around the true box of the frame before, moved and scaled at random with a fixed
seed. The measure is the overlap of the best cell's box, with little weight on the Hanning window.
Networks of the families ``points``, ``centre`` and ``corners``, with windows that are squares.
"""

import math
from typing import Any, Iterable, Iterator, NamedTuple, Sequence, Tuple, Union

import cv2
import numpy as np
from numpy.typing import ArrayLike

from hotpath.kernels.golden import pack
from hotpath.kernels.votes import hanning_window, probability
from hotpath.runtime.decode.corners import Corners
from hotpath.runtime.engines.base import Engine
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.network import Network
from hotpath.video.clips import AnnotatedClip

WINDOW = 0.2  # weight of the Hanning window
SEED, FRAMES = 5, 40  # frames a clip
DRAWS, DRAWS_SEED = 2000, 12  # of the bootstrap
CORNERS_CELLS = 16  # a side: cells of a box's centre, where no map has cells
SHIFT, SCALE = 0.12, 0.1  # shift: share of the context's side; scale: of its logarithm


def check_supported(network: Network) -> None:
    """Refuse a network that the pairs do not support.

    Raises:
        BadNetwork: the network has another family, or windows that are no squares.
    """
    family, crop = network.family, network.crop
    if family not in ("points", "centre", "corners") or crop == "stretched":
        raise BadNetwork(
            f"{network.name}: one-step overlap is defined for the families points, centre and "
            f"corners with crops that are squares, not {family} with {crop} ones; run it in fp32, "
            "on a GPU in fp16"
        )


class Pairs:
    """Fixed exemplar and search crops of some clips.

    Args:
        network: a ``Network``.
        repeats: crops of every frame, each from another place. The first round is the measure.
            More rounds make it depend less on chance.
        frames: most frames of each clip, or the indices of those to take of each clip. A frame is
            left out where it or the one that the window lies around has no box.
        around: the window of a frame lies around the box of this frame, counted from it.

    Attributes:
        clips: names.
        exemplars: uint8 (clips, e, e, 3) BGR.
        searches: uint8 (pairs, s, s, 3) BGR.
        boxes: float64 (pairs, 4): true centre from the crop's centre, and size, search pixels.
        clip: int (pairs,), index of the clip.
        frame: int (pairs,), index of the frame in its clip.

    Raises:
        BadNetwork: see ``check_supported``.
    """

    def __init__(
        self,
        clips: Sequence[AnnotatedClip],
        network: Network,
        repeats: int = 1,
        frames: Union[int, Sequence[int]] = FRAMES,
        around: int = -1,
    ) -> None:
        check_supported(network)
        self.network = network
        self.clips = [clip.name for clip in clips]
        self.exemplars = np.array([_exemplar(clip, network) for clip in clips])
        searches, boxes, places = [], [], []
        for repeat in range(repeats):
            rng = np.random.default_rng(SEED + 100 * repeat)
            for index, clip in enumerate(clips):
                for frame, crop, box in _searches(clip, network, frames, rng, around):
                    searches.append(crop)
                    boxes.append(box)
                    places.append((index, frame))
        self.searches, self.boxes = np.array(searches), np.array(boxes)
        self.clip, self.frame = np.array(places, int).reshape(-1, 2).T

    def __len__(self) -> int:
        return len(self.searches)

    def overlaps(self, maps: Iterable[Tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Return (pairs,) float64, the overlap of every pair.

        Args:
            maps: one (probability (n, n), distances (4, n, n) in search pixels) for every pair.
        """
        boxes = (box_at(best_cell(p), d, _stride(self.network)) for p, d in maps)
        return self.overlaps_of(list(boxes))

    def overlaps_of(self, boxes: Sequence[np.ndarray]) -> np.ndarray:
        """Return (pairs,) float64, the overlap of one box for every pair with the true one."""
        return overlap(_corner(np.array(boxes)), _corner(self.boxes))


def _exemplar(clip: AnnotatedClip, network: Network) -> np.ndarray:
    """Cut the exemplar of a clip's first frame, uint8 (e, e, 3)."""
    first, box = clip[0], clip.boxes[0]
    side = round(window_sides(network, box)[0])
    return tracker_crop(first, centre_of(box), side, network.exemplar, _fill(network, first))


def window_sides(network: Network, box: np.ndarray) -> Tuple[float, float]:
    """Sides of the windows of the exemplar and of the search region around a box, frame pixels."""
    if network.crop == "area":
        root = math.sqrt(box[2] * box[3])
        return root * network.exemplar_factor, root * network.search_factor
    side = geometry.context_side(box[2:], network.context)
    return side, side * network.search / network.exemplar


def _fill(network: Network, first: np.ndarray) -> np.ndarray:
    """The colour outside a clip's frames."""
    return np.zeros(3) if network.border == "zero" else first.mean((0, 1))


def _stride(network: Network) -> float:
    """Search pixels a cell."""
    return float(network.stride)


def _searches(
    clip: AnnotatedClip,
    network: Network,
    frames: Union[int, Sequence[int]],
    rng: np.random.Generator,
    around: int,
) -> Iterator[Tuple[int, np.ndarray, np.ndarray]]:
    """Yield (frame, crop uint8 (s, s, 3), true box) for frames spread over a clip, or named."""
    truth = clip.boxes
    fill = _fill(network, clip[0])
    if isinstance(frames, int):
        frames = np.linspace(2, len(clip) - 1, frames).astype(int).tolist()
    for i in np.asarray(frames):
        other = i + around
        if not 0 <= other < len(clip) or np.isnan(truth[[i, other]]).any():
            continue
        middle, now = truth[other], truth[i]
        grown = np.exp(rng.uniform(-SCALE, SCALE))
        inner, outer = (side * grown for side in window_sides(network, middle))
        centre = centre_of(middle) + rng.uniform(-SHIFT, SHIFT, 2) * inner
        side = round(outer)
        crop = tracker_crop(clip[i], centre, side, network.search, fill)
        scale = network.search / side
        yield i, crop, np.concatenate([(centre_of(now) - centre) * scale, now[2:] * scale])


def tracker_crop(
    frame: np.ndarray, centre: np.ndarray, side: float, out: int, fill: np.ndarray
) -> np.ndarray:
    """Cut a crop as NanoTrack does: a square of whole pixels, the outside filled, then resized.

    Args:
        frame: BGR uint8 (H, W, 3).
        centre: (x, y) frame pixels.
        side: side of the square, frame pixels.
        out: side of the result, pixels.
        fill: 3 values for the pixels outside the frame.

    Returns:
        uint8 (out, out, 3).
    """
    side = int(side)
    low = np.floor(np.asarray(centre) - (side + 1) / 2 + 0.5).astype(int)
    high = low + side
    limit = frame.shape[1::-1]
    a, b = np.maximum(low, 0), np.minimum(high, limit)
    patch = np.empty((side, side, 3), np.uint8)
    patch[:] = fill.astype(np.uint8)
    if (b > a).all():
        inside = frame[a[1] : b[1], a[0] : b[0]]
        patch[a[1] - low[1] : b[1] - low[1], a[0] - low[0] : b[0] - low[0]] = inside
    return patch if side == out else cv2.resize(patch, (out, out))


def centre_of(box: np.ndarray) -> np.ndarray:
    """Return the centre (x, y) of a box as NanoTrack counts it: between the outer pixels."""
    return box[:2] + (box[2:] - 1) / 2


class Answers(NamedTuple):
    """What a network finds in some pairs.

    Attributes:
        cells: int (n,), row-major index of the cell whose box is taken.
        overlaps: float64 (n,), of that box with the true one.
    """

    cells: np.ndarray
    overlaps: np.ndarray


class Finder:
    """Finds targets in crops with an engine of the runtime that holds the network."""

    def __init__(self, network: Network, engine: Engine) -> None:
        self.network, self.engine = network, engine

    def exemplar(self, crop: np.ndarray) -> Any:
        """Return the features of an exemplar crop, uint8 (e, e, 3) BGR."""
        put_crop(self.engine.exemplar_crop, crop, self.network)
        return self.engine.exemplar()

    def search(self, features: Any, crop: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Return (probability (n, n), distances (4, n, n)) of a search crop, uint8 (s, s, 3)."""
        put_crop(self.engine.search_crop, crop, self.network)
        score, *rest = self.engine.search(features)
        score_map = probability(np.array(score, np.float64), self.network.score)
        if self.network.family != "centre":
            return score_map, np.array(rest[0][0], np.float64)
        return score_map, centre_distances(self.network, np.array(rest[0][0]), np.array(rest[1][0]))

    def find(self, features: Any, crop: np.ndarray) -> Tuple[int, np.ndarray]:
        """Return (cell, box).

        The cell is a row-major index, the box has its centre from the crop's centre and its size.
        """
        if self.network.family == "corners":
            put_crop(self.engine.search_crop, crop, self.network)
            _, _, box = Corners(self.network).box(self.engine.search(features))
            column, row = (int(min(max(at, 0), 1 - 1e-9) * CORNERS_CELLS) for at in box[:2])
            shares = np.array(box) - (0.5, 0.5, 0, 0)
            return row * CORNERS_CELLS + column, shares * self.network.search
        score_map, distances = self.search(features, crop)
        cell = best_cell(score_map)
        return cell, box_at(cell, distances, _stride(self.network))

    def run(self, pairs: Pairs) -> Answers:
        """Find the target of every pair."""
        features = [self.exemplar(crop) for crop in pairs.exemplars]
        found = (self.find(features[c], crop) for c, crop in zip(pairs.clip, pairs.searches))
        cells, boxes = (list(column) for column in zip(*found))
        return Answers(np.array(cells, int), pairs.overlaps_of(boxes))


def centre_distances(network: Network, size: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return distances left, top, right, bottom of the family ``centre``.

    Args:
        network: uses ``search`` and ``stride``.
        size, offset: (2, n, n), shares of the search region, and cells.

    Returns:
        (4, n, n) from each cell to the sides of its box, search pixels.
    """
    half, moved = size * network.search / 2.0, offset * _stride(network)
    return np.concatenate([half - moved, half + moved])


def put_crop(buffer: np.ndarray, crop: np.ndarray, network: Network) -> None:
    """Write a uint8 BGR crop into an engine's input as the tracker would."""
    swap = network.channels == "RGB"
    buffer[...] = pack(crop, network.mean, network.scale, swap, buffer.dtype)


def best_cell(probability_map: np.ndarray) -> int:
    """Return the row-major index of the best cell, with little weight on the Hanning window."""
    weights = probability_map * (1 - WINDOW) + hanning_window(len(probability_map)) * WINDOW
    return int(np.argmax(weights))


def box_at(cell: int, distances: np.ndarray, stride: float) -> np.ndarray:
    """Return the box of a cell: centre from the crop's centre, and size, search pixels."""
    size = distances.shape[-1]
    row, column = divmod(cell, size)
    left, top, right, bottom = distances[:, row, column]
    x, y = ((at - size // 2) * stride for at in (column, row))
    return np.array((x + (right - left) / 2, y + (bottom - top) / 2, left + right, top + bottom))


def _corner(boxes: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) by their centres, as boxes by their corners."""
    boxes = boxes.reshape(-1, 4)
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]], axis=1)


class Estimate(NamedTuple):
    """A mean and its standard error."""

    mean: float
    error: float


def _draws(clip: ArrayLike) -> np.ndarray:
    """(DRAWS, pairs) weight of every pair in every draw of clips."""
    clip = np.asarray(clip)
    names = np.unique(clip)
    rng = np.random.default_rng(DRAWS_SEED)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)
    return times[:, np.searchsorted(names, clip)].astype(float)


def estimate(values: ArrayLike, clip: ArrayLike) -> Estimate:
    """Mean over all pairs and its standard error by bootstrap over clips.

    Frames of one clip are similar, so the bootstrap draws clips and not frames. Each draw takes as
    many clips as there are, with repetition, and all their pairs.

    Args:
        values: (pairs,) overlaps, or differences of overlaps of two networks on the same pairs.
        clip: (pairs,) which clip each pair is of.

    Returns:
        ``Estimate``; the error is NaN if there are fewer than two clips.
    """
    values = np.asarray(values, float)
    if len(np.unique(clip)) < 2:
        return Estimate(float(values.mean()), float("nan"))
    weight = _draws(clip)
    means = weight @ values / weight.sum(1)
    return Estimate(float(values.mean()), float(means.std(ddof=1)))
