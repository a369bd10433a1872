"""Small runs on a GPU: ``python -m tests.fakes.cuda.cases NAME...``.

Each name is printed when it is done; a mistake ends with an exception. test_frame.py in
tests/kernels/cuda runs them on the fake GPU, test_gpu.py beside it on a real one.
"""

import functools
import sys

import cv2
import numpy as np
import pytest

from kernels import cpu
from kernels.cuda import device as devices
from kernels.cuda import frames
from kernels.cuda.frame import Frame
from kernels.errors import GpuFailed
from runtime import geometry
from runtime.devices.gpu import Gpu, frame_settings
from runtime.errors import BadFrame, NetworkFailed, NotReady
from runtime.options import Options
from runtime.targets.pipeline import Pipeline, Taken
from runtime.targets.targets import Targets
from runtime.tracker import Tracker
from tests.fakes.cuda.engine import Engine
from tests.fakes.cuda.film import Film, track_by_definition
from tests.fakes.cuda.networks import network


def kinds():
    """Tracking continues when the source changes the kind of its frames."""
    device, net = devices.open_device(), network()
    film, frames = Film(0), []
    for index in range(12):
        image = film.bgr(index)
        frames.append(film.nv12(image) if index < 4 or index > 8 else image)
    states = []
    for graph in (False, True):
        frame = Frame(device, frame_settings(net), Engine(device, net), graph=graph)
        frame.begin(frames[0], film.state, film.border)
        found = []
        for picture in frames[1:]:
            frame.submit(picture)
            found.append(frame.result().state.tobytes())
        assert frame.uses_graph == graph
        states.append(found)
    assert states[0] == states[1]
    device.close()


def two_targets():
    """Two targets that take turns on one engine do not disturb one another."""
    device, net = devices.open_device(), network()
    engine = Engine(device, net)
    films = [Film(0), Film(5)]
    frames = [Frame(device, frame_settings(net), engine, graph=graph) for graph in (True, False)]
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
    """``Gpu`` gives the definitions' boxes, and takes a second target."""
    device, net = devices.open_device(), network(border="zero")
    tracked = Tracker(Gpu(net, Engine(device, net), graph=True))
    film = Film(3)
    film.border = (0, 0, 0)
    with pytest.raises(NotReady, match="call init"):
        tracked.update(film.frame(0))
    expected, _ = track_by_definition(net, film, 10)
    for _ in range(2):
        tracked.init(film.frame(0), film.box)
        for index, state in enumerate(expected, 1):
            track = tracked.update(film.frame(index))
            np.testing.assert_allclose(track.box, geometry.box_of(net, state), rtol=0, atol=1e-6)
            assert 0 < track.score < 1
    device.close()


def camera():
    """Camera frames give the same boxes as these frames converted to BGR by OpenCV."""
    device, net = devices.open_device(), network(channels="RGB", mean=(124.0, 116.0, 104.0))
    engine = Engine(device, net)
    for film in (Film(3), Film(8)):
        clip, box = [film.bgr(index) for index in range(40)], film.box
        planes = [Film.nv12(image) for image in clip]
        converted = [cv2.cvtColor(np.concatenate(p), cv2.COLOR_YUV2BGR_NV12) for p in planes]
        bgrx = [np.dstack([image, image[:, :, :1]]) for image in converted]
        ways = [_boxes(net, engine, way, box) for way in (converted, planes, bgrx)]
        assert len({track.box for track in ways[0]}) > len(clip) // 2
        assert ways[0] == ways[1] == ways[2]
        for wrong in (frames.Nv12(planes[0].luma, planes[0].chroma[:-1]), bgrx[0][:, :, :2]):
            with pytest.raises(BadFrame):
                _boxes(net, engine, [wrong], box)
    device.close()


def _boxes(net, engine, clip, box):
    tracker = Tracker(Gpu(net, engine))
    try:
        tracker.init(clip[0], box)
        return [tracker.update(frame) for frame in clip[1:]]
    finally:
        tracker.release()


