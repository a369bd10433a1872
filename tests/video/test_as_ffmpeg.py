"""Recordings of real cameras, phones and editors are read as ffmpeg reads them."""

import contextlib
import os
import struct
import subprocess
import sys
import threading
from fractions import Fraction

import cv2
import numpy as np
import pytest

from hotpath.app.track_command import main
from hotpath.runtime.errors import BadSource
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video import pyav
from hotpath.video.containers import is_cut_off
from hotpath.video.save import Video
from hotpath.video.sources import open_source
from tests.support import ROOT, run
from tests.support.errors import refusal
from tests.support.needs import needs_program
from tests.support.streams import scene
from tests.video.test_sources import read_all

av = pytest.importorskip("av")
from tests.support.streams.films import even, write  # noqa: E402

pytestmark = pytest.mark.pythons("PyAV and OpenCV of each Python")
MATRICES = {  # a, b, c, d of the display matrix -> the frame as it is shown
    "hflip": ((-1, 0, 0, 1), lambda f: f[:, ::-1]),
    "vflip": ((1, 0, 0, -1), lambda f: f[::-1]),
    "rot90": ((0, 1, -1, 0), lambda f: np.rot90(f, -1)),
    "rot180": ((-1, 0, 0, -1), lambda f: f[::-1, ::-1]),
    "rot270": ((0, -1, 1, 0), np.rot90),
    "transpose": ((0, 1, 1, 0), lambda f: f.transpose(1, 0, 2)),
    "antitranspose": ((0, -1, -1, 0), lambda f: f[::-1, ::-1].transpose(1, 0, 2)),
}
FAST = {"movflags": "+faststart"}


def turned(path, matrix):
    """Put a display matrix into the only track of an MP4 file."""
    data = bytearray(open(path, "rb").read())
    at = data.find(b"tkhd") + 4 + 4 + 20 + 8 + 8
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", data, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    with open(path, "wb") as file:
        file.write(data)
    return path


def pictures(source):
    """(picture, time) of all frames of a source, which is closed."""
    with source:
        return [(bgr_of(frame).copy(), source.time_s) for frame in source]


@pytest.mark.parametrize("matrix", [None, "rot90"])
@pytest.mark.parametrize("planes", [False, True])
def test_interlaced_pictures_are_not_black(tmp_path, planes, matrix):
    how = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    path = write(tmp_path / "a.mp4", even(6), options=how)
    if matrix:
        turned(path, MATRICES[matrix][0])
    found = pictures(open_source(path, planes=planes))
    upright = MATRICES[matrix][1] if matrix else np.asarray
    for tick, (picture, _) in enumerate(found):
        expected = upright(scene.picture_at(tick)).astype(int)
        assert np.abs(picture - expected).mean() < 8
    assert len(found) == 6


def test_without_pyav_a_video_that_opencv_misreads_is_refused(tmp_path, monkeypatch):
    how = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    path = write(tmp_path / "a.mp4", even(6), options=how)
    picture = cv2.VideoCapture(path).read()[1]
    if np.abs(picture.astype(int) - scene.picture_at(0)).mean() < 8:
        pytest.skip("this OpenCV reads interlaced videos")
    monkeypatch.setattr(pyav, "pyav", lambda: None)
    with pytest.raises(BadSource, match="interlaced"):
        open_source(path)


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("name", MATRICES)
def test_frames_are_turned_and_mirrored_as_the_matrix_says(tmp_path, name, planes):
    matrix, upright = MATRICES[name]
    path = write(tmp_path / "a.mp4", even(2))
    plain = pictures(open_source(path, planes=planes))
    found = pictures(open_source(turned(path, matrix), planes=planes))
    for (picture, _), (expected, _) in zip(found, plain):
        assert np.abs(picture.astype(int) - upright(expected)).mean() < 1
    assert len(found) == 2


