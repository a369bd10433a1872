"""python -m tests.fps.families: crop and select of every family, in C++ and in NumPy, in turns.

It prints the least time of one call for each network's crop and select, and the ratio. "NumPy" is
what runs where there is no compiler: OpenCV's resize and warp with NumPy around them, in
``kernels/cpu/fallback.py``. On x86 processors its crops of whole pixels are the same bits.

``--crops`` adds the crop of other windows: every shape, small and large targets, windows at each
edge of the frame, bytes and floats. With ``--networks-dir`` it also runs whole frames of the
networks whose files are there, and prints the frame's time as a multiple of the network's.
"""

import argparse
import statistics
import sys
import time

import numpy as np

from kernels import cpu
from kernels.cpu import fallback
from runtime import decode, geometry, load_tracker
from runtime.errors import HotpathError
from runtime.networks import load_network, names

WHOLE_FRAMES = (
    "vittrack",
    "lightfc",
    "fear_xs",
    "lighttrack",
    "siamfc_015",
    "siamfc_030",
    "dcfnet",
)
# What --crops takes of each network: name -> (centre of the target, its size).
PLACES = {
    "in the middle": ((640.5, 355.25), (92.0, 61.0)),
    "small target": ((640.5, 355.25), (31.0, 22.0)),
    "large target": ((640.5, 355.25), (160.0, 120.0)),
    "at the left edge": ((20.5, 355.25), (92.0, 61.0)),
    "in the lower corner": ((1262.5, 707.25), (92.0, 61.0)),
    "outside the frame": ((1500.0, 900.0), (92.0, 61.0)),
}
SHAPES = ("kestrel", "nanotrack_v2", "lighttrack", "fear_xs", "lightfc", "vittrack", "siamfcpp")
ROUND_S = 0.002  # of a way in each turn: short, so that some turns are not interrupted
STATE = (640.5, 355.25, 92.0, 61.0)


def main():
    options = _options()
    kernels = cpu.load(print)
    noise = np.random.RandomState(5)
    frame = noise.randint(0, 256, (720, 1280, 3)).astype(np.uint8)
    print("{:<18}{:>44}{:>44}".format("microseconds", "crop", "select"))
    print("{:<18}".format("network") + "{:>16}{:>14}{:>14}".format("NumPy", "C++", "ratio") * 2)
    for name in options.networks or names():
        network = load_network(name)
        columns = ""
        for make in (crop_call, select_call):
            calls = [make(network, way, frame, noise) for way in (fallback.Kernels(), kernels)]
            slow, fast = in_turns(calls, options.turns)
            columns += f"{slow * 1e6:>16.1f}{fast * 1e6:>14.1f}{slow / fast:>14.1f}"
        print(f"{name:<18}{columns}")
    if options.crops:
        other_crops(kernels, frame, options)
    if options.networks_dir:
        print("\n{:<18}{:>12}{:>12}{:>12}".format("whole frame, ms", "network", "frame", "ratio"))
        for name in WHOLE_FRAMES:
            print(whole_frames(name, options))


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.fps.families", description=__doc__)
    parser.add_argument("networks", nargs="*", help="default: all")
    parser.add_argument("--crops", action="store_true", help="also of other windows, bytes, floats")
    parser.add_argument("--turns", type=int, default=60, help="default: 60")
    parser.add_argument("--frames", type=int, default=120, help="of a whole run; default: 120")
    parser.add_argument("--networks-dir", help="folder with networks' files")
    parser.add_argument("--engine", default="auto", help="of whole frames")
    return parser.parse_args()


