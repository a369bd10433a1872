"""python -m tests.fps.waiting: what shortens a frame that comes at a camera's pace, by experiment.

    chrt -f 50 python -m tests.fps.waiting --clips DIR --network kestrel --precision int8

Each round times a block of frames flat out, then a block at the camera's rate in each way of
``WAYS``, in an order that rotates. A ratio compares blocks of the same round, so that what
disturbs the machine for longer than a round disturbs both. ``--huge-pages`` is for the whole
process: run it with and without.
"""

import argparse
import contextlib
import ctypes
import gc
import json
import os
import sys
import time
from collections import namedtuple

import cv2
import numpy as np

from runtime import DEFAULT_NETWORK, load_tracker, precision
from runtime.errors import HotpathError
from runtime.options import LOW, NORMAL, SAVING
from runtime.pace import CPU_LATENCY
from runtime.video.live import LiveSource
from tests.fps import clips
from tests.fps.loop import Loop
from tests.fps.pace import LEARNING, PacedLoop

MADV_HUGEPAGE, MADV_COLLAPSE = 14, 25  # of Linux's mman.h
HUGE_BYTES = 2 << 20
LINE_BYTES = 64  # of a cache
MOST_TOUCHED_BYTES = 64 << 20
PRIORITY = 60  # real-time; above that of a whole process under `chrt -f 50`
FLAT_WARM = 20  # frames of a flat-out block that are not counted

# title: of the table; latency: of runtime.pace; during: context managers of the run; loop: a class
Way = namedtuple("Way", "title latency during loop")


class InLoop(PacedLoop):
    """The frame loop decodes, and waits as ``wait`` says. No thread, no rehearsal."""

    def run(self, count, between=None):
        """See ``PacedLoop.run``."""
        tracker, capture = self.tracker, self._camera.open()
        tracker.init(self._first, self._box)
        steps = {"total": [], "arrival_to_box": []}
        began_s = time.process_time()
        for _ in range(count):
            self.wait(capture.due_next())
            _, frame = capture.read()
            started = time.monotonic()
            tracker.update(frame)
            ended = time.monotonic()
            steps["total"].append((ended - started) * 1e3)
            steps["arrival_to_box"].append((ended - started) * 1e3)
        self.processor_ms = (time.process_time() - began_s) * 1e3 / count
        return steps, []

    def wait(self, due_s):
        """Sleep; ``read`` does."""


class BusyInLoop(InLoop):
    """The frame loop keeps its core busy until the frame is due, then decodes."""

    def wait(self, due_s):
        """Busy-poll."""
        while time.monotonic() < due_s:
            pass


class Touching(PacedLoop):
    """Reads all memory that the network's loading took, shortly before a frame is due.

    Args:
        regions: list of uint8 arrays.
    """

    regions = ()
    lead_s = 0.002

    def run(self, count, between=None):
        """See ``PacedLoop.run``."""
        tracker, fps = self.tracker, self._camera.get(0)
        tracker.init(self._first, self._box)
        steps = {"total": [], "arrival_to_box": []}
        source = LiveSource(self._camera)
        began_s = time.process_time()
        with source:
            for _ in range(count):
                frame = source.read(max(0.0, source.arrived_s + 1 / fps - self.lead_s - _now()))
                if not isinstance(frame, np.ndarray):
                    for region in self.regions:
                        region[::LINE_BYTES].max()
                    frame = source.read(1.0)
                started = time.monotonic()
                tracker.update(frame)
                ended = time.monotonic()
                steps["total"].append((ended - started) * 1e3)
                steps["arrival_to_box"].append((ended - source.arrived_s) * 1e3)
        self.processor_ms = (time.process_time() - began_s) * 1e3 / count
        return steps, []


_now = time.monotonic


@contextlib.contextmanager
def no_collection():
    """Python's garbage collector does not run."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def own_core():
    """The frame loop stays on one core. The thread that decodes gets the others; see ``ways``."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def real_time():
    """The frame loop runs before everything else (of root only)."""
    policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, param)


@contextlib.contextmanager
def awake():
    """No core sleeps deeply (of root only)."""
    file = os.open(CPU_LATENCY, os.O_WRONLY)
    try:
        os.write(file, b"\0\0\0\0")
        yield
    finally:
        os.close(file)


def ways():
    """All ways to wait, those first that change nothing."""
    tricks = (no_collection, own_core, real_time)
    found = [
        Way("the loop decodes, sleeps", SAVING, (), InLoop),
        Way("the loop decodes, waits busily", SAVING, (), BusyInLoop),
        Way("a thread decodes (`saving`)", SAVING, (), PacedLoop),
    ]
    found += [
        Way("no garbage collection", SAVING, (no_collection,), PacedLoop),
        Way("cores of their own", SAVING, (own_core,), PacedLoop),
        Way("real-time priority", SAVING, (real_time,), PacedLoop),
        Way("cores kept awake", SAVING, (awake,), PacedLoop),
        Way("touch the network's memory", SAVING, (), Touching),
        Way("one rehearsal (`normal`)", NORMAL, (), PacedLoop),
        Way("several rehearsals, awake (`low`)", LOW, (), PacedLoop),
        Way("`normal`, priority, cores, no collection", NORMAL, tricks, PacedLoop),
        Way("`low`, priority, cores, no collection", LOW, tricks, PacedLoop),
    ]
    return found


def allowed(way):
    """Whether this process may do what a way needs."""
    try:
        with contextlib.ExitStack() as stack:
            for trick in way.during:
                stack.enter_context(trick())
        return True
    except OSError:
        return False