def pipelined():
    """A pipeline of two frames gives the same tracks as one frame at a time.

    Meanwhile targets are added and dropped, and the size of the frames changes.
    """
    told = [_run(depth, graph) for depth in (1, 2) for graph in (False, True)]
    assert all(one == told[0] for one in told[1:])
    assert [index for index, _ in told[0]] == list(range(1, 41))
    assert [sorted(tracks) for _, tracks in told[0][8:24]] == [[0]] + [[0, 1]] * 10 + [[1]] * 5
    assert len({track.lost for _, tracks in told[0] for track in tracks.values()}) == 2


def _run(depth, graph):
    """Track a film at a pipeline depth; return a list of (index, dict of number -> track)."""
    device, net = devices.open_device(), network(border="zero", lost_below=0.9)
    engine = Engine(device, net, seen=True)
    engine.capturable = graph
    targets = Targets(net, engine, cpu.load(), Options(pipeline=depth, recover=False))
    film, told = Film(3, change=30), []
    targets.add(film.frame(0), film.box)
    pipeline = Pipeline(targets, lambda taken, tracks, ms: told.append((taken.index, tracks)))
    for index in range(1, 41):
        frame = film.noise[:220, :300] if 12 <= index < 18 else film.frame(index)  # no target
        pipeline.take(Taken(frame, index, None, 0.0))
        assert pipeline.in_flight == depth - 1
        if index == 8 + depth:  # frame 9 was the last one reported
            assert targets.add(film.frame(9), told[-1][1][0].box) == 1
        if index == 18 + depth:
            targets.drop(0)
    assert pipeline.empty() == depth - 1 and not pipeline.in_flight
    targets.close()
    device.close()
    return told


def grouped():
    """Targets of a network with a fixed batch share crop, select, upload and download."""
    device, net = devices.open_device(), network(border="zero", lost_below=0.6)
    film, boxes = Film(3), [(100, 100, 40, 40), (90, 95, 40, 44), (120, 90, 50, 40)]
    for graph in (False, True):
        engine, said = Engine(device, net, seen=True), []
        engine.capturable = graph
        alone = [Tracker(Gpu(net, Engine(device, net, seen=True), graph=graph)) for _ in boxes]
        targets = Targets(net, engine, cpu.load(), Options(log=said.append, recover=False))
        for tracker, box in zip(alone, boxes):
            tracker.init(film.frame(0), box)
            targets.add(film.frame(0), box)
        for index in range(1, 12):
            if index == 6:  # one begins again
                alone[1].init(film.frame(5), boxes[0])
                targets.restart(1, film.frame(5), boxes[0])
            before = device.counters.read()
            tracks = targets.update(film.frame(index))
            after = device.counters.read()
            wanted = [tracker.update(film.frame(index)) for tracker in alone]
            assert list(tracks.values()) == wanted, index
        cost = {name: after[name] - before[name] for name in after}
        assert cost["launches"] == 1 + 3 * 2 + 1 and cost["graph_launches"] == graph
        assert cost["allocations"] == 0 and cost["download_bytes"] == 3 * 64
        assert cost["uploads"] == cost["downloads"] == cost["synchronisations"] == 1
        assert any("once for each target" in sentence for sentence in said)
        targets.close()
        for tracker in alone:
            tracker.release()
    device.close()


def owns():
    """A released tracker frees all its memory, and later calls raise ``NotReady``."""
    device, net = devices.open_device(), network()
    engine, film = Engine(device, net), Film(3)
    before = len(device._memory)
    for graph in (False, True):
        tracked = Tracker(Gpu(net, engine, slots=2, graph=graph))
        tracked.init(film.frame(0), (100, 100, 40, 40))
        tracked.submit(film.frame(1))
        tracked.release()
        tracked.release()
        assert len(device._memory) == before
        for call in (tracked.update, tracked.submit, tracked.init):
            with pytest.raises(NotReady, match="closed"):
                call(film.frame(1), *([(1, 1, 9, 9)] if call == tracked.init else []))
    device.close()


