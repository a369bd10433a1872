"""Track a film on the fake GPU, in a process of its own: options as JSON in, a report as JSON out.

    python -m tests.fakes.cuda.whole '{"graph": true, "frames": 200}'

Run by tests/kernels/cuda/test_frame.py with the fake driver in LD_LIBRARY_PATH.
"""

import ctypes
import functools
import json
import sys

import numpy as np

from kernels.cuda import device as devices
from kernels.cuda import frames
from kernels.cuda.frame import Frame
from runtime.devices.gpu import frame_settings
from runtime.errors import HotpathError, NetworkFailed
from tests.fakes.cuda import build
from tests.fakes.cuda.engine import Engine
from tests.fakes.cuda.film import Film
from tests.fakes.cuda.networks import network

COUNTS = "allocations pinned_allocations frees launches graph_launches graphs uploads upload_bytes"
COUNTS += " downloads download_bytes synchronisations modules"


class Fake:
    """What the fake driver counts."""

    def __init__(self):
        self.library = ctypes.CDLL("libcuda.so.1")
        self.library.fake_count.restype = self.library.fake_overruns.restype = ctypes.c_long

    def read(self):
        return {name: self.library.fake_count(name.encode()) for name in COUNTS.split()}

    def overruns(self):
        return self.library.fake_overruns()


def upload_frame(device, stream, picture):
    """Upload a BGR frame as BGRx, the form in which a camera of the board leaves it."""
    height, width = picture.shape[:2]
    memory = np.zeros((height, width + 5, 4), np.uint8)
    memory[:, :width, :3] = picture
    address = device.alloc(memory.nbytes)
    device.upload(address, memory, stream)
    device.synchronise(stream)
    return frames.OnDevice(width, height, address, memory.strides[0], 4, 0, 0)


def run(options):
    fake, logged = Fake(), []
    device = devices.open_device(options.get("library", "auto"))
    build.match_compiler(device.driver_version)
    net = network(**options.get("network", {}))
    engine = Engine(device, net)
    slots = options.get("slots", 1)
    whole = Frame(
        device,
        frame_settings(net),
        engine,
        slots=slots,
        graph=options.get("graph", True),
        profile=options.get("profile", False),
        log=logged.append,
    )
    film = Film(options.get("seed", 0), options.get("kind", "bgr"), options.get("change"))
    engine.before_search = behaviours(device, engine, whole)[options.get("behaviour", "good")]
    prepare = (
        (lambda picture: upload_frame(device, engine.stream, picture))
        if (options.get("kind") == "device")
        else (lambda picture: picture)
    )

    whole.begin(prepare(film.frame(0)), film.state, film.border)
    found, failures, between = [], [], []
    count = options.get("frames", 20)
    before, own_before = fake.read(), device.counters.read()
    for index in range(1, count + 1):
        picture = prepare(film.frame(index))
        if options.get("poison") == index:
            poison(device, engine, whole)
        whole.submit(picture)
        if index < slots:
            continue
        collect(whole, found, failures)
        between.append(fake.read())
    while len(found) + len(failures) < count:
        collect(whole, found, failures)
    after, own_after = fake.read(), device.counters.read()
    result = {
        "states": [[float(v).hex() for v in f.state] for f in found],
        "cells": [f.cell for f in found],
        "scores": [f.score for f in found],
        "failures": failures,
        "counts": {name: after[name] - before[name] for name in after},
        "second_frame": {name: between[1][name] - between[0][name] for name in after},
        "own": {name: own_after[name] - own_before[name] for name in own_after},
        "uses_graph": whole.uses_graph,
        "logged": logged,
        "calls": engine.calls,
        "step_ms": whole.step_ms() if options.get("profile") else None,
        "library": device.name,
    }
    whole.close()
    result["overruns"] = fake.overruns()
    device.close()
    return result


def collect(whole, found, failures):
    try:
        found.append(whole.result())
    except HotpathError as error:
        failures.append(f"{type(error).__name__}: {error}")


def poison(device, engine, whole):
    """Make the network give NaN from now on."""
    array = whole.poison = device.pinned(12)  # kept until the copy is done
    array.view(np.float32)[:] = np.nan
    device.upload(whole.features, array, engine.stream)


def refuse(engine, number):
    if engine.calls == number:
        raise NetworkFailed("the library refuses")


def overwrite(device, engine, black):
    """Put a black picture into the captured frame, after its crop."""
    if engine.calls == 2:
        device.upload(engine.search_input, black, engine.stream)


def behaviours(device, engine, whole):
    """Actions that a network's library might take inside its call: dict of name -> function."""
    black = device.pinned(12 * engine.network.search**2)
    return {
        "good": lambda: None,
        "synchronises": lambda: device.synchronise(engine.stream),
        "allocates": lambda: device.alloc(100),
        "overwrites": functools.partial(overwrite, device, engine, black),
        "refuses": functools.partial(refuse, engine, 2),  # the second call is captured
    }


if __name__ == "__main__":
    try:
        print(json.dumps(run(json.loads(sys.argv[1]))))
    except HotpathError as error:
        print(json.dumps({"error": type(error).__name__, "text": str(error)}))
