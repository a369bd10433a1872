"""Times of a frame and of its steps: on a GPU by events, as one graph and step by step."""

import time
from typing import Any, Callable, Dict, List

import numpy as np

from boards.doctor.bringup.film import film
from kernels.errors import HotpathError
from runtime import loading
from runtime.devices.base import Device
from runtime.options import Options
from runtime.tracker import Tracker

FRAMES = 60

Times = Dict[str, Dict[str, float]]


def measure(loaded: loading.Loaded, say: Callable[[str], None]) -> Times:
    """Milliseconds, medians of the film's frames.

    Args:
        loaded: network, engine and kernels.
        say: told why a GPU runs no graph.

    Returns:
        dict of way -> dict of step -> milliseconds. The first way is a user's: "graph" where a
        frame runs as one CUDA graph, else "whole". On a GPU, "steps" times each step by events,
        without a graph, and "alone" has the network by itself. "judge" is what the processor does
        after the device.
    """
    tracker = loading.create_tracker(*loaded, Options(log=say))
    followed = _follow(tracker)
    found = {"graph" if tracker.device.uses_graph else "whole": followed}
    if tracker.device.gives_maps or tracker.engine.device is None:
        return found
    from runtime.devices.gpu import Gpu

    device = Gpu(*loaded, profile=True)
    stepped = Tracker(device, recover=tracker.searches)
    found["steps"] = _follow(stepped)
    found["alone"] = {"network": _alone(tracker.engine, device.frame.features)}
    stepped.release()
    tracker.release()
    return found


def _follow(tracker: Any) -> Dict[str, float]:
    """Track the film; returns the median of each step, where it is above 0."""
    frames, boxes = film(FRAMES)
    device: Device = tracker.device
    tracker.init(frames[0], boxes[0])
    rows: List[Dict[str, float]] = []
    for frame in frames[1:]:
        started = time.perf_counter()
        taken = tracker.begin(frame)
        found = device.follow(taken)
        followed, steps = time.perf_counter(), dict(device.step_ms)
        tracker.judge(taken, found)
        ended = time.perf_counter()
        steps.update(judge=(ended - followed) * 1e3, frame=(ended - started) * 1e3)
        rows.append(steps)
    medians = {step: float(np.median([row[step] for row in rows])) for step in rows[0]}
    return {step: round(ms, 4) for step, ms in medians.items() if ms > 0}


def _alone(engine: Any, features: Any) -> float:
    """The median of the network by itself, by events: a graph where the engine can be captured."""
    from kernels.cuda import driver, graphs

    gpu, stream = engine.device, engine.stream
    handle, marks = gpu.handle(stream), (gpu.event(), gpu.event())

    def network() -> None:
        engine.search_device(handle, features)

    run: Callable[[], None] = network
    graph: Any = None
    if engine.capturable:
        try:
            graph = graphs.Graph(graphs.Driver(driver.load()), handle, network)
            run = lambda: graph.launch(handle)  # noqa: E731
        except (graphs.NoGraph, HotpathError):
            pass
    spent = []
    for _ in range(FRAMES):
        gpu.record(marks[0], stream)
        run()
        gpu.record(marks[1], stream)
        gpu.synchronise(marks[1])
        spent.append(gpu.elapsed_ms(*marks))
    if graph is not None:
        graph.close()
    return round(float(np.median(spent)), 4)


def told(times: Times) -> str:
    """A line of ``measure``'s figures."""
    words = []
    for way, steps in times.items():
        figures = ", ".join(f"{step} {ms:.3f}" for step, ms in steps.items() if step != "frame")
        words.append(
            f"{way} {steps['frame']:.3f} ms a frame: {figures}"
            if "frame" in steps
            else f"{way} {figures}"
        )
    return "; ".join(words)
