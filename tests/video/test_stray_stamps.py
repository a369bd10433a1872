"""One frame whose time stamp is far off: it keeps its place, and the others keep their times."""

import json
import shutil
import subprocess
from fractions import Fraction

import numpy as np
import pytest

from hotpath.runtime.pictures import bgr_of
from hotpath.video.cameras import SENDER, CaptureClock
from hotpath.video.save import Video
from hotpath.video.sources import open_source
from hotpath.video.stamps import Stamps
from hotpath.video.strays import REORDERED, mended

pytest.importorskip("av")
from tests.support.streams import scene
from tests.support.streams.films import even, ticks_and_times, write

COUNT, RATE = 60, 30
RIGHT_S = np.arange(COUNT) / RATE
STRAYS = {  # frame -> seconds by which its stamp is off
    "hours": {20: 9000.0},
    "a year": {31: 31536000.0},
    "three seconds": {25: 3.0},
    "back by hours": {40: -9000.0},
    "back by a second": {45: -1.0},
    "every twentieth": {10: 9000.0, 30: 37600.0, 50: -100.0},
    "two in succession": {22: 500.0, 23: 500.0},
    "the first": {0: 9000.0},
    "the last": {COUNT - 1: 9000.0},
}


def written(path, off_s):
    """A film of the scene whose packets have these stamps; returns its path.

    A stray stamp is put on the packet, as a recorder does, so that the pictures stay in order.
    """
    begin = 10000.0 if path.suffix != ".mp4" else 0.0

    def stamped(packet):
        tick = packet.pts
        packet.pts = round((tick / RATE + begin + off_s.get(tick, 0.0)) * 90000)
        packet.dts = round((tick / RATE + begin) * 90000)
        packet.time_base = Fraction(1, 90000)
        return packet

    options = {"bf": "0", "threads": "1"}
    return write(path, even(COUNT), options=options, changed=stamped, base=Fraction(1, RATE))


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


@pytest.mark.parametrize("name", ["hours", "three seconds", "every twentieth", "back by hours"])
def test_a_saved_copys_rows_are_those_without_stray_stamps(film, tmp_path, planes, name):
    off_s = STRAYS[name]
    path = damaged(shutil.copy(film, tmp_path / "a.ts") and tmp_path / "a.ts", off_s)
    said = []
    with open_source(path, said.append, planes=planes) as source:
        ticks, times_s = ticks_and_times(source)
        assert ticks == list(range(COUNT))
        assert times_s == pytest.approx(RIGHT_S, abs=1e-3)
        assert sum("does not fit those of its neighbours" in text for text in said) == 1
        for number in (45, 0, min(off_s), 59, 21):
            assert source.seek(number)
            assert (scene.tick_of(bgr_of(source.read())), source.given) == (number, number + 1)
        for number in (40, 12, 55):
            assert source.seek_time(number / RATE)
            assert scene.tick_of(bgr_of(source.read())) == number == source.given - 1
    if planes:
        with open_source(path) as source, Video(tmp_path / "s.mp4", RATE) as video:
            frame = source.read()
            while frame is not None:
                video.write(frame, source.time_s)
                frame = source.read()
        with open_source(str(tmp_path / "s.mp4")) as copy:
            assert ticks_and_times(copy)[1] == pytest.approx(RIGHT_S, abs=2e-3)


