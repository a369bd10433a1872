"""A saved video plays to its last second, also after a kill or on a full disk."""

import contextlib
import os
import signal
import sys
import threading
import time
import weakref

import cv2
import numpy as np
import pytest

from hotpath.kernels.planes import Planes
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.video.containers import mp4_boxes
from hotpath.video.encoder import drawn_canvas, load_pyav
from hotpath.video.save import WAITING_FRAMES, BackgroundVideo, Video
from hotpath.video.sources import open_source
from tests.support import ROOT, run
from tests.support.disks import small_disk
from tests.support.errors import refusal
from tests.support.streams import scene
from tests.video.test_sources import read_all, read_until_broken

pytest.importorskip("av")
on_each_python = pytest.mark.pythons("PyAV of each Python")


def ticks(path):
    """The ticks of a video's frames."""
    return [scene.tick_of(frame) for frame in read_all(open_source(str(path)))]


def save(path, ticks, fps=30):
    """Save a video of the scene at these ticks."""
    with Video(str(path), fps) as video:
        for tick in ticks:
            video.write(scene.picture_at(tick))
        assert video.frames == len(ticks)


def times_s(path):
    """The time stamps of a video's frames as OpenCV sees them."""
    capture = cv2.VideoCapture(str(path))
    times = []
    while capture.read()[0]:
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0)
    return times


def test_a_saved_video_has_every_frame_at_its_rate(tmp_path):
    path = tmp_path / "a.mp4"
    save(path, range(40), 25)
    assert ticks(path) == list(range(40))
    with open_source(str(path)) as source:
        assert source.fps == pytest.approx(25, abs=0.1)
        assert source.read().shape == (scene.HEIGHT, scene.WIDTH, 3)
    assert times_s(path)[-1] == pytest.approx(39 / 25.0, abs=0.05)


def test_files_and_links_beside_the_video_that_are_not_ours_stay(tmp_path):
    path, strangers = tmp_path / "a.mp4", tmp_path / "stranger"
    strangers.write_bytes(b"precious")
    (tmp_path / "a.mp4.part").write_bytes(b"precious too")
    (tmp_path / "a.mp4.part-2").symlink_to(strangers)
    (tmp_path / "a.mp4.part-3").symlink_to(tmp_path / "nowhere")
    save(path, range(5))
    assert ticks(path) == list(range(5))
    assert strangers.read_bytes() == b"precious" and not (tmp_path / "nowhere").exists()
    assert (tmp_path / "a.mp4.part").read_bytes() == b"precious too"
    names = ["a.mp4", "a.mp4.part", "a.mp4.part-2", "a.mp4.part-3"]
    assert sorted(os.listdir(str(tmp_path)))[:4] == names