@pytest.mark.parametrize("pix_fmt", ["yuv422p", "yuv444p", "yuv420p10le"])
def test_turned_frames_of_other_formats_are_right_too(tmp_path, pix_fmt):
    path = write(tmp_path / "a.mp4", even(2), pix_fmt=pix_fmt)
    plain = pictures(open_source(path, planes=True))
    found = pictures(open_source(turned(path, (0, 1, 1, 0)), planes=True))
    for (picture, _), (expected, _) in zip(found, plain):
        assert np.abs(picture.astype(int) - expected.transpose(1, 0, 2)).mean() < 2


def screen_recording(count=80):
    """Times of a recording that has a frame when something changes: up to 120 a second."""
    gaps = np.random.RandomState(7).choice([0.0083, 0.0167, 0.021, 0.05, 0.11, 0.4], count)
    return list(np.round(np.cumsum(gaps) * 90000) / 90000 - gaps[0])


@pytest.mark.parametrize(
    "kind, matrix, without",
    [(".mp4", matrix, without) for matrix in (None, "rot180") for without in ("", "pyav")]
    + [(".ts", None, "")],
)
def test_a_time_is_that_of_its_frame_at_a_variable_rate(
    tmp_path, monkeypatch, kind, matrix, without
):
    if without:
        monkeypatch.setattr(pyav, "pyav", lambda: None)
    times_s = screen_recording()
    path = write(tmp_path / ("a" + kind), times_s)
    if matrix:
        turned(path, MATRICES[matrix][0])
    upright = MATRICES[matrix][1] if matrix else np.asarray
    with open_source(path, planes=True) as source:
        for time_s in (5.0, 1.0, times_s[40], times_s[79]):
            assert source.seek_time(time_s)
            right = int(np.searchsorted(times_s, time_s - 1e-6))
            tick = scene.tick_of(upright(bgr_of(source.read())).copy())
            assert (source.given - 1, tick) == (right, right)
            assert source.time_s == pytest.approx(times_s[right], abs=1e-3)
        for number in (70, 3, 71):
            assert source.seek(number)
            assert scene.tick_of(upright(bgr_of(source.read())).copy()) == number


def test_start_begins_at_the_frame_of_that_time(tmp_path, capsys):
    times_s = [n / 30 if n < 60 else 2 + (n - 60) / 15 for n in range(120)]  # dark from 2 s on
    path = turned(write(tmp_path / "a.mp4", times_s), MATRICES["rot180"][0])
    out = tmp_path / "a.csv"
    given = ["--box", "20,20,40,40", "--frames", "1", "--no-show", "--results", str(out)]
    assert main(["--video", path, "--start", "4", *given]) == 0
    assert out.read_text().splitlines()[1].split(",")[:2] == ["90", "4.0"]


@pytest.mark.parametrize("kind", [".mp4", ".mkv"])
def test_a_cover_as_the_first_stream_is_not_the_video(tmp_path, kind):
    video = write(tmp_path / "video.mp4", even(20))
    path = str(tmp_path / ("a" + kind))
    with av.open(video) as source, av.open(path, "w") as container:
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        taken = source.streams.video[0]
        is_new = hasattr(container, "add_stream_from_template")  # PyAV 14
        copy = (
            container.add_stream_from_template(taken)
            if is_new
            else container.add_stream(template=taken)
        )
        picture = np.full((240, 320, 3), 200, np.uint8)
        for packet in cover.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
            container.mux(packet)
        for packet in cover.encode():
            container.mux(packet)
        for packet in source.demux(taken):
            if packet.size:
                packet.stream = copy
                container.mux(packet)
    found = pictures(open_source(path, planes=True))
    assert [scene.tick_of(picture) for picture, _ in found] == list(range(20))


