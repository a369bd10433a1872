"""The path of a frame, for one or more trackers: ``look``, then ``judge``.

``Tracker.update`` calls both for its own target, ``Targets`` for all of its targets, and a witness
for the targets of each network. The functions behind them are what these callers tell a tracker
about its target. A program that has a ``Tracker`` needs none of them.
"""

import contextlib
import math
import time
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.base.errors import NO_SCORE
from hotpath.kernels.settings import SelectionPrior
from hotpath.runtime.devices.base import Device, StepMs, WindowRequest
from hotpath.runtime.errors import BadFrame, NetworkFailed
from hotpath.runtime.frames import geometry
from hotpath.runtime.identity.identity import Identity, Phase
from hotpath.runtime.network import Network
from hotpath.runtime.search.search import Search
from hotpath.runtime.search.wider import Watched, look_again
from hotpath.runtime.tracker.lock import ExclusiveLock
from hotpath.runtime.tracker.motion import Motion
from hotpath.runtime.types import LOST, Box, Track, WindowResult


class Target:
    """What the path of a frame reads and changes: the part of a ``Tracker`` that is of its target.

    Attributes:
        network, device: of the tracker.
        identity, search: of the target; a tracker that cannot lose it has no search.
        searches: whether a lost target is searched for.
        lock: of the tracker.
    """

    network: Network
    device: Device
    identity: Identity
    search: Optional[Search]
    searches: bool
    lock: ExclusiveLock

    _state: Any = None  # float64 [cx, cy, w, h], frame pixels; each frame replaces the array
    _last: Any = None  # the state in the last frame in which the target was not lost
    _bias: Any = None  # of the drawn box, see ``hotpath.runtime.tracker.first_box``
    _legible: Any = None  # (shape, state, last) before frames in which it is too small
    _exemplar: Any = None
    _shape: Tuple[int, ...] = ()
    _scales: Sequence[float]
    _decoder: Any  # of a family that searches several sizes
    _prior: SelectionPrior
    _motion: Motion
    _shown: Optional[Track] = None  # the last track, where something ends the frame after judge
    _trail: Any = None  # ``hotpath.runtime.tracker.trail.Trail``, if candidates are traced


class Looked(NamedTuple):
    """What a device has shown of a frame, before anything is decided.

    Attributes:
        frame, shape: from ``Device.take``.
        results: number of a target -> the ``WindowResult`` of its windows; a target for which the
            output of the network is not finite has none.
        step_ms: milliseconds of each step, of all targets together; ``judge`` adds to it.
    """

    frame: Any
    shape: Tuple[int, ...]
    results: Dict[int, Sequence[WindowResult]]
    step_ms: StepMs


def look(trackers: Mapping[int, Target], frame: Any) -> Looked:
    """Look at the next frame for one or more targets: the first half of the path of a frame.

    No target moves here, so that all of them stay where they were if a network fails.

    Args:
        trackers: number of a target -> its tracker. They share one device, which gets the windows
            of all of them in one list.
        frame: as in ``Tracker.update``.
    """
    device = next(iter(trackers.values())).device
    frame, shape = device.take(frame)
    requests: List[WindowRequest] = []
    watched, spans = [], []
    for tracker in trackers.values():
        begin = len(requests)
        requests += requests_of(tracker, frame, shape)
        watched.append((begin, _watched(tracker)))
        spans.append((begin, len(requests)))
    shown, step_ms = device.run(frame, requests)  # crop, network and select, of all windows
    shown = look_again(device, frame, shown, step_ms, watched)
    results: Dict[int, Sequence[WindowResult]] = {}
    for number, (begin, end) in zip(trackers, spans):
        if _is_finite(shown[begin:end]):
            results[number] = shown[begin:end]
    return Looked(frame, shape, results, step_ms)


def _is_finite(results: Sequence[WindowResult]) -> bool:
    """Whether all places of some windows are numbers; maps are checked when they are decoded."""
    return all(
        math.isfinite(sum(shown.scores) + float(shown.states.sum()))
        for shown in results
        if shown.states is not None
    )


def judge(trackers: Mapping[int, Target], looked: Looked) -> Dict[int, Track]:
    """Decide where the targets are: the second half of the path of a frame.

    Returns:
        number -> ``Track``, without a velocity (see ``with_velocity``). Where the output of the
        network is not finite, there is none, and the target stays where it was.
    """
    began = time.perf_counter()
    tracks: Dict[int, Track] = {}
    for number, results in looked.results.items():
        with contextlib.suppress(NetworkFailed):
            tracks[number] = judge_one(trackers[number], looked.frame, results)
    looked.step_ms["select"] += (time.perf_counter() - began) * 1e3
    return tracks


def of_all(trackers: Mapping[int, Target], tracks: Dict[int, Track]) -> Dict[int, Track]:
    """Return the tracks; raises ``NetworkFailed`` if a target has none."""
    if len(tracks) < len(trackers):
        raise NetworkFailed(NO_SCORE, what="no score")
    return tracks


def requests_of(tracker: Target, frame: Any, shape: Tuple[int, ...]) -> List[WindowRequest]:
    """Return the windows of a frame that the device has to look at for a target.

    Args:
        tracker: of the target. If the shape has changed, the target's box is scaled with it.
        frame, shape: from ``Device.take``.
    """
    if shape != tracker._shape:
        _rescale(tracker, shape)
    exemplar, state, search = tracker._exemplar, tracker._state, tracker.search
    if search is not None and search.active:
        window = search.window(state, tracker.device.picture(frame))
        return [WindowRequest(exemplar, window.state, window.factor, window.prior, False)]
    if tracker._scales:
        return [WindowRequest(exemplar, state, scale, None) for scale in tracker._scales]
    reads = search is not None and (not tracker.device.copies or search.learns)
    return [WindowRequest(exemplar, state, 1.0, tracker._prior, reads)]


