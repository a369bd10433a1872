"""NVMM on the fake GPU, in a process of its own: a report as JSON.

    python -m tests.fakes.nvmm.whole boxes FOLDER '{"few": true}'

Run by tests/runtime/track/video/test_nvmm.py with the fake driver and the stand-in library.
"""

import ctypes
import importlib.util
import json
import pathlib
import sys
import types

import cv2
import numpy as np

from hotpath.boards.doctor.bringup import film, steps
from hotpath.kernels import cpu
from hotpath.kernels.cuda import device as devices
from hotpath.runtime.devices.base import Look
from hotpath.runtime.devices.gpu import Gpu
from hotpath.runtime.errors import NoCamera
from hotpath.runtime.loading import Loaded
from hotpath.runtime.networks import load_network
from hotpath.runtime.pictures import PlanarFrame, bgr_of
from hotpath.runtime.track.video import cameras, nvmm, pyav
from hotpath.runtime.track.video import nvmm_structs as structs
from hotpath.runtime.track.video.sources import open_source
from hotpath.runtime.tracker import Tracker
from tests.fakes import nvmm as fake
from tests.fakes.cuda import build, networks
from tests.fakes.cuda.clip import open_engine
from tests.fakes.cuda.engine import Engine
from tests.fakes.cuda.film import Film
from tests.runtime.search.test_search import THRESHOLDS, Elsewhere
from tests.support import tiny
from tests.support.pictures_in_planes import planes_of

sys.path.append("/usr/lib/python3/dist-packages")  # where Debian has the binding

SIZE = 1280, 720  # of a CSI camera


def nv12_of(frame):
    """Luma over chroma of a frame in planes."""
    return np.vstack(frame.planes.planes)


def layout(folder, options):
    """What the C compiler says of the structures, and what ctypes says."""
    surface, params, egl = structs.Surface, structs.SurfaceParams, structs.EglFrame
    ours = [ctypes.sizeof(surface), surface.filled.offset, surface.pictures.offset]
    ours += [ctypes.sizeof(params), params.luma_pitch.offset, params.egl_image.offset]
    ours += [ctypes.sizeof(egl), egl.pitch.offset, egl.frame_type.offset, egl.sample_format.offset]
    kind = ctypes.c_size_t * len(ours)
    return {"ours": ours, "c": list(kind.in_dll(ctypes.CDLL(fake.NAMES[0]), "layout"))}


def follow(tracker, frames, box):
    """Boxes and states; no frame is kept here."""
    tracker.init(next(frames), box)
    tracks = []
    for frame in frames:
        tracks.append(tracker.update(frame))
        del frame
    return [[list(track.box), track.score, track.state] for track in tracks]


def seen(hardware, source, pictures, kinds):
    """Show pictures to the camera, and give what the source then has; the first is there."""
    for number, picture in enumerate(pictures):
        if number:
            hardware.show(nv12_of(picture))
        frame = source.read(20)
        kinds.add(type(frame).__name__)
        yield frame
        del frame


def boxes(folder, options):
    """Boxes of a camera whose pictures stay in NVMM, and of the same pictures copied."""
    device = devices.open_device()
    build.match_compiler(device.driver_version)
    hardware = fake.Hardware(SIZE, options)
    network = load_network(tiny.write_network(folder, tiny.watched(**THRESHOLDS)))
    engine = open_engine(network, None, device)
    scene = Elsewhere()
    count = 110 if not options.get("few") else 30
    resized = (cv2.resize(frame, SIZE) for frame in scene.frames[:count])
    pictures = [PlanarFrame(planes_of(frame, "NV12")) for frame in resized]
    box = scene.boxes[0] * (2, 1.5, 2, 1.5)

    gpu = Gpu(network, engine, cpu.load())

    def tracker():
        return Tracker(gpu, recover=not options.get("few"), search_windows=2)

    report, said, kinds = {}, [], set()
    hardware.show(nv12_of(pictures[0]))
    with open_source("csi0", said.append, planes=True, gpu=True) as source:
        own = tracker()
        report["found"] = follow(own, seen(hardware, source, pictures, kinds), box)
        own.release()
    report["held"] = hardware.held()
    other = tracker()
    report["wanted"] = follow(other, iter(pictures), box)
    other.release()
    return dict(report, said=said, kinds=sorted(kinds))


