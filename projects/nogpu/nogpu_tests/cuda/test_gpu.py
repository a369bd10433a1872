"""Small runs on a GPU: a real one where there is one, else the fake one."""

import functools
import threading

import cv2
import numpy as np
import pytest

from hotpath.base.errors import GpuFailed, NoGpu
from hotpath.kernels import cpu
from hotpath.kernels.cuda import compile as compiler
from hotpath.kernels.cuda import cuda_graphs, driver, frame_uploads
from hotpath.kernels.cuda import device as devices
from hotpath.runtime.devices.gpu import GpuDevice
from hotpath.runtime.errors import BadFrame, NotReady
from hotpath.runtime.frames import geometry
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.tracker.tracker import Tracker
from hotpath_nogpu.cuda.counting import counts
from hotpath_nogpu.cuda.engine import TinyGpuEngine
from hotpath_nogpu.cuda.film import Film, track_by_definition
from tests.support.kernel_networks import LOSSY, network


def on_the_gpu():
    """The marker of the tests: on a real GPU they need its libraries, else the fake driver."""
    try:
        driver.load()
    except NoGpu:
        return pytest.mark.fake_gpu()
    lacks = not devices.installed() or not list(compiler.available())
    return pytest.mark.skipif(lacks, reason="CuPy or PyCUDA, and NVRTC: make setup ALSO=nvidia")


pytestmark = on_the_gpu()


def opened(device, net, **options):
    return GpuDevice(net, TinyGpuEngine(device, net), cpu.load(), **options)


def test_the_kind_of_frames_may_change():
    """Tracking continues when the source changes the kind of its frames."""
    device, net = devices.open_device(), network()
    film = Film(0)
    clip = []
    for index in range(12):
        image = film.bgr(index)
        clip.append(film.nv12(image) if index < 4 or index > 8 else image)
    tracks = []
    for graph in (False, True):
        gpu = opened(device, net, graph=graph)
        tracker = Tracker(gpu)
        tracker.init(clip[0], film.box)
        tracks.append([tracker.update(picture) for picture in clip[1:]])
        assert gpu.uses_graph == graph
        gpu.close()
    assert tracks[0] == tracks[1]
    device.close()


def test_a_tracker_gives_the_boxes_of_the_definitions():
    """A tracker on ``GpuDevice`` gives the definitions' boxes, and takes a second target."""
    device, net = devices.open_device(), network(border="zero")
    tracked, film = Tracker(opened(device, net)), Film(3)
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


def test_frames_of_cameras_equal_converted_ones():
    """Camera frames give the same boxes as these frames converted to BGR by OpenCV."""
    device, net = devices.open_device(), network(channels="RGB", mean=(124.0, 116.0, 104.0))
    gpu = opened(device, net)
    for film in (Film(3), Film(8)):
        clip, box = [film.bgr(index) for index in range(40)], film.box
        planes = [Film.nv12(image) for image in clip]
        converted = [cv2.cvtColor(np.concatenate(p), cv2.COLOR_YUV2BGR_NV12) for p in planes]
        bgrx = [np.dstack([image, image[:, :, :1]]) for image in converted]
        ways = [_boxes(gpu, way, box) for way in (converted, planes, bgrx)]
        assert len({track.box for track in ways[0]}) > len(clip) // 2
        assert ways[0] == ways[1] == ways[2]
        for way in (converted, planes, bgrx):  # a point prompt asks for it
            assert gpu.take(way[0])[0].shape[:2] == converted[0].shape[:2]
        for wrong in (frame_uploads.Nv12(planes[0].luma, planes[0].chroma[:-1]), bgrx[0][:, :, :2]):
            with pytest.raises(BadFrame):
                _boxes(gpu, [wrong], box)
    device.close()


def _boxes(gpu, clip, box):
    tracked = Tracker(gpu)
    try:
        tracked.init(clip[0], box)
        return [tracked.update(frame) for frame in clip[1:]]
    finally:
        tracked.release()


def test_several_targets_are_found_as_each_alone():
    """Targets that share a device are found as each alone, in as few submissions as they take."""
    device, net = devices.open_device(), network(border="zero", **LOSSY)
    film, boxes = Film(3), [(100, 100, 40, 40), (90, 30, 40, 44), (220, 90, 50, 40)]
    for graph in (False, True):
        gpu, other = (opened(device, net, graph=graph) for _ in range(2))
        targets = Targets(gpu, Options(recover=False))
        alone = [Tracker(other, recover=False) for _ in boxes]
        for tracked, box in zip(alone, boxes):
            tracked.init(film.frame(0), box)
            targets.add(film.frame(0), box)
        for index in range(1, 12):
            if index == 6:  # one begins again
                alone[1].init(film.frame(5), (10, 10, 44, 40))
                targets.restart(1, film.frame(5), (10, 10, 44, 40))
            before = counts()
            tracks = targets.update(film.frame(index))
            after = counts()
            wanted = [tracked.update(film.frame(index)) for tracked in alone]
            assert [t.score for t in tracks.values()] == [t.score for t in wanted], index
        cost = {name: after[name] - before[name] for name in after}
        # gather, crop, three kernels of the network for each window, places, pooling
        assert cost["launches"] == 2 + 2 * 3 + 2 and cost["graph_launches"] == graph
        assert cost["allocations"] == 0 and cost["synchronisations"] == 1
        assert cost["uploads"] == cost["downloads"] == 2  # places, and features: none is searched
        for tracked in alone:
            tracked.release()
        targets.close()
        other.close()
    device.close()