def test_ffprobes_frames_without_the_stray_one_have_its_times(film, tmp_path):
    if not shutil.which("ffprobe"):
        pytest.skip("no ffprobe; run `apt install ffmpeg`")
    path = damaged(shutil.copy(film, tmp_path / "a.ts") and tmp_path / "a.ts", {33: 70.0})
    asked = ["-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "json", path]
    answer = subprocess.run(["ffprobe", "-v", "error", *asked], stdout=subprocess.PIPE, check=True)
    theirs = [float(frame["pts_time"]) for frame in json.loads(answer.stdout.decode())["frames"]]
    with open_source(path) as source:
        ours = ticks_and_times(source)[1]
    theirs = np.array(theirs) - theirs[0]
    assert len(ours) == len(theirs) == COUNT and theirs[33] > 60
    assert np.delete(ours, 33) == pytest.approx(np.delete(theirs, 33), abs=1e-3)
    assert ours[32] < ours[33] < ours[34]


@pytest.mark.parametrize("kind", [".mkv", ".mp4"])
@pytest.mark.parametrize("name", ["hours", "three seconds"])
def test_matroska_and_mp4_with_a_stray_stamp(tmp_path, kind, name, planes):
    path = str(written(tmp_path / ("a" + kind), STRAYS[name]))
    with open_source(path, planes=planes) as source:
        ticks, times_s = ticks_and_times(source)
        assert ticks == list(range(COUNT)) and times_s == pytest.approx(RIGHT_S, abs=2e-3)
        assert source.seek_time(40 / RATE - 0.004) and scene.tick_of(bgr_of(source.read())) == 40


@pytest.mark.parametrize("name", ["hours", "three seconds", "every twentieth", "the first"])
def test_a_bag_with_stray_stamps(tmp_path, name):
    rosbags = pytest.importorskip("rosbags.rosbag2")
    from bridges_tests.test_ros import PICTURE, STORE, image, ros

    with rosbags.Writer(tmp_path / "bag", version=9) as writer:
        topic = writer.add_connection("/a", ros.IMAGE, typestore=STORE)
        for number, right_s in enumerate(RIGHT_S):
            stamp_s = max(1.0, 100000 + right_s + STRAYS[name].get(number, 0.0))
            message = image("bgr8", PICTURE, 10, stamp_s=stamp_s)
            writer.write(topic, int((100000 + right_s) * 1e9), message)
    said, times_s = [], []
    with open_source(str(tmp_path / "bag"), said.append) as source:
        while source.read() is not None:
            times_s.append(source.time_s)
    assert times_s == pytest.approx(RIGHT_S, abs=1e-3) and len(said) == 1


def in_turn(stated):
    """The times that ``Stamps`` gives to stamps one after another."""
    clock = Stamps(1 / RATE)
    return [
        clock.time_of(stamp, lambda n, at=at: list(stated[at + 1 : at + 1 + n]))
        for at, stamp in enumerate(stated)
    ], clock.strays


@pytest.mark.parametrize("name", sorted(STRAYS))
def test_a_list_and_frames_in_turn_are_mended_alike(name):
    off_s = STRAYS[name]
    stated = [right + off_s.get(number, 0.0) for number, right in enumerate(RIGHT_S)]
    values, places = mended(stated, 1 / RATE)
    assert places == sorted(off_s) and values == pytest.approx(RIGHT_S, abs=1e-6)
    times_s, strays = in_turn(stated)
    assert times_s == pytest.approx(RIGHT_S, abs=1e-6) and strays == len(off_s)


@pytest.mark.parametrize("seed", range(4))
def test_packets_out_of_order_are_mended_to_their_frames_place(seed):
    random = np.random.RandomState(seed)
    order = np.concatenate([[0]] + [[n + 3, n + 1, n + 2] for n in range(0, 297, 3)])
    stated = order / RATE
    place = random.randint(30, 260)
    stated[place] += random.choice([-1, 1]) * random.choice([3.0, 9000.0])
    values, places = mended(stated, 1 / RATE, 1.0, REORDERED)
    assert places == [place]
    assert np.argsort(values, kind="mergesort").tolist() == np.argsort(order).tolist()


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
    step = float(np.median(np.diff(TRUE[name])))
    for reordered in (0, REORDERED):
        assert mended(TRUE[name], step, 1.0, reordered)[1] == []


def test_a_restarted_clock_has_no_stray_stamps():
    stated = np.concatenate([RIGHT_S + 50, RIGHT_S])
    assert mended(stated, 1 / RATE)[1] == []
    times_s, _ = in_turn(stated)
    assert (np.diff(times_s) > 0).all() and times_s[-1] < 60


@pytest.mark.parametrize("off_s", [9000.0, -9000.0, 3.0, -3.0])
def test_a_live_source_with_a_stray_stamp_goes_on(off_s):
    clock = CaptureClock(SENDER)
    found = []
    for number in range(COUNT):
        stamp_s = 20000 + number / RATE + (off_s if number == 30 else 0.0)
        found.append(clock.captured_s(stamp_s * 1e3, 500 + number / RATE))
    assert np.delete(found, 30) == pytest.approx(500 + np.delete(RIGHT_S, 30), abs=0.04)
    assert abs(found[30] - 501) < 0.1
