"""Recorded sources give every frame as it is on disk, and say in one sentence what is wrong."""

import os
import pathlib
import re
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadFrame, BadSource, NoCamera
from hotpath.runtime.frames.pictures import Picture, bgr_of
from hotpath.video.base import to_bgr
from hotpath.video.cameras import (
    CSI_BGR,
    CSI_NV12,
    SINK,
    CsiCamera,
    V4l2Camera,
    list_cameras,
)
from hotpath.video.folder import in_order, natural_key
from hotpath.video.pyav_capture import EACH_FRAME, AvCapture
from hotpath.video.raw import RawCapture
from hotpath.video.sources import open_source, reads
from tests.support import ROOT, run, tiny
from tests.support.errors import refusal
from tests.support.needs import needs_kernels
from tests.support.streams import rtsp, scene

on_each_python = pytest.mark.pythons("OpenCV and PyAV of each Python")


def frames_of(source):
    """Every frame of a recording, one after another."""
    with source:
        yield from source


def read_all(source):
    """Every frame of a recording."""
    with source:
        return list(source)


def read_until_broken(source):
    """The good frames of a recording that breaks, and the sentence that says so."""
    frames = []
    with pytest.raises(BadSource) as caught:
        for frame in frames_of(source):
            frames.append(frame)
    return frames, str(caught.value)


def write_video(path, count=30, fps=30):
    """A video of the scene by OpenCV itself."""
    tiny.write_video(path, [scene.picture_at(tick) for tick in range(count)], fps)
    return path


def write_pictures(folder, count=3, ending=".png"):
    """A folder with the first pictures of the scene."""
    folder.mkdir(parents=True, exist_ok=True)
    for tick in range(count):
        cv2.imwrite(str(folder / f"{tick + 1:04d}{ending}"), scene.picture_at(tick))
    return folder


def test_a_bgr_frame_passes_uncopied_and_grey_has_three_channels():
    frame = scene.picture_at(3)
    assert to_bgr(frame) is frame
    for grey in (frame[..., 0], frame[..., :1]):
        out = to_bgr(grey)
        assert out.dtype == np.uint8
        np.testing.assert_array_equal(out, np.repeat(frame[..., :1], 3, axis=2))


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 4, 2), (1, 4, 4, 3)])
def test_what_is_no_picture_is_refused(shape):
    for frame in (np.zeros(shape, np.uint8), np.zeros((4, 4, 3), np.float32), None):
        with pytest.raises(BadFrame):
            to_bgr(frame)


@on_each_python
def test_a_video_gives_every_frame_in_order_with_its_time(tmp_path, planes):
    source = open_source(write_video(tmp_path / "a.avi", 30, 15), planes=planes)
    assert (source.live, source.frames, source.fps) == (False, 30, 15.0)
    frames = read_all(source)
    assert [scene.tick_of(bgr_of(frame)) for frame in frames] == list(range(30))
    assert all(isinstance(frame, Picture) == planes for frame in frames)
    assert source.given == 30 and source.time_s == pytest.approx(29 / 15.0)
    assert source.dropped == 0 and source.gaps == []
    assert source.read() is None  # after close too


class WithALateStream:
    """A container in which another stream begins later: PyAV 18 may fail when it flushes that.

    What its memory held before decides whether it does.
    """

    def __init__(self, container):
        self._container = container

    def demux(self, stream):
        yield from self._container.demux(stream)
        raise IndexError("list index out of range")

    def __getattr__(self, name):
        return getattr(self._container, name)


def test_a_stream_that_begins_later_in_a_file_ends_it_as_others(tmp_path):
    av = pytest.importorskip("av")
    path = str(write_video(tmp_path / "a.avi", 30, 15))
    capture = AvCapture(av, lambda: WithALateStream(av.open(path)), EACH_FRAME)
    assert sum(capture.read()[0] for _ in range(40)) == 30 and capture.count() == 30
    assert capture.seek(20) == 20 and capture.read()[0]
    capture.release()


def test_a_video_of_a_codec_that_ffmpeg_does_not_know_is_refused(tmp_path, planes):
    data = write_video(tmp_path / "a.mkv").read_bytes()
    name = re.search(rb"V_[A-Z0-9/]+", data)[0]
    path = tmp_path / "b.mkv"
    path.write_bytes(data.replace(name, b"V_" + b"X" * (len(name) - 2)))
    with refusal(BadSource, "not a video", where="b.mkv"):
        open_source(path, planes=planes)