def sizes():
    """Frames of any size and strides are tracked; each one differs from the frame in flight."""
    told = []
    for depth, graph in ((1, False), (2, False), (2, True)):
        device, random = devices.open_device(), np.random.RandomState(4)
        net = network(border="zero", lost_below=0.9)
        tracked = Tracker(Gpu(net, Engine(device, net, seen=True), slots=depth, graph=graph))
        tracked.init(random.randint(0, 256, (240, 320, 3)).astype(np.uint8), (90, 80, 30, 50))
        found = []
        for index in range(30):
            any_size = random.randint(1, 600), random.randint(1, 600)
            size = ((240, 320), (240, 320), (1, 1), (2, 3), any_size)[random.randint(5)]
            frame = random.randint(0, 256, size + (3,)).astype(np.uint8)
            tracked.submit(frame[::-1, ::-1] if index % 2 else frame)
            if index >= depth - 1:
                found.append(tracked.collect() + (tracked.presence.value,))
        while len(found) < 30:
            found.append(tracked.collect() + (tracked.presence.value,))
        assert all(np.isfinite(track[0]).all() for track in found)
        told.append(found)
        device.close()
    assert told[0] == told[1] == told[2]


def short_of_memory():
    """A frame too large for the GPU raises its error in order; the frames around it are tracked."""
    device, net = devices.open_device(), network(border="zero")
    film = Film(3)
    expected, _ = track_by_definition(net, film, 20)
    for graph in (False, True):
        tracked = Tracker(Gpu(net, Engine(device, net), slots=2, graph=graph))
        tracked.init(film.frame(0), film.box)
        alloc, states = device.alloc, []
        device.alloc = functools.partial(_limited, alloc, 1 << 20)
        for index in range(1, 21):
            tracked.submit(film.frame(index))
            if index in (5, 6):  # with a frame in flight
                with pytest.raises(GpuFailed, match="no room"):
                    tracked.submit(np.zeros((800, 1000, 3), np.uint8))
            tracked.collect()
            states.append(tracked.state.copy())
        np.testing.assert_allclose(states, expected, rtol=0, atol=1e-6)
        device.alloc = alloc
        tracked.release()
    device.close()


def _limited(alloc, most, size):
    if size > most:
        raise GpuFailed("no room")
    return alloc(size)


def fails_in_its_turn():
    """A frame's error is raised in order, after all earlier frames were reported."""
    for depth in (1, 2):
        device, net = devices.open_device(), network(border="zero")
        engine, film, told = Engine(device, net), Film(3), []
        engine.capturable = False
        targets = Targets(net, engine, cpu.load(), Options(pipeline=depth, recover=False))
        x, *rest = film.box
        for shift in (0, 5):
            targets.add(film.frame(0), (x + shift, *rest))
        pipeline = Pipeline(targets, lambda taken, tracks, ms: told.append(taken.index))  # noqa: B023
        engine.before_search = functools.partial(_refuse, engine, engine.calls + 12)
        with pytest.raises(NetworkFailed, match="refused"):
            for index in range(1, 12):
                pipeline.take(Taken(film.frame(index), index, None, 0.0))
        assert told == [1, 2, 3, 4, 5], told
        targets.close()
        device.close()


def _refuse(engine, number):
    if engine.calls == number:
        raise NetworkFailed("refused")


ALL = (camera, fails_in_its_turn, grouped, kinds, owns, pipelined)
ALL += (short_of_memory, sizes, tracker, two_targets)
CASES = {case.__name__: case for case in ALL}
NAMES = sorted(CASES)

if __name__ == "__main__":
    for name in sys.argv[1:]:
        CASES[name]()
        print(name, flush=True)
