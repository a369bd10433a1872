"""Run the steps of a frame for one or more trackers: ``run_windows``, then ``decide_targets``.

``Tracker.update`` calls both for its own target, ``Targets`` for all of its targets, and a witness
for the targets of each network. A program that has a ``Tracker`` needs none of them.
"""

import contextlib
import math
import time
from typing import Any, Collection, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from hotpath.base.errors import NO_SCORE
from hotpath.runtime.devices.base import StepMs, WindowRequest
from hotpath.runtime.errors import NetworkFailed
from hotpath.runtime.search.wider import search_wider
from hotpath.runtime.tracker.target_state import TargetState
from hotpath.runtime.types import Track, WindowResult


class FrameResults(NamedTuple):
    """What the network found in a frame, before anything is decided.

    Attributes:
        frame, shape: from ``Device.take``.
        results: number of a target -> the ``WindowResult`` of its windows; a target for which the
            output of the network is not finite has none.
        step_ms: milliseconds of each step, of all targets together; ``decide_targets`` adds to it.
        has_wider: whether the network ran on wider windows, too.
    """

    frame: Any
    shape: Tuple[int, ...]
    results: Dict[int, Sequence[WindowResult]]
    step_ms: StepMs
    has_wider: bool


def run_windows(targets: Mapping[int, TargetState], frame: Any) -> FrameResults:
    """Run the network on the next frame, for one or more targets: the first half of its path.

    No target moves here, so that all of them stay where they were if a network fails.

    Args:
        targets: number -> the ``TargetState``. They share one device, which gets the windows of
            all of them in one list.
        frame: as in ``Tracker.update``.
    """
    device = next(iter(targets.values())).device
    frame, shape = device.take(frame)
    requests: List[WindowRequest] = []
    wider, spans = [], []
    for target in targets.values():
        begin = len(requests)
        requests += target.requests(frame, shape)
        wider.append((begin, target.wider_search()))
        spans.append((begin, len(requests)))
    usual, step_ms = device.run(frame, requests)  # crop, network and select, of all windows
    shown = search_wider(device, frame, usual, step_ms, wider)
    results: Dict[int, Sequence[WindowResult]] = {}
    for number, (begin, end) in zip(targets, spans):
        if _is_finite(shown[begin:end]):
            results[number] = shown[begin:end]
    return FrameResults(frame, shape, results, step_ms, shown is not usual)


def _is_finite(results: Sequence[WindowResult]) -> bool:
    """Whether all places of some windows are numbers; maps are checked when they are decoded."""
    return all(
        math.isfinite(sum(shown.scores) + float(shown.states.sum()))
        for shown in results
        if shown.states is not None
    )


def decide_targets(
    targets: Mapping[int, TargetState], frame_results: FrameResults
) -> Dict[int, Track]:
    """Decide where the targets are: the second half of the path of a frame.

    Returns:
        number -> ``Track``, without a velocity (see ``TargetState.with_velocity``). Where the
        output of the network is not finite, there is none, and the target stays where it was.
    """
    began = time.perf_counter()
    tracks: Dict[int, Track] = {}
    for number, results in frame_results.results.items():
        with contextlib.suppress(NetworkFailed):
            tracks[number] = targets[number].judge(frame_results.frame, results)
    frame_results.step_ms["select"] += (time.perf_counter() - began) * 1e3
    return tracks


def tracks_or_raise(numbers: Collection[int], tracks: Dict[int, Track]) -> Dict[int, Track]:
    """Return the tracks; raises ``NetworkFailed`` if a target has none."""
    if len(tracks) < len(numbers):
        raise NetworkFailed(NO_SCORE, what="no score")
    return tracks
