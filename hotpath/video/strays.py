"""Find the stray time stamps in a list, and give them a time between those of their neighbours."""

from typing import List, Sequence, Tuple

import numpy as np

from hotpath.video.base import NEAR

REORDERED = 17  # positions by which a packet may come before those that are shown earlier
FAR_S, FAR_STEPS = 60.0, 1000.0  # both off: a stray stamp at the very begin or end


def mended(
    stamps: Sequence[float], step: float, second: float = 1.0, reordered: int = 0
) -> Tuple[np.ndarray, List[int]]:
    """Give stray stamps a time between those of their neighbours.

    A stamp is stray if it is later than the median of the next ones, or earlier than the median of
    those before, although these two are in order. A jump after which the stamps go on from there is
    none. Neither is a clock that starts again.

    Args:
        stamps: in the order of the packets.
        step: from frame to frame, in the same unit.
        second: how much a second is, in that unit.
        reordered: positions by which packets may be out of the order in which they are shown.

    Returns:
        (the stamps, float64; the positions of the stray ones).
    """
    values = np.array(stamps, float)
    at_ends = _far_at_end(values / second, reordered)
    at_ends += [-1 - place for place in _far_at_end(-values[::-1] / second, reordered)]
    if not reordered and not at_ends and (values[1:] > values[:-1]).all():
        return values, []
    before, after = _medians(values, reordered)
    in_order = ~(before >= after)  # NaN: one side is not there
    with np.errstate(invalid="ignore"):
        stray = in_order & ((values > after) | (values < before))
    stray[at_ends] = True
    places = np.flatnonzero(stray).tolist()
    if not places or len(places) == len(values):
        return values, []
    good = np.flatnonzero(~stray)
    for place in places:
        values[place] = _between(values, good, place, step, reordered)
    return values, places


def _far_at_end(times_s: np.ndarray, reordered: int) -> List[int]:
    """Places near the end that are far later than what follows, or than all if nothing does."""
    count = len(times_s)
    if count < 3:
        return []
    far_s = max(FAR_S, FAR_STEPS * np.median(np.diff(np.sort(times_s))))
    places = []
    for place in range(max(1, count - reordered - NEAR), count):
        level_s = times_s[:-1].max() if place == count - 1 else np.median(times_s[place + 1 :])
        is_in_order = np.median(times_s[max(0, place - NEAR) : place]) <= level_s
        if is_in_order and times_s[place] - level_s > far_s:
            places.append(place)
    return places


def _medians(values: np.ndarray, reordered: int) -> Tuple[np.ndarray, np.ndarray]:
    """The medians of the stamps before and after each one; NaN where there are too few."""
    least = 3 if reordered else 1
    count = len(values)
    before, after = np.full(count, np.nan), np.full(count, np.nan)
    reach = reordered + NEAR
    inner = count - NEAR + 1
    if inner > 0:  # the median of each NEAR stamps in succession
        runs = np.median([values[at : at + inner] for at in range(NEAR)], axis=0)
        before[reach:] = runs[: max(0, count - reach)]
        after[: max(0, count - reach)] = runs[reordered + 1 :]
    for place in range(min(reach, count)):
        for medians, near in (
            (before, values[max(0, place - reach) : max(0, place - reordered)]),
            (after, values[place + reordered + 1 : place + reach + 1]),
        ):
            if len(near) >= least:
                medians[place] = np.median(near)
        back = count - 1 - place
        near = values[back + reordered + 1 : back + reach + 1]
        if len(near) >= least:
            after[back] = np.median(near)
    return before, after


def _between(
    values: np.ndarray, good: np.ndarray, place: int, step: float, reordered: int
) -> float:
    """The time of a stray stamp: where one is missing between those around it."""
    if place < good[0]:
        return float(values[good[0]] - step * (good[0] - place))
    if place > good[-1]:
        return float(values[good[-1]] + step * (place - good[-1]))
    guess = float(np.interp(place, good, values[good]))
    if not reordered:
        return guess
    reach = np.abs(good - place) <= reordered + 2
    near = np.sort(values[good[reach]])
    gaps = np.diff(near)
    wide = np.flatnonzero(gaps > 1.5 * np.median(gaps)) if len(gaps) else gaps
    if not len(wide):
        return guess
    middles = near[wide] + gaps[wide] / 2
    return float(middles[np.abs(middles - guess).argmin()])
