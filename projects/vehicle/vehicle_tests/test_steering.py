"""What may steer something: fresh evidence of a live source alone."""

import bisect
import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.links import Context, LinkOptions, Selection
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.types import Box, Track
from hotpath.video.base import TrackedFrame
from hotpath_vehicle import steering
from hotpath_vehicle.plug import GimbalOptions
from hotpath_vehicle.steering import LATE, Evidence, FramePace, Ramp, Watch, missing
from tests.support.errors import refusal
from tests.support.examples import examples
from vehicle_tests.drone import steering as sim

TRACK = Track(Box(100, 80, 40, 30), 0.9)

RNG = np.random.RandomState(1)
NOISE = RNG.randint(0, 256, (240, 320, 3)).astype(np.uint8)
SCENE = cv2.normalize(cv2.GaussianBlur(NOISE, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)


def test_what_lay_in_a_socket_during_a_stop_is_late():
    watch, at = Watch(Selection(), has_marks=False), 0.0

    def is_late(step):
        nonlocal at
        at += step
        return watch.evidence(TrackedFrame(SCENE, 0, None, {0: TRACK}, at)).doubt == LATE

    late = [is_late(s) for s in [1 / 30] * 40 + [3.0] + [0.004] * 60 + [1 / 30] * 20]
    assert not any(late[3:40]) and all(late[40:101]) and not any(late[105:])
    # a stream that slows down, or a first pause, is not late for long
    assert not any([is_late(0.1) for _ in range(50)][6:])


@pytest.mark.parametrize("before, after", [(8, 30), (10, 30), (15, 30), (2, 60), (60, 5), (30, 30)])
@pytest.mark.parametrize("pause_s", [0.35, 0.6, 3.0])
def test_a_stream_that_comes_back_at_another_rate_is_soon_fresh(before, after, pause_s):
    pace, at, late = FramePace(), 0.0, []
    for step in [1 / before] * 100 + [pause_s] + [1 / after] * 600:
        at += step
        late.append(pace.is_late(at))
    assert not any(late[101 + 5 * after :])


@given(seed=st.integers(0, 2**32 - 1), fps=st.floats(1.0, 120.0))
@examples(20, deadline=None)
def test_an_hour_at_random_never_ends_late(seed, fps):
    rng, pace, at, spent_s = np.random.RandomState(seed), FramePace(), 0.0, 0.0
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
        (Evidence(0, None, 10.0, None), "no target"),
        (Evidence(0, TRACK, 9.6, None), None),
        (Evidence(0, TRACK, 9.4, None), "no new picture"),
        (Evidence(0, TRACK, 10.1, None), "no new picture"),  # of a clock that jumped
        (Evidence(0, TRACK, -math.inf, None), "no new picture"),
        (Evidence(0, TRACK, math.nan, None), "no new picture"),
        (Evidence(0, TRACK, 9.9, "the picture stands still"), "the picture stands still"),
        (Evidence(0, TRACK._replace(state="unsure"), 9.9, None), "the target is unsure"),
        (Evidence(0, TRACK._replace(state="lost", lost=True), 9.9, None), "the target is lost"),
        (Evidence(0, TRACK._replace(presence=0.8), 9.9, None), None),
        (Evidence(0, TRACK._replace(presence=0.79), 9.9, None), "the presence is below 0.8"),
        (Evidence(0, TRACK._replace(presence=math.nan), 9.9, None), "the presence is below 0.8"),
        (
            Evidence(0, TRACK._replace(box=Box(1, math.nan, 2, 2)), 9.9, None),
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


def test_the_control_goes_on_from_what_was_sent_without_evidence():
    eased = []
    aim = SimpleNamespace(why=None, note=None, rates=lambda *_: (4.0, 2.0))
    aim.ease, aim.sent = (lambda _, rates: eased.append(rates)), (lambda _, rates: rates)
    ramp = Ramp("gimbal", 2, lambda text: None)
    seen = Evidence(0, TRACK, 1.0, None)
    assert ramp.steer(1.0, aim, seen, (640, 480)) == (4.0, 2.0) and eased == []
    halved = ramp.steer(1.0 + steering.RAMP_S / 2, aim, seen._replace(doubt="stands"), (640, 480))
    assert halved == pytest.approx((2.0, 1.0)) and eased == [halved]


def test_a_run_that_slept_does_not_begin_to_ramp_when_it_wakes():
    ramp = Ramp("gimbal", 1, lambda text: None)
    assert ramp.command(1.0, None, lambda: (1.0,)) == (1.0,)
    assert ramp.command(21.0, "no new picture", lambda: (1.0,)) == (0.0,)
    assert ramp.command(1.1, "no new picture", lambda: (1.0,)) == (0.0,)  # the clock went back


@pytest.mark.parametrize("name", ["", "onvif://host"])
def test_recordings_and_networks_that_never_lose_steer_nothing(name):
    context = Context(LinkOptions(), None, None, (64, 48), "lightfc", print)
    steering.check_run(context._replace(live=False, can_lose=False))  # nothing steers
    context = context._replace(options=LinkOptions(others=(GimbalOptions(name),)))
    steering.check_run(context)
    with refusal(BadOutput, "recording"):
        steering.check_run(context._replace(live=False))
    with refusal(BadOutput, "never lost") as caught:
        steering.check_run(context._replace(can_lose=False))
    assert "add --recover" in str(caught.value)  # as on a PYNQ-Z2


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


@pytest.mark.parametrize("known", [None, sim.calibration(0.1)])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_state_of_a_changing_stream_lasts(seed, known):
    """The whole chain: pace, doubts, proof, budget, steering; a healthy stream is followed.

    It is healthy from 40 s on. Somebody confirms the target 10 s later.
    """
    options = dict(at_random(seed, 40.0, 8.0), acts=lambda t: int(t > 50.0))
    path = lambda t: (8.0 * math.sin(t / 15.0), 3.0)  # noqa: E731
    case = sim.SteeringCase("at random", path, 65.0, 60.0, options)
    assert sim.SteeringRun(case, known, seed).go().off < 5.0


@pytest.mark.parametrize("known", [None, sim.calibration(0.1)])
@pytest.mark.parametrize("every, silent", [(3.0, 0.8), (5.0, 1.5), (6.0, 3.0)])
def test_a_silence_of_the_link_renews_no_turn(every, silent, known):
    options = {"late": 0.07, "picture": sim.changed(3.0, sim.mirrored)}
    options["silent"] = lambda t: t > 3.0 and (t - 3.0) % every < silent
    case = sim.SteeringCase("flaps", sim.standing(3), 30, 3.0, options)
    for seed in (900, 901):
        assert sim.SteeringRun(case, known, seed).go().away <= 20.0
