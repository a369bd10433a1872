"""What may steer something: fresh evidence of a live source alone."""

import bisect
import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.kernels.cpu.plain import Kernels
from hotpath.runtime import camera_frames, jpeg_frames
from hotpath.runtime.camera_frames import PlanarFrame
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.types import Box
from hotpath_vehicle import steering
from hotpath_vehicle.album import Album, look_at
from hotpath_vehicle.plug import GimbalOptions
from hotpath_vehicle.steering import Evidence, Pace, Ramp, missing
from tests.support.errors import refusal
from tests.support.examples import examples
from tests.support.pictures_in_planes import planes_of
from vehicle_tests.drone import steering as sim
from vehicle_tests.drone.stopped_streams import (
    FPS,
    KINDS_STOPPED,
    TRACK,
    bright,
    clocked,
    grainy,
    held,
    jpeg,
    scene,
    stopped,
    swung,
    turned,
)

RNG = np.random.RandomState(1)
NOISE = RNG.randint(0, 256, (240, 320, 3)).astype(np.uint8)
SCENE = cv2.normalize(cv2.GaussianBlur(NOISE, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)


KINDS = {
    "BGR": lambda picture: picture,
    "NV12": lambda picture: PlanarFrame(planes_of(picture, "NV12")),
    "YUYV": lambda picture: PlanarFrame(planes_of(picture, "YUYV")),
    "BGRx": lambda picture: PlanarFrame(planes_of(picture, "BGRx")),
    "JPEG": jpeg,
}


@pytest.mark.parametrize("name", sorted(KINDS_STOPPED))
def test_a_stopped_stream_is_no_evidence_within_700_ms(name):
    assert stopped(KINDS_STOPPED[name], 10.0) <= 0.7


@pytest.mark.parametrize("rate_deg", [5.0, 40.0])
def test_old_pictures_are_found_at_other_rates_too(rate_deg):
    assert stopped(KINDS_STOPPED["a loop below a clock"], rate_deg) <= 0.7
    assert stopped(KINDS_STOPPED["frozen with strong noise"], rate_deg) <= 3.5 / rate_deg + 0.4


def test_a_live_camera_that_sweeps_to_and_fro_is_evidence():
    """It sees the same places again and again, and points there each time."""
    album, swing = Album(), [20 + 18 * math.sin(n / 30) for n in range(20 * FPS)]
    doubts = [
        album.add(look_at(jpeg(grainy(scene(deg), 2)), TRACK), n / FPS, (0.0, deg))
        for n, deg in enumerate(swing)
    ]
    assert sum(doubt is not None for doubt in doubts) <= len(doubts) // 100


def test_a_camera_that_does_not_turn_may_see_the_same_for_ever():
    album = Album()
    for n in range(10 * FPS):
        assert album.add(look_at(grainy(scene(20), 2), TRACK), n / FPS, (0.0, 20.0)) is None


def test_a_hold_lasts_as_long_as_the_stream_stands():
    album, pictures = turned(10.0)
    times = [n / FPS for n in range(2 * FPS)] + [2 + n / 5 for n in range(88 * 5)]
    frozen = [jpeg(clocked(pictures[-1], n)) for n in range(len(times))]
    # the camera stopped half a second later, and waits longer than the album reaches
    yaw = 10.0 * len(pictures) / FPS + 5.0
    at = len(pictures) / FPS
    doubts = [
        album.add(look_at(frame, TRACK), at + time_s, (0.0, yaw))
        for time_s, frame in zip(times, frozen)
    ]
    assert doubts[:3] == [None] * 3 and all(doubts[12:])
    at += 90.0
    live = [
        album.add(look_at(jpeg(scene(yaw + n / 5)), TRACK), at + n / FPS, (0.0, yaw))
        for n in range(20)
    ]
    assert live[-1] is None


def test_a_picture_losing_contrast_while_it_moves_has_faded():
    album, _ = turned(10.0)
    dark = [jpeg(bright(scene(40 + 0.4 * n), max(0.02, 0.7 - n / 30))) for n in range(30)]
    assert held(dark, 10.0, album, start=4 * FPS)[1] == "the picture has faded"


def test_a_target_may_leave_a_bland_scene():
    """The part around the target loses its contrast; the whole picture keeps half of its own."""
    album, target = Album(), np.kron([[0, 255], [255, 0]], np.ones((16, 16)))[..., None]
    for n in range(100):
        picture, x = bright(scene(20), 0.3, 90.0), 100 + max(0, 8 * (n - 50))
        picture[100:132, x : x + 32] = target[:, : max(0, 320 - x)]
        look = look_at(grainy(picture, 2), TRACK._replace(box=Box(x, 100, 32, 32)))
        assert album.add(look, n / FPS, (0.0, 20.0)) is None


def test_without_compiled_kernels_old_pictures_are_found_as_well(monkeypatch):
    """JPEGs are then decoded by other code, whole and at other scales."""
    for module in (camera_frames, jpeg_frames):
        monkeypatch.setattr(module, "kernels", Kernels)
    for kind in "frozen with strong noise", "a loop below a clock", "a codec that decays":
        assert stopped(KINDS_STOPPED[kind], 10.0) <= 0.7
    swept = [jpeg(grainy(scene(0.4 * n), 2)) for n in range(4 * FPS)]
    assert held(swept, 10.0) == (0, None)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_frames_of_every_kind_are_compared(kind):
    made, album = KINDS[kind], Album()
    live = [made(scene(0.4 * n)) for n in range(50)]
    assert held(live, 10.0, album) == (0, None)
    count, why = held([made(clocked(scene(0.4 * 49), n)) for n in range(40)], 10.0, album, start=50)
    assert why and count > 20


def test_flipping_sizes_tiny_frames_and_no_boxes_are_looked_at():
    nowhere = (math.nan,) * 4
    for picture in (scene(0), scene(0)[:1, :1], scene(0)[:2, :2], cv2.resize(scene(0), (33, 500))):
        for box in (TRACK.box, nowhere, (-500, 900, 20, 20), (0, 0, 1e6, 1e6), (1, 1, 0.01, 0.01)):
            Album().add(look_at(picture, TRACK._replace(box=Box(*box))), 0.0, (0.0, 0.0))
        Album().add(look_at(picture, None), 0.0, (0.0, 0.0))


def test_what_lay_in_a_socket_during_a_stop_is_late():
    pace, at, late = Pace(), 0.0, []
    for step in [1 / 30] * 40 + [3.0] + [0.004] * 60 + [1 / 30] * 20:
        at += step
        late.append(pace.is_late(at))
    assert not any(late[:40]) and all(late[40:101]) and not any(late[105:])
    # a stream that slows down, or a first pause, is not late for long
    slower = [pace.is_late(at + 0.1 * n) for n in range(1, 50)]
    assert not any(slower[6:])


@pytest.mark.parametrize("before, after", [(8, 30), (10, 30), (15, 30), (2, 60), (60, 5), (30, 30)])
@pytest.mark.parametrize("pause_s", [0.35, 0.6, 3.0])
def test_a_stream_that_comes_back_at_another_rate_is_soon_fresh(before, after, pause_s):
    pace, at, late = Pace(), 0.0, []
    for step in [1 / before] * 100 + [pause_s] + [1 / after] * 600:
        at += step
        late.append(pace.is_late(at))
    assert not any(late[101 + 5 * after :])


@given(seed=st.integers(0, 2**32 - 1), fps=st.floats(1.0, 120.0))
@examples(20, deadline=None)
def test_an_hour_at_random_never_ends_late(seed, fps):
    rng, pace, at, spent_s = np.random.RandomState(seed), Pace(), 0.0, 0.0
    while spent_s < 3600.0:
        seconds, rate = rng.uniform(1.0, 300.0), 10 ** rng.uniform(-0.5, 2.5)
        jitter, kind = rng.uniform(0.0, 0.9), rng.randint(6)
        steps = rng.normal(1.0, jitter, max(1, int(min(seconds * rate, 4000)))) / rate
        if kind == 0:  # a clock that jumps, or stands
            steps[0] = rng.choice([-1e9, 1e9, -5.0, 3600.0, math.nan, math.inf])
        elif kind == 1:
            steps[0], steps[1:] = seconds, 0.0
        elif kind == 2:  # what was held back comes at once
            steps[0], steps[1:] = seconds, 0.1 / rate
        for step in steps:
            at = at + step if math.isfinite(at + step) else 0.0
            pace.is_late(at if math.isfinite(step) else step)
        spent_s += seconds
    late = [pace.is_late(at + n / fps) for n in range(1, int(65 * fps) + 70)]
    assert not any(late[-50:])


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (None, "no target"),
        (Evidence(None, 10.0, None), "no target"),
        (Evidence(TRACK, 9.6, None), None),
        (Evidence(TRACK, 9.4, None), "no new picture"),
        (Evidence(TRACK, 10.1, None), "no new picture"),  # of a clock that jumped
        (Evidence(TRACK, -math.inf, None), "no new picture"),
        (Evidence(TRACK, math.nan, None), "no new picture"),
        (Evidence(TRACK, 9.9, "the picture stands still"), "the picture stands still"),
        (Evidence(TRACK._replace(state="unsure"), 9.9, None), "the target is unsure"),
        (Evidence(TRACK._replace(state="lost", lost=True), 9.9, None), "the target is lost"),
        (
            Evidence(TRACK._replace(box=Box(1, math.nan, 2, 2)), 9.9, None),
            "the box is not a number",
        ),
    ],
)
def test_evidence_is_a_fresh_picture_with_a_tracked_target(seen, why):
    assert missing(seen, 10.0) == why