def element(folder, options):
    """What ``hotpathtrack`` tells of a camera's pictures in NVMM, and the same pictures' boxes."""
    from gi.repository import Gst

    from hotpath import runtime

    network = load_network(tiny.write_network(folder))
    films, box = tiny.film(8)
    pictures = [PlanarFrame(planes_of(cv2.resize(each, SIZE), "NV12")) for each in films]
    start = [float(value) for value in np.multiply(box[0], np.tile(np.divide(SIZE, (320, 240)), 2))]

    def load(*_, **more):
        device = devices.open_device()
        build.match_compiler(device.driver_version)
        tracker = Tracker(
            Gpu(network, open_engine(network, None, device), cpu.load()), recover=False
        )
        close = tracker.close
        tracker.close = lambda: (close(), device.close())
        return tracker

    file = (
        pathlib.Path(runtime.__file__).parent / "track" / "gstreamer" / "python" / "hotpathtrack.py"
    )
    spec = importlib.util.spec_from_file_location("hotpathtrack", str(file))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert Gst.Element.register(None, *[module.__gstelementfactory__[i] for i in (0, 1, 2)])
    hardware = fake.Hardware(SIZE, options)
    runtime.load_tracker = load
    rows = nvmm.BY_ROWS.replace(*options.get("replace", ["", ""]))
    text = "nvarguscamerasrc ! {} ! hotpathtrack box={} draw={} ! fakesink".format(
        rows, ",".join(map(str, start)), str(options.get("draw", False)).lower()
    )
    pipeline, told = Gst.parse_launch(text), []
    for picture in pictures:
        hardware.show(nv12_of(picture))
    hardware.show(None)
    pipeline.set_state(Gst.State.PLAYING)
    while True:
        message = pipeline.get_bus().timed_pop(60 * Gst.SECOND)
        if message.type == Gst.MessageType.ELEMENT:
            values = message.get_structure()
            told.append([values.get_value(name) for name in ("x", "y", "width", "height")])
        if message.type == Gst.MessageType.WARNING:
            told.append(message.parse_warning()[0].message)
        if message.type == Gst.MessageType.ERROR:
            told.append(message.parse_error()[0].message)
        if message.type in (Gst.MessageType.EOS, Gst.MessageType.ERROR):
            break
    pipeline.set_state(Gst.State.NULL)
    report = {"told": told, "held": hardware.held()}
    if not options.get("replace") and not options.get("draw"):
        tracker = load()
        tracker.init(pictures[0], start)
        report["wanted"] = [start] + [list(tracker.update(each).box) for each in pictures[1:]]
        tracker.close()
    return report


def queued(folder, options):
    """States that a GPU finds in frames that nobody else holds."""
    device = devices.open_device()
    build.match_compiler(device.driver_version)
    scene, net = Film(3, "nv12"), networks.network()
    pictures = [scene.frame(number) for number in range(12)]
    size = pictures[0].luma.shape[::-1]
    hardware = fake.Hardware(size, options)
    source = "appsrc name=film caps=video/x-raw,format=NV12,width={},height={},framerate=30/1"
    capture = nvmm.NvmmCapture(source.format(*size) + " ! " + nvmm.BY_ROWS, nvmm.EVERY)

    def leased(picture):
        capture.push(np.vstack(picture).tobytes())
        frame = capture.take()
        bgr_bytes = 3 * frame.width * frame.height
        report["bytes"] = frame.nbytes - bgr_bytes == np.vstack(picture).nbytes
        return frame

    report, gpu = {}, Gpu(net, Engine(device, net), cpu.load())
    for name, given in (("wanted", lambda picture: picture), ("found", leased)):
        state = np.array(scene.state)
        exemplar = gpu.exemplar(gpu.take(given(pictures[0]))[0], state)
        states = []
        for picture in pictures[1:]:
            (shown,) = gpu.look(gpu.take(given(picture))[0], [Look(exemplar, state)])
            state = shown.state
            states.append(state.tolist())
        report[name] = states
        report["held"] = hardware.held()
    gpu.close()
    capture.release()
    return dict(report, end=hardware.held())


