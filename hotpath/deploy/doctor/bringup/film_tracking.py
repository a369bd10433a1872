"""Track the targets of the bring-up's film, and record boxes, times and losses."""

import time
from typing import Any, Callable, Dict, Iterable, List, Sequence, Tuple

import numpy as np

from hotpath.deploy.film import film
from hotpath.kernels.settings import ARGMAX
from hotpath.runtime import decode, loading
from hotpath.runtime.devices.base import Device, WindowRequest
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.identity.identity import BEFORE_SEARCH
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.tracker.tracker import Tracker

Times = Dict[str, Dict[str, float]]  # way of running a frame -> step -> median ms
GONE = 20
BACK = GONE + BEFORE_SEARCH + 14  # the search is on for some frames before
COUNT = BACK + 30
OVERLAP = 0.6  # mean, of each target with its own patch


def track_film(
    tracker: Tracker, frames: Sequence[np.ndarray], start: Sequence[float]
) -> Tuple[np.ndarray, Dict[str, float]]:
    """Track frames from a box in the first one.

    Returns:
        (boxes, step_ms): float64 (n - 1, 4); the median milliseconds of each step that takes any.
        "select" includes what the processor does after the device, "frame" is all of it.
    """
    tracker.init(frames[0], start)
    boxes: List[Tuple[float, ...]] = []
    rows: List[Dict[str, float]] = []
    for frame in frames[1:]:
        began = time.perf_counter()
        boxes.append(tuple(tracker.update(frame).box))
        frame_ms = (time.perf_counter() - began) * 1e3
        rows.append(dict(tracker.step_ms, frame=frame_ms))
    medians = {step: float(np.median([row[step] for row in rows])) for step in rows[0]}
    return np.array(boxes), {step: round(ms, 4) for step, ms in medians.items() if ms > 0}


def mean_overlap(boxes: Iterable[Any], truth: np.ndarray) -> float:
    """Mean overlap of boxes with those of the film, frame by frame; NaN if one of them is."""
    return float(np.mean([overlaps(box, true) for box, true in zip(boxes, truth)]))


def track_by_steps(
    loaded: loading.LoadedNetwork, frames: Sequence[np.ndarray], start: Sequence[float]
) -> Dict[str, float]:
    """As ``track_film`` on a GPU, whose events time each step, without a graph; only the times."""
    from hotpath.runtime.devices.gpu import GpuDevice

    gpu = GpuDevice(*loaded, timed=True)
    try:
        return track_film(Tracker(gpu), frames, start)[1]
    finally:
        gpu.close()


def way_of(device: Device) -> str:
    """How a device runs a frame: as one CUDA graph, or not."""
    return "graph" if getattr(device, "uses_graph", False) else "whole"


def told(times: Times) -> str:
    """A line of the figures."""
    words = []
    for way, steps in times.items():
        figures = ", ".join(f"{step} {ms:.3f}" for step, ms in steps.items() if step != "frame")
        words.append(f"{way} {steps['frame']:.3f} ms a frame (medians): {figures}")
    return "; ".join(words)


def track_both(loaded: loading.LoadedNetwork, say: Callable[[str], None]) -> Tuple[str, str]:
    """Track both targets, one of which disappears and comes back.

    Args:
        loaded: network, engine and kernels.
        say: function of one sentence.

    Returns:
        (problem, text): two phrases, what is wrong and what was seen; "" if there is none.
    """
    device = loading.create_device(*loaded, Options(log=say))
    try:
        problem = _features_of(device, bool(decode.scales(loaded.network)))
        if problem:
            return problem, ""
        targets = Targets(device, Options(recover=True))
        frames, truth = film(COUNT, (0, 1), range(GONE, BACK))
        for box in truth[0]:
            targets.add(frames[0], box)
        searches = loading.tracker_on(device, Options(recover=True)).searches
        results = [list(targets.update(frame).values()) for frame in frames[1:]]
        for number in targets.numbers:
            targets.drop(number)
    finally:
        device.close()
    boxes = [[tracks[number].box for tracks in results] for number in (0, 1)]
    means = [
        mean_overlap(boxes[0][: GONE - 1], truth[1:, 0]),
        mean_overlap(boxes[1], truth[1:, 1]),
    ]
    text = f"two targets overlap theirs by {means[0]:.2f} and {means[1]:.2f}"
    if not min(means) >= OVERLAP:
        return f"{text}, less than {OVERLAP}", text
    if not searches:
        return "", text
    states = [tracks[0].state for tracks in results]
    if "lost" in states[: GONE - 1] or "lost" not in states[GONE : BACK - 1]:
        return "a target that disappears is not lost in the frames in which it is away", text
    last = float(np.max(overlaps(results[-1][0].box, truth[-1, 0])))
    if states[-1] == "lost" or not last >= OVERLAP / 2:
        return "a target that came back was not found", text
    return "", f"{text}; lost and found again"


def _features_of(device: Device, scales: bool) -> str:
    """What is wrong with the features of windows and of exemplars, as a phrase.

    Args:
        device: device of the network.
        scales: whether the processor selects in windows of several scales.
    """
    shown = [film(1, (number,)) for number in (0, 1)]
    frames = [device.take(pictures[0])[0] for pictures, _ in shown]
    states = [np.append(box[:2] + box[2:] / 2, box[2:]) for _, ((box,),) in shown]
    owns = [device.exemplar(frame, state) for frame, state in zip(frames, states)]
    features, scores = [], []
    for frame, state in zip(frames, states):
        prior = None if scales else ARGMAX
        results, _ = device.run(frame, [WindowRequest(own, state, prior=prior) for own in owns])
        features.append(np.array(results[0].features if device.shows_features else [], float))
        scores.append([answer.scores[0] if answer.scores else 0.0 for answer in results])
    for own in owns:
        own.close()
    first, other = features
    if first.size and (not np.isfinite(first).all() or not first.any()):
        return "the features of a window are all zero, or not finite"
    if first.size and np.array_equal(first, other):
        return "two windows have the same features"
    fits = scores[0][0] > scores[0][1] and scores[1][1] > scores[1][0]
    if not scales and not fits:
        return "each of two targets looks like the other one's exemplar, or both have the same"
    return ""