def _rescale(tracker: Target, shape: Tuple[int, ...]) -> None:
    """Scale the target's state after the source changed its resolution.

    In a frame where the target is smaller than the network's smallest box, its size and place
    cannot be measured. After such frames, those from before are restored.
    """
    check_size(tracker, shape)
    before = tracker._legible or (tracker._shape, tracker._state, tracker._last)
    (height, width), was_legible = before[0][:2], tracker._legible is None
    x, y = shape[1] / width, shape[0] / height
    factors = (x, y, x, y)
    tracker._state, tracker._last = before[1] * factors, before[2] * factors
    is_legible = min(tracker._state[2:]) >= min(tracker.network.min_size, *before[1][2:])
    tracker._legible = None if is_legible else before
    x, y = shape[1] / tracker._shape[1], shape[0] / tracker._shape[0]
    if tracker.search is not None:
        tracker.search.rescale((x, y, x, y), None if was_legible else tracker._last)
    tracker._motion.rescale(x, y)
    tracker._shape = shape


def check_size(tracker: Target, shape: Sequence[int]) -> None:
    """Refuse a frame that is smaller than the network's smallest box."""
    network = tracker.network
    if min(shape[:2]) < network.min_size:
        raise BadFrame(
            f"a frame of {shape[1]}x{shape[0]} is smaller than the smallest box that "
            f"{network.name} gives, {network.min_size:g} pixels; scale the pictures up",
            what="too small",
        )


def _watched(tracker: Target) -> Optional[Watched]:
    """Return what a wider window needs; None while the target is lost, or without a search."""
    if tracker.search is None or not tracker.searches or tracker.search.active:
        return None
    return Watched(tracker.search, tracker._exemplar, tracker._state)


def judge_one(tracker: Target, frame: Any, results: Sequence[WindowResult]) -> Track:
    """Judge what the windows of one target show, and move the target.

    Args:
        tracker: of the target.
        frame: the frame that ``requests_of`` got.
        results: a ``WindowResult`` for each of its windows.

    Raises:
        NetworkFailed: the output is not finite. The target stays where it was.
    """
    search, identity, shown = tracker.search, tracker.identity, results[0]
    value = appearance = None
    looking = search if search is not None and search.active else None
    picture = frame if search is None else tracker.device.picture(frame)
    if looking is not None:
        value, score, place = looking.update(picture, shown, tracker._state)
    elif tracker._decoder is not None:
        shown = results[len(results) // 2]
        maps, (height, width) = [scale.maps for scale in results], tracker._shape[:2]
        place, score = tracker._decoder.among(maps, tracker._state, shown.scale, width, height)
    else:
        chosen, appearance = (0, None) if search is None else search.choose(shown)
        place, score = shown.states[chosen], shown.scores[chosen]
    if not math.isfinite(sum(place.tolist()) + score):
        raise NetworkFailed(NO_SCORE, what="no score")
    tracker._state = place

    # whether that is the target, and where to look next
    if looking is not None:
        identity.searched(place, value)
    else:
        identity.observe(picture, place, shown, score, appearance)

    # report the state; then learn, and search for a target that stays lost
    state, presence = identity.report()
    if state != LOST:
        tracker._last = place
    box = box_shown(tracker, tracker._last)
    track = Track(box, score, state == LOST, state, presence=presence)
    track = track._replace(found=True) if identity.found else track
    if search is not None and (looking is None or value is not None):
        search.learn(place, shown)
    return track


def with_velocity(tracker: Target, track: Track, time_s: Optional[float]) -> Track:
    """Return a track of ``judge`` with ``velocity`` and ``predicted`` for that time."""
    return tracker._motion.step(track, time_s)


def box_shown(tracker: Target, state: np.ndarray) -> Box:
    """Return the box that the user gets for a state, by the convention of the drawn box."""
    if tracker._bias is not None:
        state = state * tracker._bias
        geometry.clamp_state(tracker.network, state, tracker._shape[1], tracker._shape[0])
    return geometry.box_of(tracker.network, state)


def state_in(tracker: Target, box: Box) -> np.ndarray:
    """Return the state that ``box_shown`` shows as a box of the last frame."""
    height, width = tracker._shape[:2]
    state = geometry.state_of(tracker.network, box, width, height)
    return state if tracker._bias is None else state / tracker._bias


def propose(tracker: Target, box: Box) -> None:
    """Track what a box of the last frame holds; it must be verified as after a loss."""
    with tracker.lock:
        tracker._state = state_in(tracker, box)
        tracker.identity.propose()
        if tracker.search is not None:
            tracker.search.active = False


def hold(tracker: Target, state: np.ndarray) -> None:
    """Set where a target may be while another target is in its place.

    The tracker learns nothing there. If it searches for lost targets, it searches from there.

    Args:
        tracker: of the target.
        state: float64 [cx, cy, w, h], frame pixels.
    """
    with tracker.lock:
        tracker._state = state.copy()
        tracker.identity.displace(Phase.DOUBTFUL)
        if tracker.search is not None:
            tracker.search.restart(tracker._state)


def avoid(tracker: Target, boxes: np.ndarray) -> None:
    """Set the boxes of other targets, in which a target is neither found nor suspected.

    Args:
        tracker: of the target.
        boxes: (n, 4) float64 (x, y, w, h), 0-based pixels of the frame.
    """
    with tracker.lock:
        if tracker.search is not None:
            tracker.search.avoid(boxes, tracker._state)
