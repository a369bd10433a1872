"""python -m tests.fps ways: how several targets take a frame fastest.

    python -m tests.fps ways --networks kestrel --precision fp32,int8 --cores 1,2 --counts 1,2,4

The ways of ``runtime.targets.schedule`` take turns on blocks of frames of a film made here, in one
process that is held on so many cores: a new process for each number of cores, since OpenVINO counts
them only once. For each number of targets it prints the median time of a
frame in every way, and marks the way that the runtime chooses there. ``cpu`` is the processor's
time of a frame, which tells more than the clock where other programs run.
"""

import multiprocessing
import os
import time

import cv2
import numpy as np

from runtime import loading
from runtime.devices.processor import ProcessorGroup
from runtime.options import Options
from runtime.targets.schedule import Sequential, Together, schedule
from tests.fps import clips

BLOCK, WARM_UP = 10, 5  # frames of a turn; frames that are not counted
SIZE = 40  # pixels, side of a target


def measure_apart(*arguments, **settings):
    """Call ``measure`` in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(measure, arguments, settings)


def measure(network, precision, cores, counts, frames, **settings):
    """Time all ways on some cores of this computer.

    Args:
        network, precision: as in ``load_tracker``; ``settings`` too.
        cores: how many of the cores that this process may use.
        counts: numbers of targets.
        frames: of each way and number of targets.

    Returns:
        list of dicts: targets, way, whether it is the runtime's choice, ms and cpu_ms of a frame
        (medians).
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[-cores:]))
    cv2.setNumThreads(1)
    film = clips.film(60)
    rows = []
    try:
        loaded = loading.load(Options(network, precision=precision, threads=cores, **settings))
        for count in counts:
            rows += _rows(loaded, film.frames, count, frames)
        loaded.engine.close()
    finally:
        os.sched_setaffinity(0, before)
    return rows


def _together(trackers, batch):
    return Together(trackers, ProcessorGroup([tracker.device for tracker in trackers], batch))


def _rows(loaded, film, count, frames):
    ways = {"in turn": Sequential(_trackers(loaded, film, count))}
    batch = loaded.engine.batch(count) if count > 1 else None
    if batch:
        ways["batch"] = _together(_trackers(loaded, film, count), batch)
    spent = _take_turns(ways, film, frames)
    names = {Sequential: "in turn", Together: "batch"}
    chosen = names[type(schedule(_trackers(loaded, film, count)))]
    return [
        {"targets": count, "way": name, "chosen": chosen == name, "ms": ms, "cpu_ms": cpu_ms}
        for name, (ms, cpu_ms) in spent.items()
    ]


def _trackers(loaded, film, count):
    """Trackers of so many targets, spread over the picture."""
    trackers = []
    height, width = film[0].shape[:2]
    across = int(np.ceil(np.sqrt(count)))
    for number in range(count):
        row, column = divmod(number, across)
        x, y = (column + 0.5) * width / across, (row + 0.5) * height / across
        tracker = loading.create_tracker(loaded.network, loaded.engine, loaded.kernels.clone())
        tracker.init(film[0], (x - SIZE / 2, y - SIZE / 2, SIZE, SIZE))
        trackers.append(tracker)
    return trackers


def _take_turns(ways, film, frames):
    """dict of way -> (median milliseconds of a frame, median of the processor's)."""
    wall = {name: [] for name in ways}
    processor = {name: [] for name in ways}
    for first in range(-BLOCK, frames, BLOCK):
        for name, way in ways.items():
            for number in range(BLOCK):
                started, spent = time.perf_counter(), time.process_time()
                way.update(film[number % len(film)])
                if first >= 0 and number >= WARM_UP:
                    wall[name].append((time.perf_counter() - started) * 1e3)
                    processor[name].append((time.process_time() - spent) * 1e3)
    return {name: (np.median(wall[name]), np.median(processor[name])) for name in ways}


def print_rows(title, rows):
    """Print the table of one network, precision and number of cores."""
    print(title)
    print("{:>7}  {:<17} {:>9} {:>9} {:>9}".format("targets", "way", "ms", "cpu ms", "a target"))
    for row in rows:
        print(
            "{targets:7}  {way:<17} {ms:9.2f} {cpu_ms:9.2f} {each:9.2f}{mark}".format(
                each=row["ms"] / row["targets"], mark="  <-" if row["chosen"] else "", **row
            )
        )