def killed_while_saving(path, frames, clocked=False):
    """A program that is killed after it has given so many frames to a video."""
    code = (
        "import os, signal, sys; from hotpath.video.save import Video\n"
        "from tests.support.streams import scene\n"
        "video = Video(sys.argv[1], 30)\n"
        f"for tick in range({frames}):\n"
        f"    video.write(scene.picture_at(tick), tick / 30.0 if {clocked} else None)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run([sys.executable, "-c", code, path], cwd=str(ROOT)).returncode == -signal.SIGKILL


@on_each_python
@pytest.mark.parametrize("clocked", [False, True])
def test_a_killed_program_leaves_a_playable_video(tmp_path, clocked):
    killed_while_saving(tmp_path / "a.mp4", 150, clocked)
    seen = ticks(tmp_path / "a.mp4")
    assert seen == list(range(len(seen)))
    assert len(seen) > 120, "more than the last second is lost"


@pytest.mark.parametrize("older", [None, b"the older film"])
def test_a_program_killed_within_its_first_frames_leaves_a_part_and_the_older_film(tmp_path, older):
    path = tmp_path / "a.mp4"
    if older:
        path.write_bytes(older)
    killed_while_saving(path, 1)
    assert (tmp_path / "a.mp4.part").exists()
    assert (path.read_bytes() if path.exists() else None) == older


def test_live_frames_keep_their_own_times(tmp_path):
    path = tmp_path / "a.mp4"
    times = [0.0, 0.04, 0.5, 0.51, 2.0, 1.9, 2.1]
    with Video(str(path), 30) as video:
        for tick, time_s in enumerate(times):
            video.write(scene.picture_at(tick), time_s)
    assert ticks(path) == list(range(7))
    seen = times_s(path)
    for index in (0, 1, 2, 3, 4, 6):
        assert seen[index] == pytest.approx(times[index], abs=0.02)
    assert seen == sorted(seen)


@pytest.mark.parametrize("size", [(176, 144), (175, 143), (1, 1), (64, 3)])
def test_any_size_can_be_saved(tmp_path, size):
    path = tmp_path / "a.mp4"
    width, height = size
    frame = np.full((height, width, 3), 200, np.uint8)
    with Video(str(path), 30) as video:
        for _ in range(3):
            video.write(frame)
    frames = read_all(open_source(str(path)))
    assert len(frames) == 3
    assert frames[0].shape[0] - height in (0, 1) and frames[0].shape[1] - width in (0, 1)
    assert abs(int(frames[0][0, 0, 0]) - 200) < 8


def test_frames_of_another_size_are_fitted_into_the_first(tmp_path):
    path = tmp_path / "a.mp4"
    with Video(str(path), 30) as video:
        video.write(np.full((100, 200, 3), 255, np.uint8))
        video.write(np.full((100, 100, 3), 255, np.uint8))
        video.write(np.full((400, 800, 3), 255, np.uint8))
        video.write(np.full((100, 200), 255, np.uint8))  # grey
    frames = read_all(open_source(str(path)))
    assert [frame.shape for frame in frames] == [(100, 200, 3)] * 4
    assert frames[1][50, 20].max() < 40 and frames[1][50, 100].min() > 215
    assert frames[2].min() > 215 and frames[3].min() > 215


@pytest.mark.parametrize("kilobytes", [4, 100, 120, 300, 700])
def test_a_full_disk_is_one_sentence_and_what_was_written_plays(tmp_path, kilobytes):
    noise = np.random.RandomState(0).randint(0, 256, (240, 320, 3)).astype(np.uint8)
    with small_disk(tmp_path / "disk", kilobytes) as disk:
        path = disk / "a.mp4"
        with pytest.raises(BadOutput) as caught:
            with Video(str(path), 30) as video:
                for _ in range(500):
                    video.write(noise)
        with refusal(BadOutput, "not written"):
            video.write(noise)
        video.close()
        assert "the disk is full" in str(caught.value) and "\n" not in str(caught.value)
        sizes = []  # where no frame was written, there is no file
        if path.exists():
            sizes = [(kind, end) for kind, _, end in mp4_boxes(str(path))]
        assert not sizes or sizes[-1][1] == os.path.getsize(str(path))
        plays = "what was written before plays" in str(caught.value)
        assert plays or "no frame" in str(caught.value)
        assert plays == (b"mdat" in dict(sizes))
        if plays:
            assert sizes[-1][0] == b"mdat"
            assert 1 <= len(read_all(open_source(str(path)))) <= video.frames
    assert plays or kilobytes < 150


@pytest.mark.parametrize("part", [0.3, 0.55, 0.9, 0.97])
def test_a_saved_video_cut_in_a_fragment_gives_its_good_frames(tmp_path, part):
    path = tmp_path / "a.mp4"
    save(path, range(60))
    # in the middle of one fragment's pictures
    pictures = [(start, end) for kind, start, end in mp4_boxes(str(path)) if kind == b"mdat"]
    start, end = pictures[int(part * len(pictures))]
    os.truncate(str(path), (start + end) // 2)
    frames, messages = read_until_broken(open_source(str(path)))
    assert f"broke at frame {len(frames)};" in messages
    assert 10 < len(frames) < 60
    seen = [scene.tick_of(frame) for frame in frames[: len(frames) - 8]]
    assert seen == list(range(len(seen)))
    os.truncate(str(path), start)  # the index of a fragment without its pictures
    assert "broke at frame" in read_until_broken(open_source(str(path)))[1]


@pytest.mark.parametrize(
    "name, what",
    [
        ("a.mkv", "unknown ending"),
        ("a", "unknown ending"),
        ("no/a.mp4", "no folder"),
        ("pipe.mp4", "is a pipe"),
    ],
)
def test_a_video_that_cant_be_written_is_refused_at_once(tmp_path, name, what):
    os.mkfifo(str(tmp_path / "pipe.mp4"))
    with refusal(BadOutput, what):
        Video(str(tmp_path / name), 30)
    assert os.listdir(str(tmp_path)) == ["pipe.mp4"]


def test_without_pyav_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with refusal(BadOutput, "missing package"):
        Video(str(tmp_path / "a.mp4"), 30)
    assert os.listdir(str(tmp_path)) == []


def test_pyav_that_does_not_load_says_why_on_an_old_python_too(tmp_path, monkeypatch):
    (tmp_path / "av.py").write_text("raise ImportError('GLIBC_2.34 not found')\n")
    monkeypatch.delitem(sys.modules, "av", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    for version in ((3, 6), (3, 8)):
        monkeypatch.setattr(sys, "version_info", version)
        with refusal(BadOutput, "missing package"):
            load_pyav("a.mp4")


def test_an_old_video_outlives_an_encoder_that_fails(tmp_path):
    path = tmp_path / "old.mp4"
    save(path, [0])
    old = path.read_bytes()
    too_wide = np.zeros((2, 70000, 3), np.uint8)  # H.264 can't have it
    with pytest.raises(BadOutput):
        with Video(str(path), 25) as video:
            video.write(too_wide)
    assert path.read_bytes() == old
    assert os.listdir(str(tmp_path)) == ["old.mp4"]


def test_an_old_video_stays_until_a_new_frame_is_on_the_disk(tmp_path):
    path = tmp_path / "old.mp4"
    path.write_bytes(b"the old one")
    with Video(str(path), 25) as video:
        for tick in range(40):
            video.write(scene.picture_at(tick))
            if path.read_bytes() == b"the old one":
                assert not video.kept
            else:
                copy = tmp_path / "copy.mp4"  # as after a kill at this moment
                copy.write_bytes(path.read_bytes())
                assert ticks(copy)[:1] == [0]
        assert video.kept
    assert ticks(path) == list(range(40))


def test_an_old_video_stays_on_a_disk_full_after_the_header(tmp_path):
    noise = np.random.RandomState(0).randint(0, 256, (240, 320, 3)).astype(np.uint8)
    with small_disk(tmp_path / "disk", 64) as disk:
        path = disk / "a.mp4"
        path.write_bytes(b"the old one")
        (disk / "fill").write_bytes(bytes(48 << 10))
        with refusal(BadOutput, "not written"):
            with Video(str(path), 30) as video:
                for _ in range(30):
                    video.write(noise)
        assert path.read_bytes() == b"the old one"


@on_each_python
@pytest.mark.parametrize("frames", [0, 3])
def test_two_runs_cannot_save_the_same_video(tmp_path, frames):
    path = tmp_path / "a.mp4"
    with Video(str(path), 25) as video:
        for tick in range(frames):
            video.write(scene.picture_at(tick))
        with refusal(BadOutput, "another run"):
            Video(str(path), 25)
        video.write(scene.picture_at(frames))
    assert ticks(path) == list(range(frames + 1))
    Video(str(path), 25).close()  # the lock is released
    assert len(ticks(path)) == frames + 1, "a run without a frame leaves the old video"


class Slow:
    """A video whose encoder waits for ``go``, and may fail at a frame."""

    def __init__(self, fails_at=None):
        self.go = threading.Event()
        self.frames = []
        self.closed = 0
        self.fails_at = fails_at

    def write(self, frame, time_s=None):
        self.go.wait(60)
        if len(self.frames) == self.fails_at:
            raise BadOutput("the disk is full")
        self.frames.append(frame)

    def close(self):
        self.closed += 1


def test_a_thread_saves_every_frame_of_a_recording_in_order(tmp_path):
    path = str(tmp_path / "a.mp4")
    times = []
    video = BackgroundVideo(Video(path, 25), False, times.append)
    for tick in range(40):
        video.write(scene.picture_at(tick))
    video.close()
    video.close()
    assert ticks(path) == list(range(40))
    assert len(times) == 40 and video.dropped == 0 and min(times) > 0


def test_the_loop_of_a_live_source_never_waits():
    slow = Slow()
    video = BackgroundVideo(slow, True, lambda ms: None)
    started = time.monotonic()
    for index in range(50):
        video.write(index)
    assert time.monotonic() - started < 30  # each would wait a minute
    assert 50 - WAITING_FRAMES - 1 <= video.dropped <= 50 - WAITING_FRAMES
    slow.go.set()
    video.close()
    assert len(slow.frames) == 50 - video.dropped and slow.frames == sorted(slow.frames)


@pytest.mark.parametrize("fails_at, written", [(2, 100), (0, 1)])
def test_an_encoders_error_reaches_the_loop_or_the_end_and_keeps_no_frame(fails_at, written):
    slow = Slow(fails_at)
    video = BackgroundVideo(slow, False, lambda ms: None)
    kept = []
    for _ in range(written):
        frame = np.zeros(8)
        with contextlib.suppress(BadOutput):
            video.write(frame)
            slow.go.set()
            time.sleep(0.005)
        kept.append(weakref.ref(frame))
    del frame
    for each in (lambda: video.write(0), video.close) if written > 1 else (video.close,):
        with pytest.raises(BadOutput, match="the disk is full"):
            each()
    assert len(slow.frames) == fails_at and slow.closed == 1
    slow.frames.clear()
    assert sum(frame() is not None for frame in kept) <= 3, "an error holds them"


@pytest.mark.parametrize("colours", [("601", False), ("709", False), ("709", True)])
def test_a_canvas_is_encoded_as_it_is_and_other_frames_are_fitted_to_its_colours(tmp_path, colours):
    path, size = str(tmp_path / "a.mp4"), (320, 240)
    parts = [np.full((240, 320), 90, np.uint8)]
    parts += [np.full((120, 160), value, np.uint8) for value in (160, 100)]
    frame = PlanarFrame(Planes("I420", parts, *size, *colours))
    bgr = np.asarray(frame)
    with Video(path, 25) as video:
        for _ in range(3):
            canvas = drawn_canvas(frame, {}, {})
            assert canvas.shape == frame.shape
            video.write(canvas)
        video.write(bgr)
        small = [plane[::2, ::2].copy() for plane in parts]
        video.write(drawn_canvas(PlanarFrame(Planes("I420", small, 160, 120, *colours)), {}, {}))
    with open_source(path, planes=True) as source:
        for _ in range(5):
            read = source.read()
            assert (read.planes.matrix, read.planes.full_range) == colours
            assert np.abs(np.asarray(read).astype(int) - bgr).max() <= 3
    odd = [np.zeros((241, 321), np.uint8), *[np.zeros((121, 161), np.uint8)] * 2]
    assert drawn_canvas(PlanarFrame(Planes("I420", odd, 321, 241)), {}, {}) is None
    assert drawn_canvas(bgr, {}, {}) is None