class Copies:
    """What OpenCV's capture is to a CSI camera."""

    def __init__(self, pipeline, backend):
        pass

    def isOpened(self):
        return True

    def read(self, buffer=None):
        return True, np.full((SIZE[1] * 3 // 2, SIZE[0]), 90, np.uint8)

    def get(self, what):
        return 0.0

    def release(self):
        pass


def refusals(folder, options):
    """What is said, and which frames come, for each of ``cases`` in which NVMM does not work."""
    hardware, by_rows = fake.Hardware(SIZE, options), nvmm.BY_ROWS
    cameras.has_gstreamer, cv2.VideoCapture, nvmm.FIRST_S = lambda: True, Copies, 2
    report = []
    for case in options["cases"]:
        hardware.begin(case)
        nvmm.BY_ROWS = by_rows.replace(*case.get("replace", ["", ""]))
        if not case.get("blind"):
            hardware.show(np.full((SIZE[1] * 3 // 2, SIZE[0]), 90, np.uint8))
        said = []
        with open_source("csi0", said.append, planes=True, gpu=True) as source:
            frame = source.read(20)
        report.append({"said": said, "kind": type(frame).__name__, "held": hardware.held()})
    return report


def turned(folder, options):
    """How far a camera's frames are from the picture that ``CSI_FLIPS`` means, for each of some."""
    hardware, report = fake.Hardware(SIZE, options), {}
    luma = cv2.resize(np.random.RandomState(3).randint(0, 256, (9, 16)).astype(np.uint8), SIZE)
    shown = {"rotate180": luma[::-1, ::-1], "hflip": luma[:, ::-1], "vflip": luma[::-1]}
    for flip, wanted in shown.items():
        hardware.begin(options)
        hardware.show(np.vstack([luma, np.full((SIZE[1] // 2, SIZE[0]), 128, np.uint8)]))
        capture = cameras.CsiCamera("0@{}x{}:60/{}".format(*SIZE, flip), gpu=True).open()
        _, frame = capture.read()
        error = int(cv2.absdiff(frame.planes.planes[0], wanted).max())
        report.update({flip: (type(frame).__name__, error), "fps": capture.get(cv2.CAP_PROP_FPS)})
        capture.release()
    return report


def reopened(folder, options):
    """What a camera says that is lost after its pictures stayed in NVMM."""
    hardware, nvmm.FIRST_S = fake.Hardware(SIZE, options), 2
    camera = cameras.CsiCamera("0", gpu=True)
    hardware.show(np.full((SIZE[1] * 3 // 2, SIZE[0]), 90, np.uint8))
    camera.open().release()
    hardware.begin({})
    try:
        camera.open()
    except NoCamera as error:
        return {"error": str(error), "gpu": camera.gpu}


def leases(folder, options):
    """Frames that are held, copied where too many are, and an error half-way."""
    hardware = fake.Hardware(SIZE, dict(options, good=12, fails=2))
    capture = nvmm.NvmmCapture(cameras.CsiCamera("0").pipeline(nvmm.BY_ROWS), nvmm.EVERY)
    frames, report = [], {"right": []}
    noise = np.random.RandomState(2)
    for _ in range(12):
        picture = noise.randint(0, 256, (SIZE[1] * 3 // 2, SIZE[0])).astype(np.uint8)
        hardware.show(picture)
        good, frame = capture.read()
        frames.append(frame)
        report["right"].append(bool(good and np.array_equal(nv12_of(frame), picture)))
    report["kinds"], report["held"] = [type(frame).__name__ for frame in frames], hardware.held()
    hardware.show(picture)
    report["broken"] = capture.read()
    report["after_error"] = hardware.held()
    del frames[:5]
    report["given_back"] = hardware.held()
    capture.release()
    report["bgr"] = bool(np.array_equal(bgr_of(frames[0]), bgr_of(frames[0])))
    del frames, frame
    return dict(report, end=hardware.held())


def decoded(folder, options):
    """Frames of a recording that GStreamer decodes."""
    import av

    hardware = fake.Hardware((320, 240), options)
    nvmm.BY_ROWS = "videoconvert ! " + nvmm.BY_ROWS  # the hardware takes any format
    path, said = str(folder / "a film.mkv"), []
    if options.get("turned"):
        pyav._is_turned = lambda *_: True
    pictures, _ = tiny.film(10)
    with av.open(path, "w") as out:
        stream = out.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    with open_source(path, said.append, planes=True, decoder="nvmm") as source:
        frames = iter(source.read, None)
        kinds, errors = [], []
        for number, frame in enumerate(frames):
            kinds.append(type(frame).__name__)
            errors.append(float(np.abs(bgr_of(frame).astype(int) - pictures[number]).mean()))
            time_s = source.time_s
            del frame
    report = {"said": said, "kinds": kinds, "errors": errors, "time_s": time_s}
    return dict(report, held=hardware.held())


def bring_up(folder, options):
    """The step ``camera`` of the bring-up."""
    device = devices.open_device()
    build.match_compiler(device.driver_version)
    hardware = fake.Hardware((film.WIDTH, film.HEIGHT), options)
    network = load_network(tiny.write_network(folder, tiny.watched(**THRESHOLDS)))
    loaded = Loaded(network, open_engine(network, None, device), cpu.load())
    state = types.SimpleNamespace(need_engine=lambda: loaded)
    try:
        return {"text": steps.camera(state), "held": hardware.held()}
    except (steps.Skip, steps.StepFailed) as error:
        return {"error": type(error).__name__, "text": str(error), "held": hardware.held()}


if __name__ == "__main__":
    given = json.loads(sys.argv[3])
    try:
        nvmm._gstreamer()
    except nvmm.NoNvmm as error:
        print(json.dumps({"skip": str(error)}))
        sys.exit()
    for name in given.get("names", fake.NAMES):  # the loader finds them by name afterwards
        ctypes.CDLL(str(pathlib.Path(given["libraries"]) / name))
    print(json.dumps(globals()[sys.argv[1]](pathlib.Path(sys.argv[2]), given)))
