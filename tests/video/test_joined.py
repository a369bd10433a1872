"""Recordings that were joined: each frame comes once, in order, at a time that goes on."""

import subprocess
import sys
from fractions import Fraction

import cv2
import pytest

from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video.save import Video
from hotpath.video.sources import open_source
from tests.support.streams import scene

pytest.importorskip("av")
from tests.support.streams.films import even, ticks_and_times, write

RATE = 30
TS, MPG = (".ts", "libx264"), (".mpg", "mpeg2video")


def part(path, codec, first, count, b_frames=2):
    """A recording of the scene from a tick on, whose clock begins anew; returns its bytes."""
    options = {"g": "250" if codec == "libx264" else "12", "bf": str(b_frames), "threads": "1"}
    if codec == "libx264":
        options["x264-params"] = "b-adapt=0"
    write(path, even(count), codec, options, first=first, base=Fraction(1, RATE))
    return path.read_bytes()


def joined(folder, kind, lengths, b_frames=(2, 2, 2)):
    """The path of a file of parts with so many frames."""
    ending, codec = kind
    path = folder / ("all" + ending)
    firsts = [sum(lengths[:number]) for number in range(len(lengths))]
    parts = [
        part(folder / (f"{first}" + ending), codec, first, count, b_frames[number % 3])
        for number, (first, count) in enumerate(zip(firsts, lengths))
    ]
    path.write_bytes(b"".join(parts))
    return path


SHAPES = {
    "two recordings": (TS, [25, 35], (2, 2, 2)),
    "segments": (TS, [20, 20, 20], (2, 2, 2)),
    "of few frames": (TS, [3] * 12, (2, 2, 2)),
    "without B-frames": (TS, [25, 35], (0, 0, 0)),
    "with B-frames at the end": (TS, [60, 60], (0, 3, 3)),
    "programme streams": (MPG, [60, 90, 60], (0, 0, 0)),
}


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_frame_comes_once_in_order_and_is_found_again(tmp_path, shape):
    kind, lengths, b_frames = SHAPES[shape]
    path = str(joined(tmp_path, kind, lengths, b_frames))
    total = sum(lengths)
    with open_source(path) as source:
        ticks, times_s = ticks_and_times(source)
        assert source.errors == 0
    assert ticks == list(range(total))
    steps_s = [after - before for before, after in zip(times_s, times_s[1:])]
    # FFmpeg gives two frames of a programme stream one stamp
    assert min(steps_s) > (0.9 / RATE if kind is TS else 0)
    assert times_s[-1] < (total + 3 * len(lengths)) / RATE  # a decoder's delay is a few frames
    with open_source(path) as source:
        assert source.count() == total
        for number in (
            total - 1,
            0,
            lengths[0],
            lengths[0] - 1,
            total // 2,
            5 * total // 8,
            130 % total,
        ):
            assert source.seek(number)
            assert scene.tick_of(bgr_of(source.read())) == number
            assert source.time_s == pytest.approx(times_s[number], abs=1e-3)
            assert source.seek_time(times_s[number]) and source.given == number


def test_a_second_part_of_another_size_loses_no_frame(tmp_path):
    path = joined(tmp_path, TS, [25])
    small = [cv2.resize(scene.picture_at(0), (160, 120))] * 20
    write(tmp_path / "b.ts", even(20), base=Fraction(1, RATE), pictures=small)
    path.write_bytes(path.read_bytes() + (tmp_path / "b.ts").read_bytes())
    with open_source(str(path)) as source:
        shapes = [bgr_of(source.read()).shape for _ in range(45)]
        assert source.read() is None
    assert [shapes.count(shape) for shape in dict.fromkeys(shapes)] == [25, 20]


def test_a_playlist_with_discontinuities_is_read_and_searched(tmp_path):
    joined(tmp_path, TS, [25, 35, 20])
    text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
    text += "#EXT-X-DISCONTINUITY\n".join(f"#EXTINF:1.0,\n{first}.ts\n" for first in (0, 25, 60))
    (tmp_path / "a.m3u8").write_text(text + "#EXT-X-ENDLIST\n")
    with open_source(str(tmp_path / "a.m3u8")) as source:
        assert ticks_and_times(source)[0] == list(range(80))
        assert source.count() == 80
        assert source.seek(70) and scene.tick_of(bgr_of(source.read())) == 70


def test_a_pipe_of_joined_parts_gives_every_frame_in_time(tmp_path):
    path = joined(tmp_path, TS, [25, 35])
    script = (
        "from hotpath.video.sources import open_source\n"
        "source = open_source('-')\n"
        "while source.read() is not None: print(round(source.time_s * 30))\n"
    )
    with open(path, "rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", script], stdin=file, stdout=subprocess.PIPE, check=True
        )
    assert [int(line) for line in done.stdout.split()] == list(range(60))


AHEAD = {".ts": 26500.0, ".flv": 100.0, ".mkv": 4000.0, "pause.mp4": 8.0}  # seconds


def stepping(path, step_s):
    """A film of 60 frames by PyAV whose clock steps ahead at frame 30."""

    def ahead(packet):
        if packet.pts >= 30:
            packet.pts += round(step_s * RATE)
            packet.dts += round(step_s * RATE)
        return packet

    options = {"g": "10", "bf": "2", "threads": "1"}
    return write(path, even(60), "libx264", options, changed=ahead, base=Fraction(1, RATE))


@pytest.mark.parametrize("ending", sorted(AHEAD))
def test_a_step_ahead_is_a_pause(tmp_path, ending):
    path = stepping(tmp_path / ("a" + ending), AHEAD[ending])
    with open_source(path) as source:
        ticks, times_s = ticks_and_times(source)
        assert ticks == list(range(60))
        assert source.seek(45) and scene.tick_of(bgr_of(source.read())) == 45
        assert source.time_s == pytest.approx(times_s[45], abs=2e-3)
    step_s = max(after - before for before, after in zip(times_s, times_s[1:]))
    assert step_s == pytest.approx(AHEAD[ending], abs=0.2)


@pytest.mark.parametrize("pause_s", [26500.0, 400000.0])
def test_a_saved_film_keeps_the_times_after_a_long_pause(tmp_path, pause_s):
    path = str(tmp_path / "a.mp4")
    with Video(path, 30) as video:
        for tick in range(20):
            video.write(scene.picture_at(tick), tick / RATE + pause_s * (tick >= 10))
    with open_source(path) as source:
        ticks, times_s = ticks_and_times(source)
    assert ticks == list(range(20))
    assert times_s == pytest.approx([tick / RATE for tick in range(20)], abs=2e-3)
