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
from kernels.cuda.frame import Frame
from kernels.cuda.frames import OnDevice
from runtime.devices.gpu import frame_settings
from runtime.errors import HotpathError, NetworkFailed
from tests.fakes.cuda import build
from tests.fakes.cuda.engine import Engine
from tests.fakes.cuda.film import Film
from tests.fakes.cuda.networks import network

COUNTS = "allocations pinned_allocations frees launches graph_launches graphs uploads upload_bytes"
COUNTS += " downloads download_bytes synchronisations modules"


def counts(driver):
    """What the fake driver has counted."""
    return {name: driver.fake_count(name.encode()) for name in COUNTS.split()}


def upload_frame(device, stream, picture):
    """Upload a BGR frame as BGRx, the form in which a camera of the board leaves it."""
    height, width = picture.shape[:2]
    memory = np.zeros((height, width + 5, 4), np.uint8)
    memory[:, :width, :3] = picture
    address = device.alloc(memory.nbytes)
    device.upload(address, memory, stream)
    device.synchronise(stream)
    return OnDevice(width, height, address, memory.strides[0], 4, 0, 0)


def run(
    frames,
    library="auto",
    slots=1,
    graph=True,
    profile=False,
    kind="bgr",
    change=None,
    behaviour="good",
    poison=None,
):
    """Track the frames of a ``Film``; from the one numbered ``poison`` the network gives NaN."""
    driver, logged = ctypes.CDLL("libcuda.so.1"), []
    driver.fake_count.restype = driver.fake_overruns.restype = ctypes.c_long
    device = devices.open_device(library)
    build.match_compiler(device.driver_version)
    net = network()
    engine, film = Engine(device, net), Film(0, kind, change)
    options = {"slots": slots, "graph": graph, "profile": profile, "log": logged.append}
    whole = Frame(device, frame_settings(net), engine, **options)
    engine.before_search = behaviours(device, engine)[behaviour]

    def prepare(index):
        picture = film.frame(index)
        return upload_frame(device, engine.stream, picture) if kind == "device" else picture

    whole.begin(prepare(0), film.state, film.border)
    found, failures = [], []
    before, own_before = counts(driver), device.counters.read()
    for index in range(1, frames + 1):
        picture = prepare(index)
        if poison == index:
            array = device.pinned(12)  # kept until the copy is done
            array.view(np.float32)[:] = np.nan
            device.upload(whole.features, array, engine.stream)
        whole.submit(picture)
        if index >= slots:
            collect(whole, found, failures)
    while len(found) + len(failures) < frames:
        collect(whole, found, failures)
    after, own_after = counts(driver), device.counters.read()
    result = {
        "states": [[float(v).hex() for v in f.state] for f in found],
        "cells": [f.cell for f in found],
        "scores": [f.score for f in found],
        "failures": failures,
        "counts": {name: after[name] - before[name] for name in after},
        "own": {name: own_after[name] - own_before[name] for name in own_after},
        "uses_graph": whole.uses_graph,
        "logged": logged,
        "calls": engine.calls,
        "step_ms": whole.step_ms() if profile else None,
        "library": device.name,
    }
    whole.close()
    result["overruns"] = driver.fake_overruns()
    device.close()
    return result


def collect(whole, found, failures):
    try:
        found.append(whole.result())
    except HotpathError as error:
        failures.append(f"{type(error).__name__}: {error}")


def refuse(engine):
    if engine.calls == 2:  # the one that is captured
        raise NetworkFailed("the library refuses")


def overwrite(device, engine, black):
    """Put a black picture into the captured frame, after its crop."""
    if engine.calls == 2:
        device.upload(engine.search_input, black, engine.stream)


def behaviours(device, engine):
    """Actions that a network's library might take inside its call: dict of name -> function."""
    black = device.pinned(12 * engine.network.search**2)
    return {
        "good": lambda: None,
        "synchronises": lambda: device.synchronise(engine.stream),
        "allocates": lambda: device.alloc(100),
        "overwrites": functools.partial(overwrite, device, engine, black),
        "refuses": functools.partial(refuse, engine),
    }


if __name__ == "__main__":
    try:
        print(json.dumps(run(**json.loads(sys.argv[1]))))
    except HotpathError as error:
        print(json.dumps({"error": type(error).__name__, "text": str(error)}))