def other_crops(kernels, frame, options):
    """Print the crops of ``PLACES`` for the networks of ``SHAPES``."""
    print("\n{:<18}{:<22}{:>12}{:>12}{:>8}".format("crop", "window", "NumPy", "C++", "ratio"))
    for name in SHAPES:
        network = load_network(name)
        for place, (centre, size) in PLACES.items():
            for dtype in (np.float32, np.uint8):
                calls = [
                    crop_call(network, way, frame, None, centre + size, dtype)
                    for way in (fallback.Kernels(), kernels)
                ]
                slow, fast = in_turns(calls, max(5, options.turns // 2))
                words = place if dtype == np.float32 else place + ", bytes"
                row = "{:<18}{:<28}{:>6.0f}{:>12.1f}{:>8.1f}"
                print(row.format(name, words, slow * 1e6, fast * 1e6, slow / fast))


def crop_call(network, kernels, frame, noise, state=STATE, dtype=np.float32):
    """A function that writes the windows of one frame; ``state`` is the target's."""
    state = np.array(state)
    out = np.zeros((1, 3, network.search, network.search), dtype)
    decoder = decode.create(network, kernels)
    windows = [geometry.search_window(network, state, f)[0] for f in decoder.factors]
    crop = kernels.warp if network.resample == "warp" else kernels.crop
    swap = network.channels == "RGB"

    def call():
        for window in windows:
            crop(frame, window, (110, 120, 130), out, network.mean, network.scale, swap)

    return call


def select_call(network, kernels, frame, noise):
    """A function that finds the target in the maps of one frame."""
    decoder = decode.create(network, kernels)
    noise = np.random.RandomState(7)
    maps = [plausible(shape, noise) for shape in decode.shapes(network)]
    state, start, memory = np.array(STATE), np.array(STATE), None
    _, scale = geometry.search_window(network, state)
    if decoder.learns:
        _, memory = decoder.remember(tuple(maps), state)

    def call():
        state[:] = start
        for index in range(len(decoder.factors)):
            taken = decoder.look(index, maps, memory)
        decoder.select(taken, state, scale, 1280, 720)
        if decoder.learns:
            decoder.learn(maps, memory)

    return call


def plausible(shape, noise):
    """A map: low values with noise, and a peak in the middle, as a target gives."""
    if len(shape) != 4:
        return noise.uniform(0.3, 0.6, shape).astype(np.float32)
    line = np.arange(shape[-1]) - shape[-1] / 2 + 1
    peak = np.exp(-(line[:, None] ** 2 + line**2) / 4)
    values = noise.uniform(-0.5, 0.5, shape) + 5 * peak - 4
    if shape[1] == 4:
        values = noise.uniform(20, 50, shape)
    return values.astype(np.float32)


def in_turns(calls, turns):
    """Seconds of one call of each function: the least of the turns that they take one by one."""
    counts = []
    for call in calls:
        call()
        started = time.perf_counter()
        call()
        counts.append(max(1, int(ROUND_S / (time.perf_counter() - started))))
    taken = [[] for _ in calls]
    for _ in range(turns):
        for call, count, results in zip(calls, counts, taken):
            started = time.perf_counter()
            for _ in range(count):
                call()
            results.append((time.perf_counter() - started) / count)
    return [min(results) for results in taken]


def whole_frames(name, options):
    """A line with the medians of a network's call and of the whole frame around it."""
    noise = np.random.RandomState(5)
    small = noise.randint(0, 256, (45, 80, 3)).astype(np.uint8)
    frame = np.kron(small, np.ones((16, 16, 1), np.uint8))
    try:
        tracker = load_tracker(name, engine=options.engine, networks_dir=options.networks_dir)
    except HotpathError as error:
        return f"{name:<18}{error}"
    x, y, width, height = STATE
    tracker.init(frame, (x - width / 2, y - height / 2, width, height))
    whole, network = [], []
    for _ in range(options.frames):
        started = time.perf_counter()
        tracker.update(frame)
        whole.append((time.perf_counter() - started) * 1e3)
        network.append(tracker.step_ms["network"])
    tracker.close()
    ratio = statistics.median(a / b for a, b in zip(whole, network))
    medians = statistics.median(network), statistics.median(whole)
    return f"{name:<18}{medians[0]:>12.3f}{medians[1]:>12.3f}{ratio:>12.3f}"


if __name__ == "__main__":
    sys.exit(main())
