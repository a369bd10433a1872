"""Times of a frame and of its steps."""

import time
from typing import Any, Callable, Dict, List

import numpy as np

from hotpath.deploy.doctor.bringup.film import film
from hotpath.runtime import loading
from hotpath.runtime.devices.base import Device
from hotpath.runtime.options import Options
from hotpath.runtime.tracker import Tracker

FRAMES = 60

Times = Dict[str, Dict[str, float]]


def measure(loaded: loading.Loaded, say: Callable[[str], None]) -> Times:
    """Milliseconds, medians of the film's frames.

    Args:
        loaded: network, engine and kernels.
        say: told what a user may want to know.

    Returns:
        dict of way -> dict of step -> milliseconds. The first way is a user's: "graph" where a
        frame runs as one CUDA graph, else "whole". On a GPU, "steps" times each step by events,
        without a graph. "judge" is what the processor does after the device.
    """
    tracker = loading.create_tracker(*loaded, Options(log=say))
    device: Any = tracker.device
    times = {"graph" if getattr(device, "uses_graph", False) else "whole": _follow(tracker)}
    tracker.release()
    if device.kernels_name == "cuda":
        from hotpath.runtime.devices.gpu import Gpu

        timed = Gpu(*loaded, timed=True)
        tracker = Tracker(timed)
        times["steps"] = _follow(tracker)
        tracker.release()
        timed.close()
    device.close()
    return times


def _follow(tracker: "Tracker") -> Dict[str, float]:
    """Track the film; returns the median of each step if it is above 0."""
    frames, boxes = film(FRAMES)
    device: Device = tracker.device
    tracker.init(frames[0], boxes[0])
    rows: List[Dict[str, float]] = []
    for frame in frames[1:]:
        started = time.perf_counter()
        taken, shape = device.take(frame)
        seen, steps = device.look(taken, tracker.looks(taken, shape))
        looked = time.perf_counter()
        tracker.judge(taken, seen)
        ended = time.perf_counter()
        steps.update(judge=(ended - looked) * 1e3, frame=(ended - started) * 1e3)
        rows.append(steps)
    medians = {step: float(np.median([row[step] for row in rows])) for step in rows[0]}
    return {step: round(ms, 4) for step, ms in medians.items() if ms > 0}


def told(times: Times) -> str:
    """A line of ``measure``'s figures."""
    words = []
    for way, steps in times.items():
        figures = ", ".join(f"{step} {ms:.3f}" for step, ms in steps.items() if step != "frame")
        words.append(
            f"{way} {steps['frame']:.3f} ms a frame (medians): {figures}"
            if "frame" in steps
            else f"{way} {figures}"
        )
    return "; ".join(words)