@on_each_python
@pytest.mark.parametrize("kind", [".avi", ".mkv"])
def test_a_truncated_video_gives_its_good_frames(tmp_path, kind, planes):
    path = write_video(tmp_path / ("a" + kind), 120)
    os.truncate(str(path), path.stat().st_size // 2)
    frames, messages = read_until_broken(open_source(path, planes=planes))
    assert 50 <= len(frames) <= 65 and f"frame {len(frames)} of 120" in messages


def test_packets_that_cant_be_decoded_are_counted(tmp_path):
    pytest.importorskip("av")
    path = write_video(tmp_path / "a.avi", 12)
    data = bytearray(path.read_bytes())
    at = data.index(b"00dc", len(data) // 2) + 8
    data[at : at + 400] = bytes(400)  # a picture's start and tables
    path.write_bytes(bytes(data))
    with open_source(path, planes=True) as source:
        assert len(read_all(source)) == 11 and (source.errors, source.skipped) == (0, 1)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "empty"),
        (b"hello\n" * 100, "is text, not a video"),
        (
            b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5000 RTP/AVP 96\n",
            "no SDP files; give the address",
        ),
        (os.urandom(1) + bytes(range(256)) * 50, "not a video"),
        (b"\0\0\0\x10ftypisom0000\0\0\xff\xffmdat" + bytes(99), "cut off before its index"),
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.bin"])
def test_a_file_that_is_no_video_is_refused_in_one_sentence(tmp_path, content, words, name, planes):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadSource) as caught:
        open_source(path, planes=planes)
    assert words in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_refused_file_leaves_standard_error_to_the_program(tmp_path, planes):
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x10ftypisom" + bytes(500))
    code = (
        "import sys; from hotpath.app.cli.progress import quiet; quiet()\n"
        "from hotpath.video.sources import open_source\n"
        f"try: open_source(sys.argv[1], planes={planes})\n"
        "except Exception as error: print(error)\n"
    )
    done = run([sys.executable, "-c", code, tmp_path / "a.mp4"], cwd=str(ROOT))
    assert done.stdout.count("\n") == 1 and done.stderr == ""


@pytest.mark.parametrize(
    "spec, what",
    [
        ("/nowhere/a.mp4", "not found"),
        ("", "no video"),
        ("ftp://host/a.mp4", "unknown scheme"),
        (os.path.dirname(scene.__file__), "no pictures"),
    ],
)
def test_a_source_that_is_not_there_is_named(spec, what):
    with refusal(BadSource, what):
        open_source(spec)


@on_each_python
def test_frames_are_taken_in_natural_order(tmp_path):
    for tick in (1, 2, 9, 10, 100):
        cv2.imwrite(str(tmp_path / f"frame{tick}.png"), scene.picture_at(tick))
    (tmp_path / "notes.txt").write_text("not a picture")
    source = open_source(str(tmp_path))
    assert source.frames == 5 and source.first_box is None
    assert [scene.tick_of(frame) for frame in read_all(source)] == [1, 2, 9, 10, 100]


