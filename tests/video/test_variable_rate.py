"""Videos with a variable frame rate: each frame's own time stamp counts, however it is used."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.app.track_command import main
from hotpath.video.save import Video
from hotpath.video.sources import open_source
from tests.app.cli.test_player import Clock, Keys, player_of

pytest.importorskip("av")
from tests.support.streams.films import ticks_and_times, write

pytestmark = pytest.mark.pythons("PyAV and OpenCV of each Python")

GAPS_S = np.random.RandomState(0).choice([1 / 60, 1 / 30, 2 / 30, 0.5], 59, p=[0.1, 0.6, 0.2, 0.1])
TIMES_S = np.concatenate([[0.0], np.cumsum(GAPS_S)])  # 4.6 s; at an even rate 60 frames take 2 s


@pytest.mark.parametrize("kind", [".mp4", ".mkv", ".ts"])
def test_every_frame_has_its_own_time(tmp_path, kind, planes):
    with open_source(write(tmp_path / ("a" + kind), TIMES_S), planes=planes) as source:
        ticks, times_s = ticks_and_times(source)
    assert ticks == list(range(len(TIMES_S)))
    assert times_s == pytest.approx(TIMES_S, abs=1.1e-3)  # Matroska counts milliseconds


def test_a_long_gap_in_the_stamps_is_passed_over(tmp_path, planes):
    path = write(tmp_path / "a.mp4", [0.0, 0.04, 3600.04, 3600.08])
    with open_source(path, planes=planes) as source:
        periods_s = [(source.read(), source.period_s, source.period_s)[1:] for _ in range(3)]
        assert [s for pair in periods_s for s in pair] == pytest.approx([0.04] * 6, abs=0.011)
        assert source.read() is not None and source.time_s == pytest.approx(3600.08, abs=0.01)


def test_a_damaged_recording_is_tracked_and_ends_with_an_error(tmp_path):
    path = write(tmp_path / "a.mp4", TIMES_S)
    with open_source(path, planes=True) as source:
        assert len(ticks_and_times(source)[0]) == 60 and source.errors == 0
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        start = data.index(b"mdat")
        for at in range(start + (len(data) - start) // 3, len(data) * 2 // 3, 50):
            data[at] ^= 0x55
        file.seek(0)
        file.write(data)
    with open_source(path, planes=True) as source:
        ticks_and_times(source)
        assert source.errors > 0  # how many depends on the encoder's version and its processor
    out = tmp_path / "out.csv"
    assert main(["--video", path, "--box", "20,20,40,40", "--no-show", "--results", str(out)]) == 2
    assert out.read_text().count("\n") > 30  # what there is was tracked


def test_a_rate_that_the_user_gives_replaces_the_stamps(tmp_path, planes):
    with open_source(write(tmp_path / "a.mp4", TIMES_S), planes=planes, fps=10) as source:
        assert ticks_and_times(source)[1][:3] == [0.0, 0.1, 0.2]


def test_a_saved_copy_has_the_times_of_the_original(tmp_path):
    path = tmp_path / "copy.mp4"
    with open_source(write(tmp_path / "a.mp4", TIMES_S)) as source, Video(path, 60) as video:
        assert source.seek_time(1.0)
        frame = source.read()
        began_s = source.time_s
        while frame is not None:
            video.write(frame, source.time_s)
            frame = source.read()
    with open_source(path) as copy:
        found = ticks_and_times(copy)[1]
    expected = TIMES_S[TIMES_S >= began_s - 1e-6] - began_s  # it begins with its first frame
    assert found == pytest.approx(expected, abs=1.1e-3)


def test_a_window_shows_each_frame_for_its_own_time(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("hotpath.app.cli.player.time", clock)
    shown_s = []
    with open_source(write(tmp_path / "a.mp4", TIMES_S), planes=True) as source:
        targets = SimpleNamespace(device=SimpleNamespace(finds_at_points=False))
        player = player_of(Keys(), source, targets)
        while source.given < 40:
            if not source.given or player.next_frame_is_due():
                source.read()
                shown_s.append(clock.now_s - 100.0)
    assert shown_s == pytest.approx(TIMES_S[:40], abs=0.002)