def test_frames_that_an_edit_list_hides_are_not_missed(tmp_path):
    def earlier(packet):
        packet.pts, packet.dts = packet.pts - 150000, packet.dts - 150000  # 50 frames
        return packet

    path = write(tmp_path / "a.mp4", even(120), options={"g": "300"}, changed=earlier)
    source = open_source(path, planes=True)
    assert source.frames == 70
    assert source.seek(0) and scene.tick_of(bgr_of(source.read())) == 50
    assert source.seek(30) and scene.tick_of(bgr_of(source.read())) == 80
    source.seek(0)
    assert [scene.tick_of(picture) for picture, _ in pictures(source)] == list(range(50, 120))


def test_a_saved_video_keeps_the_aspect_of_its_pixels(tmp_path):
    path = write(tmp_path / "a.mp4", even(3), sample_aspect_ratio=Fraction(2, 1))
    out = tmp_path / "out.mp4"
    given = ["--box", "20,20,40,40", "--no-show", "--results", str(tmp_path / "a.csv")]
    assert main(["--video", path, "--save", str(out), *given]) == 0
    assert open_source(out).aspect == 2.0
    turned(path, MATRICES["rot90"][0])
    with open_source(path) as source:
        assert source.aspect == 0.5
        with Video(out, 30, aspect=source.aspect) as video:
            video.write(source.read())
    assert open_source(out).aspect == 0.5