def writable_memory():
    """dict of start -> end of this process's own writable memory."""
    found = {}
    with open("/proc/self/maps") as file:
        for line in file:
            fields = line.split()
            own = len(fields) < 6 or fields[5] == "[heap]"
            if fields[1].startswith("rw") and own:
                start, end = (int(text, 16) for text in fields[0].split("-"))
                found[start] = end
    return found


def grown(before, after):
    """Arrays over the memory that came since ``before``, at most ``MOST_TOUCHED_BYTES``."""
    pieces = sorted(after.items())
    for start, end in before.items():
        rest = [(a, min(b, start)) for a, b in pieces] + [(max(a, end), b) for a, b in pieces]
        pieces = [(a, b) for a, b in rest if a < b]
    arrays, total = [], 0
    for start, end in sorted(pieces, key=lambda piece: piece[1] - piece[0]):
        total += end - start
        if total <= MOST_TOUCHED_BYTES:
            memory = (ctypes.c_uint8 * (end - start)).from_address(start)
            arrays.append(np.ctypeslib.as_array(memory))
    return arrays


def ask_for_huge_pages():
    """Ask the kernel to hold this process's memory in huge pages; returns how many it holds."""
    library = ctypes.CDLL(None, use_errno=True)
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for start, end in writable_memory().items():
        start = -(-start // HUGE_BYTES) * HUGE_BYTES
        end = end // HUGE_BYTES * HUGE_BYTES
        if end > start:
            library.madvise(start, end - start, MADV_HUGEPAGE)
            library.madvise(start, end - start, MADV_COLLAPSE)
    with open("/proc/self/smaps_rollup") as file:
        kilobytes = [int(line.split()[1]) for line in file if line.startswith("AnonHugePages")]
    return sum(kilobytes) * 1024 // HUGE_BYTES


def measure(tracker, clip, fps, rounds, frames, say=print):
    """Time all ways in turns: (flat-out ms, list of dicts, one a way)."""
    chosen = [way for way in ways() if allowed(way)]
    cores = os.sched_getaffinity(0)
    flat, flat_ms = Loop(tracker, clip.frames, clip.box), []
    results = [
        {"way": way.title, "ratios": [], "total": [], "arrival": [], "processor": []}
        for way in chosen
    ]
    for number in range(rounds):
        flat.place = 0
        ms = flat.run(FLAT_WARM + 80)[0]["total"][FLAT_WARM:]
        flat_ms += ms
        for place in np.roll(np.arange(len(chosen)), -number):
            way, result = chosen[place], results[place]
            others = cores - {max(cores)} if own_core in way.during and len(cores) > 1 else None
            loop = way.loop(tracker, clip.frames, clip.box, fps, way.latency, others)
            with contextlib.ExitStack() as stack:
                for trick in way.during:
                    stack.enter_context(trick())
                steps, _ = loop.run(LEARNING + frames)
            total = steps["total"][LEARNING:]
            result["total"] += total
            result["arrival"] += steps["arrival_to_box"][LEARNING:]
            result["processor"].append(loop.processor_ms)
            result["ratios"].append(float(np.median(total) / np.median(ms)))
        say(f"round {number + 1} of {rounds}")
    return flat_ms, results


def table(flat_ms, results):
    """The result as Markdown."""
    lines = [
        "Flat out: {:.3f} ms (median), p95 {:.3f}.".format(*np.percentile(flat_ms, (50, 95))),
        "",
        "| way to wait | median ms | p95 | / flat out (quartiles of the rounds) | frame there to "
        "box, median | p95 | processor ms a frame |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for result in results:
        low, middle, high = np.percentile(result["ratios"], (25, 50, 75))
        lines.append(
            "| {} | {:.3f} | {:.3f} | {:.2f} ({:.2f}–{:.2f}) | {:.3f} | {:.3f} | {:.2f} |".format(
                result["way"],
                *np.percentile(result["total"], (50, 95)),
                middle,
                low,
                high,
                *np.percentile(result["arrival"], (50, 95)),
                np.median(result["processor"]),
            )
        )
    return "\n".join(lines)


def main(arguments=None):
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fps.waiting", description=__doc__)
    parser.add_argument("--network", default=DEFAULT_NETWORK)
    parser.add_argument("--precision", default="auto", choices=precision.PRECISIONS)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--networks-dir", default=os.environ.get("NETWORKS_DIR"))
    parser.add_argument("--clips", metavar="DIR", help="the first one is used (default: a film)")
    parser.add_argument("--pace", type=float, default=30.0, metavar="FPS")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=60, help="of a round and way")
    parser.add_argument("--huge-pages", action="store_true", help="for the whole process")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    try:
        clip = clips.load(options.clips)[0]
        cv2.setNumThreads(1)
        before = writable_memory()
        tracker = load_tracker(
            options.network,
            precision=options.precision,
            engine=options.engine,
            networks_dir=options.networks_dir,
            threads=1,
        )
        tracker.init(clip.frames[0], clip.box)
        Touching.regions = grown(before, writable_memory())
        if options.huge_pages:
            print(f"{ask_for_huge_pages()} huge pages")
        flat_ms, results = measure(tracker, clip, options.pace, options.rounds, options.frames)
    except HotpathError as error:
        print(f"tests.fps.waiting: {error}", file=sys.stderr)
        return 2
    print(table(flat_ms, results))
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"flat": flat_ms, "ways": results}, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
