"""Collect the crops that a network sees while it tracks. Its ranges are measured on them.

The tracker runs over each clip, so that the crops have its drift. Half of the crops also get the
jitter of a bad frame. The tracker is started again on the true box after it lost the target.
Exemplars are cut from several frames, because the exemplar part has its own ranges.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hotpath.base.messages import counted
from hotpath.calib.errors import BadRun
from hotpath.calib.one_step_overlap import window_sides
from hotpath.kernels.cpu.interface import PLAIN
from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.network import Network
from hotpath.video.clips import AnnotatedClip

if TYPE_CHECKING:
    from hotpath.runtime.tracker.tracker import Tracker

SEED = 11
LOST = 0.2  # overlap below which the tracker is started again on the true box
SHIFT, SCALE = 0.15, 0.15  # jitter: of the context's side, and of its logarithm


def _visible(clip: AnnotatedClip) -> np.ndarray:
    """Return the numbers of the frames that show the target; refuse a clip with less than two."""
    seen = np.flatnonzero(np.isfinite(clip.boxes[:, 0]))
    if len(seen) < 2:
        raise BadRun(
            f"{clip.name} shows its target in {counted(len(seen), 'frame')}; calibration "
            "needs 2 or more",
            what="too few frames",
        )
    return seen


def collect(
    clip: AnnotatedClip, tracker: "Tracker", exemplars: int, searches: int
) -> tuple[np.ndarray, np.ndarray]:
    """Crops of one clip.

    Args:
        tracker: a ``hotpath.runtime.tracker.tracker.Tracker`` of the network.
        exemplars, searches: number of each, spread evenly over the clip.

    Returns:
        (exemplars (n, e, e, 3), searches (m, s, s, 3)) uint8 in the channel order of the network.
    """
    network = tracker.network
    seen = _visible(clip)
    wanted_z = set(seen[np.linspace(0, len(seen) - 1, exemplars).astype(int)])
    wanted_x = set(seen[np.linspace(1, len(seen) - 1, searches).astype(int)])
    rng = np.random.default_rng(SEED)
    crops_z: list[np.ndarray] = []
    crops_x: list[np.ndarray] = []
    for index, frame in enumerate(clip):
        box = clip.boxes[index]
        is_visible = np.isfinite(box[0])
        if index and is_visible and index in wanted_x:
            state = (
                tracker.target.state
                if len(crops_x) % 2
                else _jittered(tracker.target.state, network, rng)
            )
            window, _ = geometry.search_window(network, state)
            crops_x.append(_cut(tracker, frame, window, network.search))
        track = tracker.update(frame) if index else None
        if is_visible and index in wanted_z:
            state = np.array([*(box[:2] + (box[2:] - 1) / 2), *box[2:]])
            crops_z.append(
                _cut(tracker, frame, geometry.exemplar_window(network, state), network.exemplar)
            )
        if is_visible and (track is None or overlap(track.box, box) < LOST):
            tracker.init(frame, box)
    return np.array(crops_z), np.array(crops_x)


def _jittered(state: np.ndarray, network: Network, rng: np.random.Generator) -> np.ndarray:
    """Return a state that is wrong by as much as after a bad frame."""
    side = window_sides(network, state)[0]
    centre = state[:2] + rng.uniform(-SHIFT, SHIFT, 2) * side
    return np.concatenate([centre, state[2:] * np.exp(rng.uniform(-SCALE, SCALE))])


def _cut(tracker: "Tracker", frame: np.ndarray, window: Sequence[float], side: int) -> np.ndarray:
    """Cut a window with the tracker's own kernel: uint8 (side, side, 3)."""
    out = np.zeros((1, 3, side, side), np.uint8)
    border = geometry.border_colour(tracker.network, frame)
    swap = tracker.network.channels == "RGB"
    tracker.device.kernels.crop(frame, window, border, out, PLAIN._replace(swap=swap))
    return out[0].transpose(1, 2, 0).copy()


def as_input(crop: np.ndarray, network: Network) -> np.ndarray:
    """A crop of ``collect`` as the network's input, float32 (1, 3, side, side)."""
    mean = np.array(network.mean, np.float32)[:, None, None]
    scale = np.array(network.scale, np.float32)[:, None, None]
    return ((crop.transpose(2, 0, 1).astype(np.float32) - mean) * scale)[None]
