"""Frames in a GPU's memory: the boxes of host arrays, and no copy of the picture."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.kernels import cpu
from hotpath.kernels.cuda import device as devices
from hotpath.runtime.devices.gpu import GpuDevice
from hotpath.runtime.errors import BadFrame
from hotpath.runtime.tracker.tracker import Tracker
from hotpath.runtime.tracker.trail import EVERY
from hotpath_nogpu.cuda import build
from hotpath_nogpu.cuda.counting import counts
from hotpath_nogpu.cuda.engine import TinyGpuEngine
from hotpath_nogpu.cuda.film import Film
from tests.support.kernel_networks import LOSSY, network

pytestmark = [pytest.mark.timeout(1500), pytest.mark.fake_gpu()]
FRAMES = 12
GAP = 20  # bytes after each row


class Held:
    """An array that another program holds on the GPU, with gaps after its rows."""

    stream = None
    typestr = "|u1"

    def __init__(self, device, array, stream):
        rows, row = array.shape[0], array[0].size
        pinned = device.pinned(rows * (row + GAP))
        pinned.reshape(rows, row + GAP)[:, :row] = array.reshape(rows, row)
        self.address = device.alloc(pinned.size)
        device.upload(self.address, pinned, stream)
        device.synchronise(stream)
        step = row // array.shape[1]
        self.shape, self.strides = array.shape, (row + GAP, step, 1)[: array.ndim]

    @property
    def __cuda_array_interface__(self):
        return {
            "shape": self.shape,
            "strides": self.strides,
            "typestr": self.typestr,
            "data": (self.address, False),
            "version": 3,
            "stream": self.stream,
        }


@pytest.fixture
def gpu():
    device = devices.open_device("auto")
    build.match_compiler(device.driver_version)
    net = network(**LOSSY)
    opened = GpuDevice(net, TinyGpuEngine(device, net), cpu.load())
    yield opened
    opened.close()
    device.close()


def tracked_film(gpu, kind, is_held, recover="report"):
    """Boxes and states of a film, and what the driver copied in each frame."""
    device, stream = gpu.engine.device, gpu.engine.stream
    film, frames = Film(0, kind), []
    for index in range(FRAMES):
        frame = film.frame(index)
        if is_held and kind == "nv12":
            frame = tuple(Held(device, plane, stream) for plane in frame)
        elif is_held:
            frame = Held(device, frame, stream)
        frames.append(frame)
    tracker = Tracker(gpu, recover=recover)
    tracks = [tracker.init(frames[0], film.box)]
    copied = []
    for frame in frames[1:]:
        before = counts()
        tracks.append(tracker.update(frame))
        copied.append({name: value - before[name] for name, value in counts().items()})
    tracker.release()
    return [(track.box, track.score, track.state) for track in tracks], copied, frames


@pytest.mark.parametrize("recover", ["report", None])
def test_a_frame_on_the_gpu_has_the_boxes_of_a_host_array_and_is_not_copied(gpu, recover):
    found, copied, _ = tracked_film(gpu, "bgr", True, recover)
    wanted, uploaded, arrays_ = tracked_film(gpu, "bgr", False, recover)
    assert found == wanted
    size = arrays_[0].size
    for number, (here, there) in enumerate(zip(copied, uploaded)):
        assert here["uploads"] == 1 and there["uploads"] == 2  # the records alone
        assert here["upload_bytes"] < 4096 < there["upload_bytes"]
        # the colours under the box, and the result of the frame
        more = here["download_bytes"] - there["download_bytes"]
        if number % EVERY == 0 and recover is not None:  # the trail keeps a small picture
            more -= size
        assert 0 <= more < 0.2 * size and here["downloads"] <= there["downloads"] + 2
        if recover is None:
            assert not more and here["synchronisations"] == there["synchronisations"]
        assert not here["allocations"]


def test_nv12_on_the_gpu_is_a_pair_of_planes(gpu):
    found, copied, _ = tracked_film(gpu, "nv12", True)
    wanted, _, frames = tracked_film(gpu, "nv12", False)
    assert found == wanted
    size = sum(plane.size for plane in frames[0])
    assert all(each["upload_bytes"] < 4096 for each in copied)
    for number, each in enumerate(copied):
        kept = size * (number % EVERY == 0)  # the trail keeps a small picture
        assert each["download_bytes"] < 0.4 * size + kept


def test_the_crop_waits_for_the_producers_stream(gpu):
    device = gpu.engine.device
    film, producer = Film(0), device.stream()
    late = film.frame(FRAMES)
    tracker = Tracker(gpu, recover=None)
    tracker.init(film.frame(0), film.box)
    wanted = tracker.update(late)
    tracker.init(film.frame(0), film.box)
    held = Held(device, np.zeros_like(late), gpu.engine.stream)
    pinned = device.pinned(len(late) * held.strides[0])
    pinned.reshape(len(late), -1)[:, :-GAP] = late.reshape(len(late), -1)
    held.stream = device.handle(producer)
    device.upload(held.address, pinned, producer)  # nobody but the tracker waits for it
    assert tracker.update(held) == wanted
    tracker.release()


def test_arrays_that_the_crop_cannot_read_are_refused(gpu):
    device, stream, frame = gpu.engine.device, gpu.engine.stream, Film(0).frame(0)
    held = Held(device, frame, stream)
    held.typestr = "<f4"
    with pytest.raises(BadFrame, match=r"<f4 on the GPU; give uint8"):
        gpu.take(held)
    held.typestr, held.shape = "|u1", held.shape[:2]
    with pytest.raises(BadFrame, match=r"give \(H, W, 3\), BGR"):
        gpu.take(held)
    turned = Held(device, frame, stream)
    turned.strides = (-turned.strides[0], *turned.strides[1:])
    with pytest.raises(BadFrame, match="make the array dense"):
        gpu.take(turned)
    by_dlpack = SimpleNamespace(__dlpack_device__=lambda: (2, 0))
    with pytest.raises(BadFrame, match="by DLPack alone; give cupy.from_dlpack"):
        gpu.take(by_dlpack)
    luma = Held(device, frame[:, :, 0], stream)
    with pytest.raises(BadFrame, match=r"NV12 is \(H, W\) and \(H/2, W\)"):
        gpu.take((luma, luma))


def test_the_chroma_may_have_an_axis_of_its_own(gpu):
    luma, chroma = Film(0, "nv12").frame(0)
    planes = luma, chroma.reshape(len(chroma), -1, 2)
    frame, shape = gpu.take(tuple(Held(gpu.engine.device, p, gpu.engine.stream) for p in planes))
    assert shape == (*luma.shape, 3)
    np.testing.assert_array_equal(gpu.picture(frame).pixels().planes[1], chroma)
