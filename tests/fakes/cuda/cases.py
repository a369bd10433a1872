"""Small runs on the fake GPU, each in a process: ``python -m tests.fakes.cuda.cases NAME``.

Called by tests/test_cuda_frame.py; each ends with "good" or an exception.
"""

import sys

import numpy as np

from kernels import golden
from kernels.cuda import device as devices
from kernels.cuda.correlate import Correlate
from kernels.cuda.frame import Frame
from kernels.cuda.tracker import GpuTracker
from runtime import geometry
from runtime.errors import NetworkFailed
from tests.fakes.cuda.engine import Engine
from tests.fakes.cuda.film import Film, track_by_definition
from tests.fakes.cuda.networks import network


def two_targets():
    """Two targets on one engine, frame by frame in turn, do not disturb one another."""
    device, net = devices.open_device(), network()
    engine = Engine(device, net)
    films = [Film(0), Film(5)]
    frames = [Frame(device, net, engine, graph=graph) for graph in (True, False)]
    for frame, film in zip(frames, films):
        frame.begin(film.frame(0), film.state, film.border)
    states = [[], []]
    for index in range(1, 21):
        for frame, film in zip(frames, films):
            frame.submit(film.frame(index))
        for found, frame in zip(states, frames):
            found.append(frame.result().state)
    for found, film in zip(states, films):
        expected, _ = track_by_definition(net, film, 20)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    device.close()


def tracker():
    """``GpuTracker`` gives the definitions' boxes, and takes a second target."""
    device, net = devices.open_device(), network(border="zero")
    tracked = GpuTracker(net, Engine(device, net), device, graph=True)
    film = Film(3)
    film.border = (0, 0, 0)
    cx, cy, w, h = film.state
    box = cx - (w - 1) / 2, cy - (h - 1) / 2, w, h
    try:
        tracked.update(film.frame(0))
        raise AssertionError("updated without a target")
    except NetworkFailed as error:
        assert "call init" in str(error)
    expected, _ = track_by_definition(net, film, 10)
    for _ in range(2):
        tracked.init(film.frame(0), box)
        for index, state in enumerate(expected, 1):
            track = tracked.update(film.frame(index))
            np.testing.assert_allclose(track.box, geometry.box_of(net, state), rtol=0, atol=1e-6)
            assert 0 < track.score < 1
    device.close()


def correlate():
    """Both correlations through the device lie within their bound."""
    device = devices.open_device()
    stream, random = device.stream(), np.random.RandomState(0)
    both = Correlate(device)

    def put(array):
        staging = device.pinned(array.nbytes)
        staging[:] = np.ascontiguousarray(array).view(np.uint8).ravel()
        address = device.alloc(array.nbytes)
        device.upload(address, staging, stream)
        return address

    def get(address, shape):
        staging = device.pinned(4 * int(np.prod(shape)))
        device.download(staging, address, stream)
        device.synchronise(stream)
        return staging.view(np.float32).reshape(shape)

    search = random.normal(size=(20, 9, 11)).astype(np.float32)
    exemplar = random.normal(size=(2, 20, 4, 3)).astype(np.float32)
    out = device.alloc(4 * 2 * 20 * 8 * 11)
    both.depthwise(put(search), put(exemplar), out, search.shape, exemplar.shape, 1, stream)
    found = get(out, (2, 20, 8, 11))
    for one, weights in zip(found, exemplar):
        expected = golden.correlate_depthwise(weights, search, 1)
        most = golden.correlate_depthwise(np.abs(weights), np.abs(search), 1)
        assert (np.abs(one - expected) <= 12 * 2.0**-24 * most * (1 + 1e-6)).all()

    out = device.alloc(4 * 12 * 99)
    both.pixelwise(put(search), put(exemplar[0]), out, 20, 12, 99, stream)
    found = get(out, (12, 9, 11))
    expected = golden.correlate_pixelwise(exemplar[0], search)
    most = golden.correlate_pixelwise(np.abs(exemplar[0]), np.abs(search))
    assert (np.abs(found - expected) <= 20 * 2.0**-24 * most * (1 + 1e-6)).all()

    try:
        both.depthwise(0, 0, 0, (20, 2, 2), (1, 20, 4, 3), 0, stream)
        raise AssertionError("an exemplar larger than the search region")
    except ValueError:
        pass
    device.close()


if __name__ == "__main__":
    {"two_targets": two_targets, "tracker": tracker, "correlate": correlate}[sys.argv[1]]()
    print("good")
