"""Search a wider window of the same frame if the score of a followed target collapses.

A jerk of the camera, or frames that were dropped, take a target to the edge of its usual window or
out of it. The score of the best cell is then low at once, and the next window would lie beside the
target, too. So the same frame is examined once more. A place that is found far away is followed,
but it is not ``tracked``: it must be verified like any object after a loss.
"""

import math
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.runtime.devices.base import Device, StepMs, WindowRequest, copy_of_result
from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.frames.pictures import AnyFrame
from hotpath.runtime.identity.cues import CUES
from hotpath.runtime.identity.guard import JUMP, DistractorGuard
from hotpath.runtime.search.redetector import TAKEN
from hotpath.runtime.search.regions import NEAR, PRIORS, WIDE
from hotpath.runtime.types import Box, WindowResult

BETTER = 0.1  # by how much the other place must be better, mean of the cues
AGAIN = 3  # of frames in succession with a low score, the first ones get a wider window, too


class WiderSearch(NamedTuple):
    """A target that is tracked and would be searched for.

    Attributes:
        guard: its ``DistractorGuard``.
        exemplar: its ``Exemplar``.
        state: float64 [cx, cy, w, h], frame pixels, in the frame before.
    """

    guard: DistractorGuard
    exemplar: Any
    state: np.ndarray


def search_wider(
    device: Device,
    frame: AnyFrame,
    results: List[WindowResult],
    spent: StepMs,
    targets: Sequence[Tuple[int, Optional[WiderSearch]]],
) -> List[WindowResult]:
    """Search the wider windows of followed targets whose scores collapsed.

    Returns ``result`` if there is none. Else it returns a copy that no later look overwrites, in
    which the windows of targets that are found elsewhere are replaced.

    Args:
        device, frame: as for the usual windows.
        results: the ``WindowResult`` of all windows of the frame.
        spent: milliseconds of each step, to which those of the further windows are added.
        targets: those that share the device, each with the number of its first window; None for
            targets that get no wider window.
    """
    faint, clear = [], []
    for number, target in targets:
        if target is None:
            continue
        guard, exemplar, state = target
        low = results[number].scores[0] < guard.network.wider_below
        if low and guard.faint < AGAIN:
            faint.append((number, guard, WindowRequest(exemplar, state, NEAR, PRIORS[WIDE], False)))
        elif not low:
            clear.append((guard.network, number))
    if not faint:
        return results
    theirs = [geometry.box_of(network, results[number].states[0]) for network, number in clear]
    results = [copy_of_result(each) for each in results]  # the call below overwrites what they show
    shown, further = device.run(frame, [request for _, _, request in faint])
    for (number, guard, _), wide in zip(faint, shown):
        results[number] = _better(guard, results[number], wide, theirs)
    for step, ms in further.items():
        spent[step] += ms
    return results


def _better(
    guard: DistractorGuard, usual: WindowResult, wide: WindowResult, theirs: Sequence[Box]
) -> WindowResult:
    """Return what shows the target: ``usual``, or ``wide`` with its best place alone.

    Args:
        theirs: boxes of other targets.
    """
    if not math.isfinite(wide.scores[0]):
        return usual
    appearance = guard.classifier.appearance(wide)
    totals = appearance + np.asarray(wide.scores)
    if theirs:
        boxes = [geometry.box_of(guard.network, state) for state in wide.states]
        totals[(overlaps(boxes, theirs) > TAKEN).any(axis=1)] = -math.inf
    best = int(np.argmax(totals))
    needed = float(guard.classifier.appearance(usual)[0]) + usual.scores[0]
    needed += BETTER * CUES
    before, place = wide.around.tolist(), wide.states[best].tolist()
    way = math.hypot(place[0] - before[0], place[1] - before[1])
    is_far = way > JUMP * math.sqrt(before[2] * before[3])
    if not (is_far and appearance[best] > 0 and totals[best] > needed):
        return usual
    guard.identity.expect_another_object()
    chosen = slice(best, best + 1)
    return wide._replace(
        states=wide.states[chosen],
        scores=wide.scores[chosen],
        cells=wide.cells[chosen],
        pooled=None if wide.pooled is None else wide.pooled[chosen],
    )