def test_what_is_closed_frees_its_memory():
    """What is closed frees all its memory, and later calls raise ``NotReady``."""
    device, net = devices.open_device(), network()
    engine, film = TinyGpuEngine(device, net), Film(3)
    engine.prepare()
    before = len(device._memory)
    for graph in (False, True):
        gpu = GpuDevice(net, engine, cpu.load(), graph=graph)
        tracked = Tracker(gpu)
        tracked.init(film.frame(0), (100, 100, 40, 40))
        tracked.update(film.frame(1))
        tracked.release()
        tracked.release()
        for call in (tracked.update, tracked.init):
            with pytest.raises(NotReady, match="closed"):
                call(film.frame(1), *([(1, 1, 9, 9)] if call == tracked.init else []))
        gpu.close()
        gpu.close()
        assert len(device._memory) == before
    device.close()


def test_frames_of_any_size_are_tracked():
    """Frames of any size from 10 pixels, and strides, are tracked, as a graph and step by step."""
    told = []
    for graph in (False, True):
        device, random = devices.open_device(), np.random.RandomState(4)
        net = network(border="zero", **LOSSY)
        tracked = Tracker(opened(device, net, graph=graph))
        tracked.init(random.randint(0, 256, (240, 320, 3)).astype(np.uint8), (90, 80, 30, 50))
        found = []
        for index in range(30):
            any_size = random.randint(10, 600), random.randint(10, 600)
            size = ((240, 320), (240, 320), (10, 10), (11, 12), any_size)[random.randint(5)]
            frame = random.randint(0, 256, size + (3,)).astype(np.uint8)
            track = tracked.update(frame[::-1, ::-1] if index % 2 else frame)
            found.append(track + (tracked.target.identity.value,))
        assert all(np.isfinite(track[0]).all() for track in found)
        told.append(found)
        device.close()
    assert told[0] == told[1]


def test_a_frame_too_large_for_the_gpu_raises():
    """A frame too large for the GPU raises its error; the frames around it are tracked."""
    device, net = devices.open_device(), network(border="zero")
    film = Film(3)
    expected, _ = track_by_definition(net, film, 20)
    for graph in (False, True):
        tracked = Tracker(opened(device, net, graph=graph))
        tracked.init(film.frame(0), film.box)
        alloc = device.alloc
        boxes = []
        device.alloc = functools.partial(_limited, alloc, 1 << 20)
        for index in range(1, 21):
            boxes.append(tracked.update(film.frame(index)).box)
            if index in (5, 6):
                state = tracked.target.state
                with pytest.raises(GpuFailed, match="no room"):
                    tracked.update(np.zeros((800, 1000, 3), np.uint8))
                tracked.target.state, tracked.target.shape = state, (220, 300, 3)
        wanted = [geometry.box_of(net, state) for state in expected]
        np.testing.assert_allclose(boxes, wanted, rtol=0, atol=1e-6)
        device.alloc = alloc
        tracked.release()
    device.close()


def _limited(alloc, most, size):
    if size > most:
        raise GpuFailed("no room")
    return alloc(size)


def test_tensors_are_aligned():
    """Every window's tensors have addresses that TensorRT takes, whatever their sizes are."""
    device = devices.open_device()
    for changes in ({"search": 129, "map_size": 9}, {"search": 255}):
        net = network(**LOSSY, **changes)
        engine = TinyGpuEngine(device, net)
        bound = []
        for part in engine._frame[1:]:
            part.bind = functools.partial(_note, bound, part.bind)
        gpu = GpuDevice(net, engine, cpu.load())
        names = ("search", "target", "scores", "distances", "seen")
        assert {name for name, _ in bound} >= set(names)
        assert [a % 256 for name, a in bound if name in names] == [0] * len(bound)
        assert len({address for name, address in bound if name == "search"}) == gpu.windows
        gpu.close()
    device.close()


def _note(bound, bind, name, address):
    bound.append((name, address))
    bind(name, address)


def test_copies_of_other_threads_disturb_no_capture():
    """Another thread's copies on the legacy stream disturb no capture, and wait for no frame."""
    device, net = devices.open_device(), network()
    gpu, library = opened(device, net), driver.load()
    stream = gpu.engine.stream
    handle, room = device.handle(stream), device.pinned(64)
    address = device.alloc(64)

    def copy():
        context = cuda_graphs.HANDLE()
        library.cuDevicePrimaryCtxRetain(context_at(context), 0)
        library.cuCtxPushCurrent_v2(context)
        out = np.zeros(64, np.uint8)
        arguments = cuda_graphs.HANDLE(out.ctypes.data), cuda_graphs.HANDLE(address)
        results.append(library.cuMemcpyDtoH_v2(*arguments, cuda_graphs.HANDLE(64)))
        library.cuCtxPopCurrent_v2(context_at(context))

    def body():
        device.download(room, address, stream)
        other = threading.Thread(target=copy)
        other.start()
        other.join()

    results = []
    cuda_graphs.CudaGraph(cuda_graphs.GraphDriver(library), handle, body).close()
    assert results == [0]
    device.close()


def context_at(context):
    return cuda_graphs.ctypes.byref(context)