def test_without_evidence_a_command_falls_to_zero_with_a_reason():
    told = []
    holds = {}
    ramp = Ramp("gimbal", 2, told.append, holds)
    wish = 1.0, -2.0
    assert ramp.command(0.0, "no target", lambda: wish) == (0.0, 0.0)
    assert ramp.command(1.0, None, lambda: wish) == wish and holds == {}
    values = [ramp.command(1.0 + n / 20, "the target is lost", lambda: wish) for n in range(11)]
    assert values[0] == wish and values[3] == pytest.approx((0.5, -1.0))
    assert values[6:] == [(0.0, 0.0)] * 5
    assert holds == {"gimbal": "the target is lost"}
    assert len(told) == 1 and "target is lost" in told[0]
    assert ramp.command(1.6, None, lambda: wish) == wish and holds == {}
    # a flicker is not told, and a clock that goes back does not keep the speed
    assert ramp.command(1.6, "the target is unsure", lambda: wish) == wish
    assert ramp.command(0.5, "the target is unsure", lambda: wish) == (0.0, 0.0)


def test_a_run_that_slept_does_not_begin_to_ramp_when_it_wakes():
    ramp = Ramp("gimbal", 1, lambda text: None)
    assert ramp.command(1.0, None, lambda: (1.0,)) == (1.0,)
    assert ramp.command(21.0, "no new picture", lambda: (1.0,)) == (0.0,)
    assert ramp.command(1.1, "no new picture", lambda: (1.0,)) == (0.0,)  # the clock went back