def test_a_cut_fragmented_file_is_searched_as_far_as_it_goes(tmp_path):
    form = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    path = write(tmp_path / "a.mp4", even(120), form=form)
    data = open(path, "rb").read()
    with open(path, "wb") as file:
        file.write(data[: len(data) * 3 // 4])
    with open_source(path, planes=True) as source:
        assert source.seek_time(2.0)
        assert scene.tick_of(bgr_of(source.read())) == 60 == source.given - 1
        count = 61
        with refusal(BadSource, "broke off"):
            while source.read() is not None:
                count += 1
    assert 80 < count < 100


def test_a_file_address_may_have_a_blank(tmp_path):
    path = write(tmp_path / "a b.mp4", even(2))
    address = "file://" + path.replace(" ", "%20")
    assert len(pictures(open_source(address))) == 2
    assert len(pictures(open_source(address.replace("file://", "file://localhost")))) == 2


def test_a_high_speed_camera_states_its_rate(tmp_path):
    path = write(tmp_path / "a.mp4", even(6, 1200.0))
    with open_source(path) as source:
        assert source.fps == pytest.approx(1200)
        source.read()
        source.read()
        assert source.time_s == pytest.approx(1 / 1200, abs=1e-4)


@pytest.mark.parametrize("spec", ["-", "pipe"])
def test_a_pipe_is_a_source(tmp_path, spec):
    path = write(tmp_path / "a.ts", even(10))
    given = ["--box", "20,20,40,40", "--no-show", "--quiet", "--results", "-"]
    command = [sys.executable, "-m", "hotpath", "track", "--video"]
    if spec == "pipe":
        spec = str(tmp_path / "pipe")
        subprocess.run(["mkfifo", spec], check=True)
        data = open(path, "rb").read()
        threading.Thread(target=lambda: open(spec, "wb").write(data), daemon=True).start()
    with open(path, "rb") as stdin:
        found = subprocess.run(command + [spec] + given, stdin=stdin, stdout=subprocess.PIPE)
    assert found.returncode == 0 and found.stdout.count(b"\n") == 11
    assert main(["--video", spec, "--start", "1"] + given) == 2 if spec == "-" else True


def fed(pipe, path):
    """A named pipe to which a thread writes a file; returns its path."""
    os.mkfifo(str(pipe))

    def feed():
        with contextlib.suppress(BrokenPipeError), open(str(pipe), "wb") as file:
            file.write(open(path, "rb").read())

    threading.Thread(target=feed, daemon=True).start()
    return str(pipe)


@pytest.mark.parametrize("kind", ["mp4", "mov", "3gp"])
def test_an_index_at_the_end_of_what_a_pipe_gives_is_named(tmp_path, kind):
    noise = {"crf": "0", "preset": "ultrafast"}  # more bytes than FFmpeg keeps of a pipe
    paths = [write(tmp_path / f"{n}.{kind}", even(40), options=noise) for n in "ab"]
    with av.open(paths[0]) as old, av.open(paths[1], "w", options=FAST) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    with refusal(BadSource, "index at the end", command="faststart"):
        open_source(fed(tmp_path / "first", paths[0]))
    assert len(read_all(open_source(fed(tmp_path / "second", paths[1])))) == 40


@pytest.mark.parametrize(
    "size, rate, frames",
    [("720x576", "25", 9), ("720x480", "30000/1001", 60), ("720x576", "25", 1)],
)
def test_raw_dv_with_counted_ticks_ends_where_it_ends(tmp_path, size, rate, frames):
    needs_program("ffmpeg")
    path = str(tmp_path / "tape.dv")
    made = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}", "-frames:v", str(frames)]
    form = ["-pix_fmt", "yuv411p" if size.endswith("480") else "yuv420p", "-c:v", "dvvideo"]
    subprocess.run(["ffmpeg", "-v", "error", *made, *form, "-f", "dv", path], check=True)
    with open_source(path) as source:
        assert source.frames == frames
    assert len(read_all(open_source(path))) == frames
    assert is_cut_off(path) is False  # where OpenCV reads it, which counts ticks
    os.truncate(path, os.path.getsize(path) - 1000)
    assert is_cut_off(path) is True


def test_no_good_frame_before_a_cut_is_lost(tmp_path):
    path = write(tmp_path / "a.mp4", even(75), form={"movflags": "+faststart"})
    data = open(path, "rb").read()
    with open(path, "wb") as file:
        file.write(data[: len(data) * 7 // 10])
    right = 0
    with av.open(path) as container:
        container.streams.video[0].thread_type = "SLICE"
        for packet in container.demux(video=0):
            with contextlib.suppress(av.FFmpegError):  # the one that is cut
                right += len(packet.decode())
    source = open_source(path, planes=True)
    found = []
    with refusal(BadSource, "broke off"), source:
        while True:
            found.append(scene.tick_of(bgr_of(source.read())))
    assert 40 < len(found) == right < 60


def test_frames_that_an_edit_list_hides_at_the_end_are_no_frames(tmp_path):
    path = write(tmp_path / "a.mp4", even(60), options={"g": "300"})
    data = bytearray(open(path, "rb").read())
    (ticks,) = struct.unpack_from(">I", data, data.find(b"mvhd") + 16)  # of a second
    struct.pack_into(">I", data, data.find(b"elst") + 12, ticks)
    with open(path, "wb") as file:
        file.write(data)
    with open_source(path, planes=True) as source:
        assert source.seek(99) and scene.tick_of(bgr_of(source.read())) == source.given - 1
        last = source.given
        assert source.read() is None and 28 < last < 35
        source.seek(0)
        assert [scene.tick_of(picture) for picture, _ in pictures(source)] == list(range(last))


SEEKS = """
import logging, sys
import av
from hotpath.video.sources import open_source

logging.disable(logging.CRITICAL)
for _ in range(20):
    with open_source(sys.argv[1]) as source:
        av.logging.set_level(av.logging.ERROR)
        source.read()
        source.seek(0)
        source.read()
"""


def test_a_seek_ends_while_the_decoders_threads_log(tmp_path):
    """Of a damaged film, whose errors the decoder's threads log through the interpreter."""
    path = write(tmp_path / "a.mp4", even(90))
    data = bytearray(open(path, "rb").read())
    first, last = data.find(b"mdat") + 3000, len(data) - 3000
    for place in np.random.default_rng(1).integers(first, last, 60):
        data[place] ^= 0x55
    with open(path, "wb") as file:
        file.write(data)
    run([sys.executable, "-c", SEEKS, str(path)], cwd=str(ROOT), check=True, timeout=100)
