"""A calibration's file, and how nudges measure it."""

import math

import numpy as np
import pytest

pytest.importorskip("pymavlink")

from hotpath_vehicle.aim import calibration as calibrations
from hotpath_vehicle.aim import nudges
from hotpath_vehicle.aim.calibration import AimCalibration, BadCalibration
from hotpath_vehicle.aim.nudges import BadScene
from hotpath_vehicle.gimbal.settings import load_settings
from tests.support.errors import refusal
from vehicle_tests.drone import steering as sim

KNOWN = sim.calibration(0.1)


@pytest.mark.parametrize("delay, limit", [(0.07, 60.0), (0.27, 30.0), (0.97, 9.0)])
def test_the_limit_falls_with_the_delay(delay, limit):
    assert KNOWN._replace(delay=delay).most == pytest.approx(limit)


def test_a_calibration_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "camera.toml"
    made = KNOWN._replace(sign=(-1, 1), scale=(0.98, 1.02), frame="vehicle")
    path.write_text(calibrations.text(made, "Measured."))
    assert calibrations.read(path) == made


@pytest.mark.parametrize(
    "old, new",
    [
        ("sign = [1, 1]", "sign = [0, 1]"),
        ("delay = 0.1", "delay = -1.0"),
        ("[of]", "[off]"),
        ('frame = "earth"', 'frame = "moon"'),
        ("fov = 60.0", ""),
        ("[measured]", "[measured"),
    ],
)
def test_a_calibration_with_a_mistake_is_one_sentence(tmp_path, old, new):
    path = tmp_path / "camera.toml"
    text = calibrations.text(KNOWN, "Measured.")
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(BadCalibration, match="camera.toml"):
        calibrations.read(path)


def test_a_calibration_of_another_stream_is_refused():
    KNOWN.check_stream(KNOWN.stream, KNOWN.size)
    for stream, size in (("rtsp://other", KNOWN.size), (KNOWN.stream, (1280, 720))):
        with refusal(BadCalibration, "other camera", command="hotpath gimbal calibrate"):
            KNOWN.check_stream(stream, size)


def nudged(late=0.2, sign=1, gain=1.0, noise=0.1, wander=0.0, across=False, seed=1):
    """(commands, motion of the picture, plan) of a simulated camera that is nudged."""
    rng, moves, plant = np.random.RandomState(seed), nudges.plan(5.0), sim.Plant(sign, gain)
    sent, seen, next_s, speed, place = [(0.0, 0.0, 0.0)], [], 0.0, np.zeros(2), np.zeros(2)
    for step in range(int(nudges.seconds_of(moves) / sim.STEP_S)):
        now = step * sim.STEP_S
        rates = nudges.rates_at(moves, now)
        if rates != sent[-1][1:]:
            sent.append((now,) + rates)
            plant.send(now, rates[::-1] if across else rates)
        plant.move(now)
        speed = 0.995 * speed + rng.normal(0, 1, 2) * wander * sim.STEP_S
        place = place + speed * sim.STEP_S
        if now >= next_s:
            next_s += 1 / 30
            seen.append((now + late, *(place - plant.angle + rng.normal(0, noise, 2))))
    return sent, seen, moves


@pytest.mark.parametrize("late", [0.07, 0.3, 0.97])
@pytest.mark.parametrize("sign, gain", [(1, 1.0), (-1, 0.8), (1, 1.3)])
def test_nudges_find_sign_scale_and_delay(late, sign, gain):
    found = nudges.measure(*nudged(late, sign, gain))
    assert found.sign == (sign, sign)
    assert found.scale == pytest.approx((gain, gain), rel=0.025)
    assert found.delay == pytest.approx(late + sim.OWN_S, abs=0.015) and found.spread < 0.06


@pytest.mark.parametrize(
    "wrong, what",
    [
        ({"wander": 60.0}, "no answer"),
        ({"noise": 3.0}, "no answer"),
        ({"gain": 0.0}, "no answer"),
        ({"across": True}, "other axis"),
    ],
)
def test_a_scene_that_does_not_answer_clearly_is_refused(wrong, what):
    with refusal(BadScene, what):
        nudges.measure(*nudged(**wrong))


def test_the_motion_of_a_picture_is_counted_in_degrees():
    rng, motion = np.random.RandomState(1), nudges.PictureMotion(60.0)
    wide = rng.randint(0, 256, (240, 400, 3)).astype(np.uint8)
    focal = 160 / math.tan(math.radians(30.0))
    for shift in range(0, 40, 4):
        right, up = motion.add(np.ascontiguousarray(wide[:, 40 - shift : 360 - shift]))
    assert right == pytest.approx(math.degrees(36 / focal), rel=0.02) and abs(up) < 0.05


def test_a_gimbal_s_answer_tells_the_field_of_view():
    from hotpath_vehicle.calibrate import calibration_of

    answer = nudges.Answer((1, -1), (1.2, 1.2), 0.2, 0.0)
    stream, actuator = ("rtsp://a:b@c/", (640, 360), 60.0), ("gimbal 1/1/154", "earth")
    made = calibration_of("gimbal", answer, stream, actuator)
    assert made.fov == pytest.approx(51.4, abs=0.1) and made.scale == (1.0, 1.0)
    assert made.stream == "rtsp://a:***@c/" and isinstance(made, AimCalibration)
    made = calibration_of("ptz", answer, stream, ("onvif://c:80", "none"))
    assert made.fov == 60.0 and made.scale == (1.2, 1.2) and made.kind == "ptz"


def test_a_calibration_never_raises_the_numbers_of_a_user():
    settings = load_settings()
    settings["pid"]["kp"], settings["limits"]["yaw_rate"] = 0.5, 2.0
    changed = calibrations.settings_for(settings, KNOWN)
    assert changed["pid"]["kp"] == 0.5 and changed["limits"]["yaw_rate"] == 2.0
