"""One-step overlap: how well a network finds a target near where it was, without a tracker.

A tracker's mean overlap on a dozen clips is chaotic: one clip that flips moves it by 0.03. Fixed
pairs of crops near the true box are not, so calibration decides by them. Pairs, jitter and window
are those of ``calib.train.overlap``; here for any clip, geometry and engine. Points networks only.
"""

import numpy as np

from calib.train.overlap import WINDOW, centre_of, tracker_crop
from kernels.golden import hanning_window
from runtime import geometry
from runtime.decode._votes import probability
from runtime.errors import BadNetwork

SEED, FRAMES = 5, 40  # a clip


class Pairs:
    """Fixed exemplar and search crops of some clips.

    Attributes:
        clips: names.
        exemplars: a clip's crop, uint8 (e, e, 3) BGR, one a clip.
        searches: list of (index of the clip, uint8 (s, s, 3) crop, true box as centre from the
            crop's centre and size, search pixels).
    """

    def __init__(self, clips, network, frames=FRAMES):
        if network.family != "points":
            raise BadNetwork(
                "{}: one-step overlap is defined for the family points, not {}".format(
                    network.name, network.family
                )
            )
        self.clips, self.exemplars, self.searches = [clip.name for clip in clips], [], []
        rng = np.random.default_rng(SEED)
        for index, clip in enumerate(clips):
            self._add(index, clip, network, frames, rng)

    def _add(self, index, clip, network, frames, rng):
        truth, first = clip.boxes, clip[0]
        fill = first.mean((0, 1))
        side = round(geometry.context_side(truth[0][2:], network.context))
        self.exemplars.append(
            tracker_crop(first, centre_of(truth[0]), side, network.exemplar, fill)
        )
        for i in np.linspace(2, len(clip) - 1, frames).astype(int):
            if i < 1 or np.isnan(truth[i - 1 : i + 1]).any():
                continue
            before, now = truth[i - 1], truth[i]
            side = geometry.context_side(before[2:], network.context)
            side *= np.exp(rng.uniform(-0.1, 0.1))
            centre = centre_of(before) + rng.uniform(-0.12, 0.12, 2) * side
            side = round(side * network.search / network.exemplar)
            crop = tracker_crop(clip[i], centre, side, network.search, fill)
            scale = network.search / side
            box = np.concatenate([(centre_of(now) - centre) * scale, now[2:] * scale])
            self.searches.append((index, crop, box))

    def __len__(self):
        return len(self.searches)


class Finder:
    """The best cell of a pair, by one of the runtime's engines."""

    def __init__(self, network, engine):
        self.network, self.engine = network, engine
        self._hann = hanning_window(network.map_size)

    def exemplar(self, crop):
        """Features of an exemplar crop, uint8 (e, e, 3) BGR."""
        put(self.engine.exemplar_crop, crop, self.network)
        return self.engine.exemplar()

    def find(self, features, crop):
        """(cell, box): row-major index; centre from the crop's centre and size, search pixels."""
        put(self.engine.search_crop, crop, self.network)
        score, distances = self.engine.search(features)
        found = probability(np.asarray(score, np.float64), self.network.score)
        cell = int(np.argmax(found * (1 - WINDOW) + self._hann * WINDOW))
        size = self.network.map_size
        row, column = divmod(cell, size)
        left, top, right, bottom = np.asarray(distances, np.float64)[0, :, row, column]
        x, y = ((at - size // 2) * self.network.stride for at in (column, row))
        box = (x + (right - left) / 2, y + (bottom - top) / 2, left + right, top + bottom)
        return cell, np.array(box)

    def run(self, pairs):
        """All pairs: (cells (n,), overlaps (n,))."""
        features = [self.exemplar(crop) for crop in pairs.exemplars]
        found = [self.find(features[clip], crop) + (box,) for clip, crop, box in pairs.searches]
        cells = np.array([cell for cell, _, _ in found], int)
        return cells, np.array([overlap(box, truth) for _, box, truth in found])


def put(buffer, crop, network):
    """Write a uint8 BGR crop into an engine's input as the tracker would."""
    crop = crop[:, :, ::-1] if network.channels == "RGB" else crop
    mean = np.array(network.mean, np.float32)[:, None, None]
    scale = np.array(network.scale, np.float32)[:, None, None]
    buffer[0] = (crop.transpose(2, 0, 1).astype(np.float32) - mean) * scale


def overlap(a, b):
    """IoU of two boxes given as (cx, cy, w, h)."""
    low = np.maximum(a[:2] - a[2:] / 2, b[:2] - b[2:] / 2)
    high = np.minimum(a[:2] + a[2:] / 2, b[:2] + b[2:] / 2)
    common = np.prod(np.maximum(high - low, 0))
    return float(common / (np.prod(a[2:]) + np.prod(b[2:]) - common))
