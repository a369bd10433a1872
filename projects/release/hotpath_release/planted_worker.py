"""A worker of the speed suite whose crop takes longer, for ``planted.py``.

``HOTPATH_PLANTED=KIND:MS`` says by what, and how long: spin (a loop), copy (of memory), window (one
more crop, of another window).
"""

import os
import statistics
import sys
import time

import numpy as np

KINDS = ("spin", "copy", "window")
TRIED = 9  # times of a copy or crop, of which the median counts
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
FPS = os.path.join(ROOT, "deploy", "fps")


def slow_down(tracker, kind, ms):
    """Let each crop of a tracker take ``ms`` longer."""
    device = tracker.device
    crop = device._crop
    slower = {"spin": _spin, "copy": _copy, "window": _window}[kind](crop, ms)

    def planted(frame, around, sides, border):
        slower(frame, around, sides, border)
        return crop(frame, around, sides, border)

    device._crop = planted


def _spin(crop, ms):
    def run(*_):
        end = time.perf_counter() + ms * 1e-3
        while time.perf_counter() < end:
            pass

    return run


def _copy(crop, ms):
    """Copy as many bytes as take that long here."""
    memory = np.ones((2, 16 << 20), np.uint8)  # touched, or the first copy would be slow

    def copy(count):
        np.copyto(memory[0, :count], memory[1, :count])

    count = 1 << 18
    for _ in range(4):  # each time by the time of the last number
        count = min(int(count * ms / _median_ms(copy, count)), 16 << 20)
    return lambda *_: copy(count)


def _window(crop, ms):
    """Crop the window whose time is nearest, from an eighth of the sides to eight times."""
    chosen = []

    def run(frame, around, sides, border):
        if not chosen:
            factors = np.geomspace(0.125, 8.0, 25)
            times = [_median_ms(crop, frame, around, sides * f, border) for f in factors]
            chosen.append(factors[int(np.argmin(np.abs(np.array(times) - ms)))])
        crop(frame, around, sides * chosen[0], border)

    return run


def _median_ms(call, *arguments):
    def once():
        started = time.perf_counter()
        call(*arguments)
        return (time.perf_counter() - started) * 1e3

    return statistics.median(once() for _ in range(TRIED))


def main():
    kind, ms = os.environ["HOTPATH_PLANTED"].split(":")
    sys.path[0] = FPS
    import worker

    sys.path[0] = sys.argv[1]
    import runtime

    load = runtime.load_tracker

    def load_slow(*arguments, **options):
        tracker = load(*arguments, **options)
        slow_down(tracker, kind, float(ms))
        return tracker

    runtime.load_tracker = load_slow
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
