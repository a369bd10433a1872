"""Capture times: from a driver's stamp, from a sender's clock, or the arrival where neither is."""

import numpy as np
import pytest

from hotpath.video import cameras
from hotpath.video.cameras import CaptureClock, NetworkStream, V4l2Camera


@pytest.mark.parametrize("stamp_ms", [0.0, -1.0, np.nan, np.inf, 100.5e3, 30.0e3, 1.7e12])
def test_a_drivers_stamp_is_the_capture_time_if_it_can_be(stamp_ms):
    clock = CaptureClock(cameras.MONOTONIC)
    assert clock.captured_s(99.95e3, 100.0) == pytest.approx(99.95)
    assert clock.captured_s(stamp_ms, 100.0) == 100.0
    assert CaptureClock(cameras.NONE).captured_s(99.95e3, 100.0) == 100.0


def test_a_senders_frames_are_as_late_as_behind_the_fastest():
    clock, random = CaptureClock(cameras.SENDER), np.random.RandomState(3)
    late_s = random.uniform(0.0, 0.08, 300)
    late_s[20] = 0.0
    told = []
    for number, late in enumerate(late_s):
        sent_s = 1.0 + number / 30.0
        arrived_s = 5000.0 + sent_s + 0.04 + late
        told.append(arrived_s - clock.captured_s(sent_s * 1e3, arrived_s))
    assert np.allclose(told[20:150], late_s[20:150])
    assert min(told) >= 0.0 and max(told) <= 0.08


@pytest.mark.parametrize("kind", [cameras.MONOTONIC, cameras.SENDER])
def test_frames_held_back_for_seconds_are_as_old_as_they_are(kind):
    clock = CaptureClock(kind)
    for number in range(50):
        clock.captured_s(60e3 + number * 33.0, 60.01 + number * 0.033)
    for number in range(50, 90):  # nothing came for 3 s, then all at once
        arrived_s = 65.0 + number * 0.005
        age_s = arrived_s - clock.captured_s(60e3 + number * 33.0, arrived_s)
        assert age_s == pytest.approx(arrived_s - 60.0 - number * 0.033, abs=0.02)


def test_a_sender_that_starts_again_is_followed():
    clock = CaptureClock(cameras.SENDER)
    for number in range(50):
        clock.captured_s(60e3 + number * 33.0, 100.0 + number * 0.033)
    assert clock.captured_s(33.0, 103.0) == 103.0
    assert 103.05 - clock.captured_s(66.0, 103.05) == pytest.approx(0.017, abs=1e-6)


STANDING = [lambda n: 7.0 + min(n, 200) / 30, lambda n: 7.0 + n // 3 / 10, lambda n: 7.0]
SET = [
    lambda n: 7.0 + n / 30 - 0.25 * (n >= 200),
    lambda n: 7.0 + n / 30 - 0.3 * (n // 100),
    lambda n: 7.0 + n / 30 + 0.5 * (n >= 200) - 0.9 * (n >= 300),
]


@pytest.mark.parametrize(
    "kind, stamp_s",
    [(cameras.SENDER, stamp_s) for stamp_s in SET + STANDING]
    + [(cameras.MONOTONIC, stamp_s) for stamp_s in STANDING],
)
def test_times_go_on_where_a_clock_is_set_back_or_stands_still(kind, stamp_s):
    """The arrival is 40 to 70 ms after the picture."""
    clock, random = CaptureClock(kind), np.random.RandomState(8)
    times_s, ages_s = [], []
    for number in range(400):
        arrived_s = 7.0 + number / 30 + random.uniform(0.04, 0.07)
        times_s.append(clock.captured_s(1e3 * stamp_s(number), arrived_s))
        ages_s.append(arrived_s - times_s[-1])
    assert min(np.diff(times_s)) >= 0 and 0 <= min(ages_s) and max(ages_s) < 0.1


def test_which_sources_have_stamps():
    assert V4l2Camera("/dev/video0").stamps == cameras.MONOTONIC
    assert NetworkStream("RTSP://host/x").stamps == cameras.SENDER
    assert (
        NetworkStream("http://host/x").stamps == cameras.NONE
    )  # a frame rate may have made them up


# pictures a second that a sender states by its stamps, and that come; with how much of delay varies
FIXED_STEPS = {
    "a night camera": (30, 20, 0.0),
    "a camera that says 25": (25, 21, 0.03),
    "a wireless camera": (30, 15, 0.08),
    "a long exposure": (25, 5, 0.02),
}


@pytest.mark.parametrize("stated, rate, late_s", FIXED_STEPS.values(), ids=FIXED_STEPS)
def test_stamps_that_run_slow_are_not_believed(stated, rate, late_s):
    clock, random = CaptureClock(cameras.SENDER), np.random.RandomState(2)
    ages_s = []
    for number in range(20 * rate):
        arrived_s = 50.0 + number / rate + random.uniform(0, late_s)
        ages_s.append(arrived_s - clock.captured_s(1e3 * (1 + number / stated), arrived_s))
    assert max(ages_s[max(4 * 3, int(1.6 * rate)) + 1 :]) < 0.05 + late_s
    assert max(ages_s) < (0.7 if rate > 10 else 2.0)


def test_a_camera_that_slows_at_dusk_and_recovers_at_dawn():
    """From 10 s to 20 s it sends 20 pictures a second, with stamps of 30."""
    clock, random = CaptureClock(cameras.SENDER), np.random.RandomState(4)
    arrived_s = 50.0
    for number in range(300 + 200 + 300):
        arrived_s += 1 / 20 if 300 <= number < 500 else 1 / 30
        late_s = random.uniform(0, 0.02) + (0.3 if number in (290, 700) else 0.0)
        at = arrived_s + late_s
        age_s = at - clock.captured_s(1e3 * (1 + number / 30), at)
        if number in (290, 700):  # a picture that came late, while the stamps are right
            assert age_s == pytest.approx(0.3, abs=0.05)
        elif not 300 <= number < 335:
            assert age_s < 0.05, number


LATE = {
    "a stall of 4 s, then all at once": lambda n: (
        max(0.0, 4.0 - max(0, n - 90) / 25 * 0.9) * (n >= 90)
    ),
    "stalls of 0.5 s each 2 s": lambda n: max(0.0, 0.5 - (n % 60) / 30),
    "a queue that grows for 0.3 s": lambda n: min(max(0, n - 90) / 30, 0.3) * 0.8,
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_pictures_that_are_late_are_as_old_as_they_are(late):
    clock = CaptureClock(cameras.SENDER)
    arrived_s = 0.0
    for number in range(150):
        arrived_s = max(arrived_s, 50.0 + number / 30 + late(number))
        age_s = arrived_s - clock.captured_s(1e3 * (1 + number / 30), arrived_s)
        if number >= 60:  # the fastest one is known
            assert age_s == pytest.approx(arrived_s - 50.0 - number / 30, abs=0.02)