@pytest.mark.parametrize("pattern", ["img%04d.png", "*.png", "img000[0-9].png", None])
def test_pictures_may_be_named_by_a_pattern_or_one_by_one(tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(str(tmp_path))
    for number in range(4):
        cv2.imwrite(f"img{number:04d}.png", np.full((8, 8, 3), number, np.uint8))
    pathlib.Path("groundtruth.txt").write_text("1,2,3,4\n" * 4)
    spec = pattern or [f"img{number:04d}.png" for number in range(4)]
    assert len(reads(spec)) == 4
    with open_source(spec) as source:
        assert source.frames == 4 and source.first_box == (1, 2, 3, 4)
        assert [source.read()[0, 0, 0] for _ in range(4)] == [0, 1, 2, 3]
    with open_source("img000[13].png") as source:  # no frame has its line of the annotation
        assert not source.annotated and source.read()[0, 0, 0] == 1
    assert source.file_of(1) == "img0003.png"
    with refusal(BadSource, "mixed"):
        open_source(["img0001.png", "b.mp4"])
    with refusal(BadSource, "missing picture"):
        open_source(["img0001.png", "img0009.png"])


def test_any_two_names_have_an_order():
    names = ["1", "a", "a1", "a01", "a1b", "1a", "", "A2", "a\u00b2", "10", "9"]
    ordered = sorted(names, key=natural_key)
    assert ordered.index("9") < ordered.index("10")
    assert ordered.index("a1") < ordered.index("A2")


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_truncated_picture_is_skipped_unless_it_is_the_first_one(tmp_path, ending):
    folder = write_pictures(tmp_path / "a", 4, ending)
    bad = folder / ("0003" + ending)
    bad.write_bytes(bad.read_bytes()[: bad.stat().st_size // 2])
    with open_source(str(folder)) as source:
        assert [source.given for _ in frames_of(source)] == [1, 2, 4] and source.skipped == 1
        assert source.seek(0) and len(read_all(source)) == 3 and source.skipped == 1
    bad.replace(folder / ("0000" + ending))
    with open_source(str(folder)) as source, refusal(BadSource, "cut off"):
        source.read()


@pytest.mark.skipif(os.path.exists("/dev/video63"), reason="there is a /dev/video63 here")
def test_cameras_are_listed_by_name_without_metadata_nodes(tmp_path):
    (tmp_path / "dev").mkdir()
    names = {0: ("HD Webcam", 0), 1: ("HD Webcam", 1), 10: ("Grabber", 0), 2: None}
    for number, name in names.items():
        (tmp_path / f"dev/video{number}").write_text("")
        folder = tmp_path / f"sys/class/video4linux/video{number}"
        folder.mkdir(parents=True)
        for file, text in zip(("name", "index"), name or ()):
            (folder / file).write_text(f"{text}\n")
    assert list_cameras(str(tmp_path)) == [(0, "HD Webcam"), (2, "/dev/video2"), (10, "Grabber")]
    assert list_cameras(str(tmp_path / "none")) == []
    with refusal(NoCamera, "no camera"):
        V4l2Camera("/dev/video63", root=str(tmp_path)).open()
    for spec in ("cam63", "/dev/video63"):
        with refusal(NoCamera, "no camera"):
            open_source(spec)


def test_a_csi_camera_without_gstreamer_says_what_is_missing():
    if "GStreamer:                   YES" in cv2.getBuildInformation():
        pytest.skip("this OpenCV has GStreamer")
    with refusal(NoCamera, "no GStreamer"):
        open_source("csi0")


def buffer_of(pipeline):
    """(caps, bytes) of the first buffer that GStreamer gives at the end of a CSI pipeline."""
    if rtsp.missing():
        pytest.skip(rtsp.missing())
    # stand-ins for the three things that only a Jetson has
    pipeline = pipeline.replace("nvarguscamerasrc sensor-id=0", "videotestsrc is-live=1")
    pipeline = pipeline.replace("nvvidconv flip-method=3", "videoflip video-direction=90r")
    pipeline = pipeline.replace("(memory:NVMM)", "").replace("nvvidconv", "videoconvert")
    # a small picture, whose colours GStreamer takes for BT.601 as RawCapture does
    pipeline = pipeline.replace("width=1280,height=720", "width=640,height=480")
    code = (
        "import sys, gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst\n"
        "Gst.init(None); p = Gst.parse_launch(sys.argv[1]); p.set_state(Gst.State.PLAYING)\n"
        "sample = p.get_by_name('sink').emit('try-pull-sample', 10 * Gst.SECOND)\n"
        "buffer = sample.get_buffer()\n"
        "print(sample.get_caps().to_string(), flush=True)\n"
        "sys.stdout.buffer.write(buffer.extract_dup(0, buffer.get_size()))\n"
        "p.set_state(Gst.State.NULL)\n"
    )
    command = [rtsp.SYSTEM_PYTHON, "-c", code, pipeline + SINK + " name=sink"]
    caps, _, data = subprocess.check_output(command).partition(b"\n")
    return caps.decode("utf-8"), np.frombuffer(data, np.uint8)


def test_the_csi_pipelines_are_some_that_gstreamer_can_run():
    caps, data = buffer_of(CsiCamera("0").pipeline(CSI_BGR))
    assert re.search(r"format=\(string\)BGR(,|$)", caps) and "width=(int)640" in caps
    bars = data.reshape(480, 640, 3)

    caps, data = buffer_of(CsiCamera("0").pipeline(CSI_NV12))
    assert re.search(r"format=\(string\)NV12(,|$)", caps)
    capture = SimpleNamespace(read=lambda buffer=None: (True, data.reshape(720, 640)))
    good, frame = RawCapture(capture, "NV12", (640, 480)).read()
    # snow at the bottom changes with every run; edges of the bars have half the resolution
    assert good and np.median(cv2.absdiff(bgr_of(frame), bars)[:300]) <= 2


def test_the_mode_of_a_csi_camera_reaches_the_pipeline():
    camera = CsiCamera("0@640x480:60/rotate90")
    assert camera.size == (480, 640)
    assert "sensor-id=0 ! " in camera.pipeline(CSI_NV12)
    caps, data = buffer_of(camera.pipeline(CSI_NV12))
    assert "width=(int)480, height=(int)640" in caps and "framerate=(fraction)60/1" in caps
    luma = data[: 640 * 480].reshape(640, 480)[:, 240:400]  # upper half of the bars: no snow
    assert luma[:60].mean() > luma[-60:].mean() + 50  # white is left of the bars, clockwise above
    assert CsiCamera("1").pipeline(CSI_NV12).count("1280,height=720,framerate=30/1") == 1
    for mode in ("csi0@1920", "csi0/turned", "csi0@0x480", "csi0@640x480:"):
        with pytest.raises(NoCamera, match=mode + ": .*csi0, .*rotate90, rotate180"):
            open_source(mode)


@pytest.mark.parametrize("kind", ["a.avi", "frames"])
def test_seeking_gives_the_frame_that_reading_gives(tmp_path, kind, planes):
    path = tmp_path / kind
    (write_pictures if kind == "frames" else write_video)(path, 30)
    frames = [bgr_of(frame) for frame in read_all(open_source(path, planes=planes))]
    with open_source(path, planes=planes) as source:
        for index in (7, 3, 29, 0, 12):
            assert source.seek(index)
            np.testing.assert_array_equal(bgr_of(source.read()), frames[index])
            assert source.given == index + 1
        assert source.seek(999)  # beyond the end: the last frame
        np.testing.assert_array_equal(bgr_of(source.read()), frames[-1])
        assert source.read() is None


@pytest.mark.parametrize(
    "pixels, size", [("yuv420p", (65, 49)), ("yuv422p", (63, 48)), ("yuv444p", (61, 47))]
)
@pytest.mark.parametrize("matrix, full", [(1, False), (6, False), (1, True), (6, True)])
def test_planes_have_the_matrix_and_the_range_of_the_stream(tmp_path, pixels, size, matrix, full):
    av = pytest.importorskip("av")
    needs_kernels()
    path = str(tmp_path / "a.mkv")
    colour = np.array([200, 90, 40], np.uint8)
    with av.open(path, "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], pixels
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full else 1
        picture = np.full((size[1], size[0], 3), colour)
        planes = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(
            format=pixels,
            dst_colorspace={1: "ITU709", 6: "ITU601"}[matrix],
            dst_color_range=2 if full else 1,
        )
        out.mux(stream.encode(planes) + stream.encode())
    with open_source(path, planes=True) as source:
        frame = source.read()
    assert (frame.planes.matrix, frame.planes.full_range) == ({1: "709", 6: "601"}[matrix], full)
    # FFmpeg 6 makes a wrong last column of chroma where the width is odd
    assert np.abs(bgr_of(frame)[:, :-1].astype(int) - colour).max() <= 3


@pytest.mark.parametrize("tool", ["h264", "avi"])
def test_a_video_without_a_frame_rate_is_not_given_one(tmp_path, tool, planes):
    if tool == "h264":
        films = pytest.importorskip("tests.support.streams.films")
        # no timing in the stream's own headers either
        bare = {"x264-params": "force-cfr=0:vui-timing=0"}
        path = films.write(tmp_path / "a.h264", films.even(10), options=bare)
    else:
        path = write_video(tmp_path / "a.avi", 10)
        data = bytearray(path.read_bytes())
        stream = data.find(b"vids")
        data[stream + 20 : stream + 28] = bytes(8)  # the stream's rate, and
        data[32:36] = bytes(4)  # the file's
        path.write_bytes(bytes(data))
    with open_source(path, planes=planes) as source:
        assert source.fps is None
        source.read()
        assert source.time_s is None
    with open_source(path, fps=50) as source:
        frames = [source.read() for _ in range(3)]
        assert len(frames) == 3 and source.time_s == pytest.approx(0.04)


def test_a_search_in_a_removed_file_finds_nothing(tmp_path):
    """FFmpeg would read from a file that was closed, and end the process."""
    pytest.importorskip("av")
    path = write_video(tmp_path / "gone.mp4")
    with open_source(str(path)) as source:
        assert source.read() is not None
        os.remove(str(path))
        assert not source.seek(20)


NAMES = {  # in the order of the times
    "tenths": ["9.png", "9.1.png", "9.9.png", "10.png", "10.1.png"],
    "seconds": ["99.96.jpg", "100.0.jpg", "100.04.jpg", "100.2.jpg", "100.24.jpg", "100.3.jpg"],
    "padded": ["7.050.tif", "7.100.tif", "7.900.tif", "8.000.tif"],
    "nanoseconds": ["5.9658000.png", "5.42991333.png", "5.976324666.png", "6.9657999.png"],
    "versions": ["a1.8.png", "a1.9.png", "a1.10.png", "a1.11.png"],
}


@pytest.mark.parametrize("kind", sorted(NAMES))
def test_pictures_come_in_the_order_of_the_times_in_their_names(kind):
    assert in_order(reversed(NAMES[kind])) == NAMES[kind]


def test_a_dim_film_without_compression_is_no_text(tmp_path):
    path = tmp_path / "a.y4m"
    frames = b"".join(b"FRAME\n" + bytes([40 + n]) * (64 * 48 * 3 // 2) for n in range(4))
    path.write_bytes(b"YUV4MPEG2 W64 H48 F25:1 C420jpeg\n" + frames)
    pytest.importorskip("av")
    with open_source(str(path)) as source:
        assert source.count() == 4
