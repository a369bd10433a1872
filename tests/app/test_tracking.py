"""``hotpath.track``: any source of the command line in a user's own program."""

import contextlib
import os
import signal
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest

import hotpath
from hotpath.app import tracking
from hotpath.app.track_command import main
from hotpath.runtime.errors import BadBox, BadFrame, BadOption, BadSource, NoCamera
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.targets.targets import Targets
from hotpath.video.sources import open_source
from tests.support import ROOT, tiny, tiny_detector
from tests.support.errors import refusal

pytest.importorskip("onnxruntime")
FRAMES = 24


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with the tiny network, its film as pictures and as a video, and the true boxes."""
    folder = tmp_path_factory.mktemp("world")
    return folder, tiny.write_world(folder, FRAMES)


def tracked(world, name, **more):
    """All pairs of a source in the world's folder."""
    folder, boxes = world
    arguments = dict({"box": boxes[0].tolist(), "network": folder / "tiny.toml"}, **more)
    return list(hotpath.track(folder / name, **arguments))


@pytest.mark.pythons("the five lines of README")
@pytest.mark.parametrize("name", ["frames", "film.avi"])
def test_the_boxes_are_those_of_the_command_line_bit_for_bit(world, name, monkeypatch, tmp_path):
    folder, boxes = world
    theirs = []
    update = Targets.update

    def recorded(self, frame, time_s=None):
        tracks = update(self, frame, time_s)
        theirs.append(tracks[0])
        return tracks

    monkeypatch.setattr(Targets, "update", recorded)
    words = ["--network", folder / "tiny.toml", "--box", ",".join(map(str, boxes[0]))]
    words += ["--results", tmp_path / "boxes.csv", "--no-show", "--quiet", "--video", folder / name]
    assert main([str(word) for word in words]) == 0
    monkeypatch.undo()

    pairs = tracked(world, name)
    assert [track for _, track in pairs][1:] == theirs and len(pairs) == FRAMES
    assert overlaps([track.box for _, track in pairs], boxes).diagonal().min() > 0.4


def test_a_film_is_tracked_in_its_own_planes(world):
    folder, boxes = world
    pairs = tracked(world, "film.avi")
    capture = cv2.VideoCapture(str(folder / "film.avi"))
    with hotpath.load_tracker(folder / "tiny.toml") as tracker:
        tracker.init(capture.read()[1], boxes[0])
        by_opencv = [tracker.update(capture.read()[1]).box for _ in range(FRAMES - 1)]
    ours = [track.box for _, track in pairs[1:]]
    assert ours != by_opencv and overlaps(ours, by_opencv).diagonal().min() > 0.9


def test_a_frame_is_a_picture_that_is_converted_on_demand(world):
    folder, _ = world
    for name in ("film.avi", "frames"):
        with open_source(str(folder / name)) as source:
            plain = list(source)
        pairs = tracked(world, name)
        for (frame, _), picture in zip(pairs, plain):
            assert frame.shape == picture.shape
            assert np.abs(frame.bgr().astype(int) - picture).max() <= 2  # another converter
            assert np.array_equal(np.asarray(frame), frame.bgr())
        assert hotpath.draw(frame, pairs[-1][1]).shape == frame.shape


def test_a_source_gives_all_its_frames_in_a_loop(world):
    folder, _ = world
    with open_source(str(folder / "frames")) as source:
        indices = [source.given - 1 for _ in source]
        assert indices == list(range(FRAMES)) and source.read() is None


def test_a_loop_over_a_live_source_waits_for_frames():
    from hotpath.video.base import WAITING, Source

    class Slow(Source):
        live, answers = True, [WAITING, 1, WAITING, WAITING, 2, None, 3]

        def read(self, timeout_s=1.0):
            return self.answers.pop(0)

    assert list(Slow("slow")) == [1, 2]


def test_a_point_selects_as_on_the_command_line(world):
    pairs = list(hotpath.track(world[0] / "frames", point=world[1][0][:2] + 20, network="kestrel"))
    assert pairs[0][1].taken == "point" and len(pairs) == FRAMES
    assert overlaps([pairs[0][1].box], [world[1][0]])[0, 0] > 0.6


def test_a_detector_finds_the_target(tmp_path):
    pytest.importorskip("onnx")
    tiny.write_network(tmp_path)
    detector = tiny_detector.write_detector(tmp_path)
    squares = [[], [("red", 100, 90)], [("red", 102, 90)], [("red", 104, 90)], [("red", 106, 90)]]
    pictures = [tiny_detector.frame(each) for each in squares for _ in range(12)]
    folder = tiny.write_pictures(tmp_path / "frames", pictures)
    common = {"network": tmp_path / "tiny.toml"}
    for more in (
        {"detector": detector, "classes": ["red"]},
        {"detector": detector},  # any object
        {"detector": hotpath_finder},
    ):
        tracks = [track for _, track in hotpath.track(folder, **dict(common, **more))]
        assert tracks[0] is None and tracks[11] is None and len(tracks) == len(pictures)
        assert overlaps([tracks[-1].box], [(106, 90, 48, 48)])[0, 0] > 0.5, more


def hotpath_finder(frame):
    """A detector as a function: the box of what is red."""
    rows, columns = np.nonzero(frame[..., 2] > 128)
    if not len(rows):
        return np.zeros((0, 4))
    size = np.ptp(columns) + 1, np.ptp(rows) + 1
    return np.array([[columns.min(), rows.min(), *size]], float)


def test_the_ground_truth_of_a_sequence_is_the_target(world, tmp_path):
    folder, boxes = world
    pictures, _ = tiny.film(4)
    clip = tiny.write_pictures(tmp_path / "clip", pictures)
    (clip / "groundtruth.txt").write_text("\n".join(",".join(map(str, box)) for box in boxes[:4]))
    pairs = list(hotpath.track(clip, network=folder / "tiny.toml"))
    assert pairs[0][1].box == tuple(boxes[0]) and len(pairs) == 4


