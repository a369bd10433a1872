"""One frame whose time stamp is far off: it keeps its place, and the others keep their times."""

import shutil
from fractions import Fraction

import numpy as np
import pytest

from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video.cameras import SENDER, CaptureClock
from hotpath.video.sources import open_source
from hotpath.video.stamps import Stamps

pytest.importorskip("av")
from tests.support.streams import scene
from tests.support.streams.films import even, ticks_and_times, write

COUNT, RATE = 60, 30
RIGHT_S = np.arange(COUNT) / RATE
STRAYS = {  # frame -> seconds by which its stamp is off
    "hours": {20: 9000.0},
    "a year": {31: 31536000.0},
    "back by hours": {40: -9000.0},
    "back by a second": {45: -1.0},
    "every twentieth": {10: 9000.0, 30: 37600.0, 50: -100.0},
}


def damaged(path, off_s):
    """Change the stamps in the bytes of a transport stream: no muxer writes such ones."""
    data = bytearray(path.read_bytes())
    for start in range(0, len(data), 188):
        at = data.find(b"\0\0\1\xe0", start + 4, start + 174)
        if not data[start + 1] & 0x40 or at < 0:
            continue
        flags, at = data[at + 7] >> 6, at + 9
        tick = None
        for place in [at, at + 5][: 2 if flags == 3 else 1]:
            b = data[place : place + 5]
            value = (b[0] >> 1 & 7) << 30 | b[1] << 22 | (b[2] >> 1) << 15 | b[3] << 7 | b[4] >> 1
            if tick is None:
                tick = round((value / 90000 - FIRST_S) * RATE)
            value = int(value + off_s.get(tick, 0.0) * 90000) % (1 << 33)
            data[place : place + 5] = bytes(
                [
                    b[0] & 0xF0 | (value >> 30 & 7) << 1 | 1,
                    value >> 22 & 255,
                    (value >> 15 & 127) << 1 | 1,
                    value >> 7 & 255,
                    (value & 127) << 1 | 1,
                ]
            )
    path.write_bytes(bytes(data))
    return str(path)


FIRST_S = 12000.0  # of the transport stream's own stamps


@pytest.fixture(scope="module", params=[0, 2], ids=["in order", "B-frames"])
def film(request, tmp_path_factory):
    """A transport stream with right stamps, from ``FIRST_S`` on."""
    path = tmp_path_factory.mktemp("film") / "a.ts"
    form = {"mpegts_copyts": "1", "muxdelay": "0", "muxpreload": "0"}
    times_s = [FIRST_S + time_s for time_s in even(COUNT)]
    write(path, times_s, options={"bf": str(request.param)}, form=form, base=Fraction(1, RATE))
    return path


@pytest.mark.parametrize("name", sorted(STRAYS))
def test_a_stray_stamp_moves_no_frame_and_no_other_time(film, tmp_path, planes, name):
    path = damaged(shutil.copy(film, tmp_path / "a.ts") and tmp_path / "a.ts", STRAYS[name])
    with open_source(path, planes=planes) as source:
        ticks, times_s = ticks_and_times(source)
        assert ticks == list(range(COUNT))
        assert times_s == pytest.approx(RIGHT_S, abs=1e-3)
        for number in (45, 0, min(STRAYS[name]), 59, 21):
            assert source.seek(number)
            assert (scene.tick_of(bgr_of(source.read())), source.given) == (number, number + 1)
        for number in (40, 12, 55):
            assert source.seek_time(number / RATE - 0.004)
            assert scene.tick_of(bgr_of(source.read())) == number == source.given - 1


@pytest.mark.parametrize("name", ["hours", "every twentieth"])
def test_a_bag_with_stray_stamps(tmp_path, name):
    rosbags = pytest.importorskip("rosbags.rosbag2")
    from bridges_tests.test_ros import PICTURE, STORE, image, ros

    with rosbags.Writer(tmp_path / "bag", version=9) as writer:
        topic = writer.add_connection("/a", ros.IMAGE, typestore=STORE)
        for number, right_s in enumerate(RIGHT_S):
            stamp_s = max(1.0, 100000 + right_s + STRAYS[name].get(number, 0.0))
            message = image("bgr8", PICTURE, 10, stamp_s=stamp_s)
            writer.write(topic, int((100000 + right_s) * 1e9), message)
    messages = []
    with open_source(str(tmp_path / "bag"), messages.append) as source:
        times_s = [source.time_s for _ in source]
    assert times_s == pytest.approx(RIGHT_S, abs=1e-3) and len(messages) == 1


def in_turn(stated):
    """The times that ``Stamps`` gives to stamps one after another."""
    clock = Stamps(1 / RATE)
    return [
        clock.time_of(stamp, lambda following=following: following)
        for stamp, following in zip(stated, [*stated[1:], None])
    ], clock.strays


TRUE = {
    "an even rate": RIGHT_S,
    "a pause": np.where(np.arange(COUNT) < 20, RIGHT_S, RIGHT_S + 3600),
    "pauses": np.cumsum(np.random.RandomState(1).choice([1 / 30, 1 / 15, 0.5, 9], COUNT)),
    "a time lapse": RIGHT_S * 3000,
    "a pause before the last frame": np.append(RIGHT_S[:-1], RIGHT_S[-2] + 30),
}


@pytest.mark.parametrize("name", sorted(TRUE))
def test_pauses_and_uneven_rates_are_no_stray_stamps(name):
    times_s, strays = in_turn(TRUE[name])
    assert not strays and times_s == pytest.approx(TRUE[name])


def test_the_time_goes_on_where_a_clock_begins_anew():
    times_s, strays = in_turn(np.concatenate([RIGHT_S + 50, RIGHT_S]))
    assert np.diff(times_s) == pytest.approx(1 / RATE) and strays == 1


@pytest.mark.parametrize("off_s", [9000.0, -9000.0, 3.0, -3.0])
def test_a_live_source_with_a_stray_stamp_goes_on(off_s):
    clock = CaptureClock(SENDER)
    found = []
    for number in range(COUNT):
        stamp_s = 20000 + number / RATE + (off_s if number == 30 else 0.0)
        found.append(clock.captured_s(stamp_s * 1e3, 500 + number / RATE))
    assert np.delete(found, 30) == pytest.approx(500 + np.delete(RIGHT_S, 30), abs=0.04)
    assert abs(found[30] - 501) < 0.1