@pytest.mark.parametrize("name", ["", "onvif://host"])
def test_recordings_and_networks_that_never_lose_steer_nothing(name):
    options = GimbalOptions(name)
    steering.check(GimbalOptions(), False, False, "x")  # nothing steers
    steering.check(options, True, True, "x")
    steering.check(options._replace(recording=True), False, True, "x")
    with refusal(BadOutput, "recording"):
        steering.check(options, False, True, "x")
    with refusal(BadOutput, "never lost") as caught:
        steering.check(options, True, False, "lightfc")
    assert "add --recover" in str(caught.value)  # as on a PYNQ-Z2


def test_a_stopped_picture_that_drifts_far_stays_no_evidence():
    album, pictures = turned(10.0)
    yaw = 10.0 * len(pictures) / FPS
    doubts = []
    for n in range(8 * FPS):  # the camera stops after half a second
        frame = jpeg(swung(pictures[-1], 60 * math.sin(n / 90), 30 * math.sin(n / 70)))
        at = len(pictures) / FPS + n / FPS
        doubts.append(album.add(look_at(frame, TRACK), at, (0.0, yaw + min(n / FPS, 0.6) * 10)))
    assert all(doubts[15:])


def at_random(seed, seconds, spread_s):
    """Options of a stream whose rate, delay, size and clock change; from then on it is healthy."""
    rng, parts, at = np.random.RandomState(seed), [], 0.0
    while at < seconds:
        values = rng.choice((2.0, 5.0, 10.0, 15.0, 30.0, 60.0)), rng.uniform(0.05, 1.0)
        parts.append((at, *values, rng.choice((1, 2)), rng.choice((-3.0, 0.0, 0.0, 2.0))))
        at += rng.uniform(0.5, spread_s)
    parts.append((seconds, 30.0, 0.07, 1, 0.0))
    starts = [part[0] for part in parts]
    of = lambda n: lambda t: parts[bisect.bisect_right(starts, t) - 1][n]  # noqa: E731
    return {"fps": of(1), "late": of(2), "scale": of(3), "clock": of(4)}