def test_close_ends_the_loop_and_with_closes(world):
    folder, boxes = world
    arguments = {"box": boxes[0].tolist(), "network": folder / "tiny.toml"}
    with hotpath.track(folder / "frames", **arguments) as run:
        pairs = [next(run) for _ in range(3)]
        assert run.source.given == 3
        assert run.source.time_s is None and run.targets.numbers == (0,)
    with pytest.raises(hotpath.NotReady):
        run.targets.update(pairs[-1][0].bgr())
    assert list(run) == []
    other = hotpath.track(folder / "frames", **arguments)
    other.close()
    other.close()
    assert list(other) == []


def test_a_frame_in_which_nothing_can_be_computed_is_left_out(world, tmp_path, monkeypatch):
    folder, boxes = world
    messages = []
    pictures, _ = tiny.film(6)
    pictures[2] = pictures[2][:4, :4]
    small = tiny.write_pictures(tmp_path / "small", pictures)
    arguments = {"box": boxes[0].tolist(), "network": folder / "tiny.toml", "log": messages.append}
    assert len(list(hotpath.track(small, **arguments))) == 5
    assert [line for line in messages if line.startswith("frame 2 is skipped: ")]
    monkeypatch.setattr(tracking, "MOST_FAILED", 1)
    with pytest.raises(BadFrame):
        list(hotpath.track(small, **arguments))


def test_what_can_not_be_tracked_is_refused_in_a_sentence(world, monkeypatch):
    folder, boxes = world
    box, network = boxes[0].tolist(), {"network": folder / "tiny.toml"}
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for error, what, name, more in (
        (BadBox, "no target", "frames", {}),
        (BadOption, "two targets", "frames", {"box": box, "point": box[:2]}),
        (BadOption, "no detector", "frames", {"classes": ["person"]}),
        (BadOption, "no list", "frames", {"detector": "yolox_nano", "classes": "person"}),
        (BadSource, "not found", "nothing.mp4", {"box": box}),
        (BadOption, "wrong value", "frames", {"box": box, "log": "x"}),
        (BadOption, "wrong value", "film.avi", {"box": box, "start": "1:x"}),
    ):
        with refusal(error, what):
            hotpath.track(folder / name, **more, **network)
    with pytest.raises(NoCamera):
        hotpath.track("cam77", box=box, **network)
    with pytest.raises(BadBox):
        hotpath.track(folder / "frames", box=(1, 2, 3), **network)


def test_a_start_is_a_number_or_what_the_command_line_takes(world):
    by_number, by_text = (tracked(world, "film.avi", start=start) for start in (0.4, "0:00.4"))
    assert 0 < len(by_number) < FRAMES
    assert [track for _, track in by_text] == [track for _, track in by_number]


def test_recover_and_the_other_options_reach_the_tracker(world):
    messages = []
    pairs = tracked(world, "frames", recover=False, log=messages.append)
    assert len(pairs) == FRAMES and any(
        "recover=False changes nothing" in line for line in messages
    )
    with refusal(BadOption, "wrong value"):
        tracked(world, "frames", recover="yes")


LIVE = """
import sys, hotpath
source, network = sys.argv[1:]
for frame, track in hotpath.track(source, box=(40, 60, 40, 40), network=network):
    print(track.state, flush=True)
"""


def test_ctrl_c_ends_a_program_that_tracks(world, tmp_path):
    """A pipe that never ends: the program waits for its frames, and ends at once."""
    folder, _ = world
    (tmp_path / "live.py").write_text(LIVE)
    pipe = tmp_path / "pipe.avi"
    os.mkfifo(str(pipe))
    command = [sys.executable, str(tmp_path / "live.py"), str(pipe), str(folder / "tiny.toml")]
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:

        def feed():
            with contextlib.suppress(BrokenPipeError), open(str(pipe), "wb") as file:
                file.write((folder / "film.avi").read_bytes())
                file.flush()
                process.wait()

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        assert process.stdout.readline().strip() in (b"tracked", b"unsure", b"lost")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and b"KeyboardInterrupt" in errors


FRAME = np.zeros((240, 320, 3), np.uint8)
HABITS = {  # name -> (what users of other libraries give, words of the answer)
    "a number": (0, "cam0"),
    "a number of NumPy": (np.int64(3), "cam3"),
    "a number as text": ("7", "camera of that number is cam7"),
    "a capture": (cv2.VideoCapture(), "VideoCapture: not a source; .*load_tracker"),
    "frames": ([FRAME] * 3, "frames: not a source; .*load_tracker"),
    "one frame": (FRAME, "frames: not a source; .*load_tracker"),
    "a generator": (iter([FRAME]), "not a source; .*load_tracker"),
    "a mixed list": (["a.png", FRAME], "frames: not a source"),
    "nothing": (None, "NoneType: not a source"),
    "a switch": (True, "bool: not a source"),
    "a negative number": (-1, "int: not a source"),
    "bytes": (b"no.mp4", "no.mp4: no such file"),
    "a pipeline": ("v4l2src ! videoconvert ! appsink", "GStreamer pipeline .*csi0"),
}


@pytest.mark.parametrize("source, words", HABITS.values(), ids=HABITS)
def test_what_is_given_by_habit_is_taken_or_answered(source, words):
    for call in (lambda: hotpath.track(source, box=(60, 100, 40, 30)), lambda: open_source(source)):
        with pytest.raises((BadSource, NoCamera), match=words) as caught:
            call()
        assert len(str(caught.value)) < 400  # no pixels
