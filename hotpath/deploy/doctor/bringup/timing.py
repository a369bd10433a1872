"""Track the film's target: its boxes, and what a frame and its steps take."""

import time
from typing import Any, Dict, Iterable, List, Sequence, Tuple

import numpy as np

from hotpath.runtime import loading
from hotpath.runtime.devices.base import Device
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.tracker.tracker import Tracker

Times = Dict[str, Dict[str, float]]  # way of running a frame -> step -> median ms


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
    loaded: loading.Loaded, frames: Sequence[np.ndarray], start: Sequence[float]
) -> Dict[str, float]:
    """As ``track_film`` on a GPU, whose events time each step, without a graph; only the times."""
    from hotpath.runtime.devices.gpu import Gpu

    gpu = Gpu(*loaded, timed=True)
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