def off_after(seed, seconds, known=None, spread_s=8.0):
    """How far off a target is 15 s after a random time, and 5 s after somebody confirmed it."""
    options = dict(at_random(seed, seconds, spread_s), acts=lambda t: int(t > seconds + 10.0))
    path = lambda t: (8.0 * math.sin(t / 15.0), 3.0)  # noqa: E731
    run = sim.Run(sim.Case("at random", path, seconds + 25.0, seconds + 20.0, options), known, seed)
    return run.go().off


@pytest.mark.parametrize("known", [None, sim.calibration(0.1)])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_state_of_a_changing_stream_lasts(seed, known):
    """The whole chain: pace, doubts, proof, budget, steering; a healthy stream is followed."""
    assert off_after(seed, 40.0, known) < 5.0


@pytest.mark.slow("an hour of a simulated stream")
def test_an_hour_of_a_changing_stream_ends_well():
    assert off_after(7, 3600.0, sim.calibration(0.1), 20.0) < 5.0


def test_a_verdict_that_is_never_unlearnt_is_noticed(monkeypatch):
    is_late = Pace.is_late

    def stays_late(self, at):
        self.was_late = is_late(self, at) or getattr(self, "was_late", False)
        return self.was_late

    monkeypatch.setattr(Pace, "is_late", stays_late)
    assert off_after(1, 40.0) > 5.0


def album_at_random(seed, seconds, last_s=12.0):
    """Doubts of the last 5 s of a stream that changes at random, and is healthy at the end."""
    rng, album, at, seen = np.random.RandomState(seed), Album(), 0.0, scene(20)
    doubts, until = [], 0.0
    while at < seconds + last_s:
        is_well = at >= seconds
        if at >= until or is_well:
            until = at + rng.uniform(0.5, 6.0)
            fps, scale = rng.choice((5.0, 15.0, 30.0)), rng.choice((0.5, 1.0, 2.0))
            contrast, is_frozen = rng.choice((0.1, 0.5, 1.0)), rng.random_sample() < 0.3
            clock = rng.choice((-3600.0, -2.0, 0.0, 0.0, 2.0, 3600.0))
        if is_well:
            fps, contrast, is_frozen = 30.0, 1.0, False
        at += 1 / fps
        yaw = 20 + 18 * math.sin(at)
        seen = seen if is_frozen else bright(scene(yaw), contrast, 90.0)
        picture = cv2.resize(seen, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        box = Box(*(scale * value for value in TRACK.box))
        look = look_at(grainy(picture, 2), TRACK._replace(box=box))
        doubts.append(album.add(look, at + clock, (0.0, yaw)))
    return doubts[-150:]


@pytest.mark.parametrize("seed", [3, pytest.param(1, marks=pytest.mark.slow("800 pictures"))])
def test_an_album_keeps_no_doubt_of_a_stream_that_is_well(seed):
    """It may still meet old pictures that it placed wrongly, for a second of these five."""
    assert sum(doubt is not None for doubt in album_at_random(seed, 30.0)) <= 30


def test_an_album_that_keeps_a_doubt_is_noticed(monkeypatch):
    add = Album.add

    def keeps(self, *values):
        self.kept = add(self, *values) or getattr(self, "kept", None)
        return self.kept

    monkeypatch.setattr(Album, "add", keeps)
    assert all(album_at_random(0, 5.0))
