"""Track a film on the fake GPU, and count what the driver does for it."""

import ctypes
import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hotpath.kernels import cpu
from hotpath.kernels.cuda import device as devices
from hotpath.runtime.devices.base import WindowRequest
from hotpath.runtime.devices.gpu import GpuDevice
from hotpath.runtime.errors import NetworkFailed
from hotpath_nogpu.cuda import build
from hotpath_nogpu.cuda.counting import counts
from hotpath_nogpu.cuda.engine import TinyGpuEngine
from hotpath_nogpu.cuda.film import Film
from tests.support.kernel_networks import LOSSY, network


def track(
    frames,
    library="auto",
    graph=True,
    timed=False,
    behaviour="good",
    poison=None,
    windows=1,
    elsewhere=False,
):
    """Track the frames of a ``Film``; from the one numbered ``poison`` the network gives NaN.

    windows: of each frame; those after the first one give their maps.
    elsewhere: whether each call comes from a thread of its own, and not from the opening one.
    """
    driver = ctypes.CDLL("libcuda.so.1")
    logged = []
    driver.fake_overruns.restype = ctypes.c_long
    device = devices.open_device(library)
    build.match_compiler(device.driver_version)
    net = network(**LOSSY)
    engine, film = TinyGpuEngine(device, net), Film(0)
    engine.before_search = behaviours(device, engine)[behaviour]
    gpu = GpuDevice(net, engine, cpu.load(), logged.append, graph=graph, timed=timed)
    calls = engine.calls

    call = in_a_thread if elsewhere else lambda function, *given: function(*given)
    frame, _ = gpu.take(film.frame(0))
    state = np.array(film.state)
    exemplar = call(gpu.exemplar, frame, state)
    found = []
    before = counts()
    for index in range(1, frames + 1):
        picture, _ = gpu.take(film.frame(index))
        if poison == index:
            array = device.pinned(12)  # kept until the copy is done
            array.view(np.float32)[:] = np.nan
            device.upload(exemplar.target.features[0], array, engine.stream)
        requests = [WindowRequest(exemplar, state, reads=False)]
        for n in range(1, windows):
            requests.append(WindowRequest(exemplar, state + (40 * n, 0, 0, 0), 1.5, None))
        results, step_ms = call(gpu.run, picture, requests)
        found.append(results[0])
        state = results[0].states[0]
    after = counts()
    result = {
        "states": np.array([results.states[0] for results in found]),
        "cells": [results.cells[0] for results in found],
        "scores": [results.scores[0] for results in found],
        "features": hashlib.sha256(b"".join(map(shown_by, found))).hexdigest(),
        "counts": {name: after[name] - before[name] for name in after},
        "uses_graph": gpu.uses_graph,
        "logged": logged,
        "calls": engine.calls - calls,
        "step_ms": step_ms,
        "library": device.name,
    }
    call(exemplar.close)
    call(gpu.close)
    assert driver.fake_overruns() == 0
    device.close()
    return result


def in_a_thread(function, *given):
    """Call a function in a new thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *given).result()


def shown_by(results):
    """The bytes of all features that a window shows."""
    rows = [each for each in (results.features, results.pooled) if each is not None]
    return b"".join(each.tobytes() for each in rows)


def refuse(engine):
    if is_captured(engine):
        raise NetworkFailed("the library refuses")


def is_captured(engine):
    """Whether this call is the first one that is captured: after one of each number of places."""
    places = sum(engine.counts)
    return len(engine.counts) > 1 and engine.calls == places + 2


def overwrite(device, engine, black):
    """Put a black picture into the captured window, after its crop."""
    if is_captured(engine):
        device.upload(engine.place_of("search"), black, engine.stream)


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
