"""The control law: where the camera turns, how fast, and how it goes on after one."""

import math

import pytest

from hotpath.runtime.frames.directions import ray_of, vertical_fov_deg
from hotpath_vehicle.gimbal import angles
from hotpath_vehicle.gimbal.control import CameraAngle, Control
from hotpath_vehicle.gimbal.settings import (
    BadSettings,
    load_settings,
)
from vehicle_tests.support.quaternions import quaternion_of

SIZE = (640, 480)
FOV = (60.0, vertical_fov_deg(60.0, SIZE))
CENTRE = (310.0, 230.0, 20.0, 20.0)


def follow(control, box, frames=60):
    """Commands for a camera that does not move; returns the last (pitch rate, yaw rate)."""
    for n in range(frames):
        now = n / 30.0
        control.attitude(now, 0.0, 0.0)
        rates = control.sent(now + 0.05, control.update(now + 0.05, now, box, SIZE))
    return rates


def test_it_turns_towards_a_target_outside_the_dead_band():
    right_and_above = (500.0, 100.0, 20.0, 20.0)
    pitch_rate, yaw_rate = follow(Control(load_settings(), FOV), right_and_above)
    assert yaw_rate > 0.1 and pitch_rate > 0.1
    left_and_below = (100.0, 400.0, 20.0, 20.0)
    pitch_rate, yaw_rate = follow(Control(load_settings(), FOV), left_and_below)
    assert yaw_rate < -0.1 and pitch_rate < -0.1
    assert follow(Control(load_settings(), FOV), CENTRE) == (0.0, 0.0)


def test_rates_and_their_change_are_limited():
    settings = load_settings()
    control = Control(settings, FOV)
    before = 0.0
    for n in range(90):
        now = n / 30.0
        control.attitude(now, 0.0, 0.0)
        _, rate = control.sent(now, control.update(now, now, (630.0, 230.0, 9.0, 20.0), SIZE))
        assert abs(rate) <= math.radians(settings["limits"]["yaw_rate"]) + 1e-9
        if n:
            assert abs(rate - before) <= math.radians(settings["limits"]["slew"]) / 30 + 1e-6
        before = rate


@pytest.mark.parametrize("limit_deg, y", [(30.0, 0.0), (-30.0, 460.0)])  # both ends
def test_the_pitch_range_is_kept(limit_deg, y):
    settings = load_settings()
    settings["limits"]["pitch_min"] = -30.0
    control = Control(settings, FOV)
    for n in range(60):
        now = n / 30.0
        control.attitude(now, math.radians(limit_deg), 0.0)
        rates = control.update(now, now, (310.0, y, 20.0, 20.0), SIZE)
        pitch_rate, _ = control.sent(now, rates)
        assert pitch_rate == 0.0


def test_control_goes_on_from_rates_sent_without_a_target():
    control = Control(load_settings(), FOV)
    follow(control, (630.0, 230.0, 9.0, 20.0))
    control.ease(2.0, (0.0, 0.1))
    most = math.radians(load_settings()["limits"]["slew"]) / 30
    _, rate = control.update(2.0 + 1 / 30, 2.0, (630.0, 230.0, 9.0, 20.0), SIZE)
    assert 0.1 < rate <= 0.1 + most + 1e-6


def test_yaw_is_followed_over_the_turn_from_pi_to_minus_pi():
    control = Control(load_settings(), FOV)
    for n in range(90):
        now = n / 30.0
        yaw = math.pi - 0.2 + 0.2 * now
        control.attitude(now, 0.0, math.atan2(math.sin(yaw), math.cos(yaw)))
        _, rate = control.sent(now, control.update(now, now, CENTRE, SIZE))
        assert abs(rate) < 0.6
    assert rate == pytest.approx(0.2, abs=0.1)


def test_without_attitudes_the_commanded_rates_are_added_up():
    camera = CameraAngle(0.0, 0.3)
    for n in range(300):  # 10 s at half a radian a second
        camera.command(n / 30.0, 0.5)
    assert camera.angle(10.0) == pytest.approx(5.0)
    assert camera.angle(9.0) == pytest.approx(4.5)
    assert not camera.fresh(10.0)


def test_between_two_attitudes_the_angle_is_interpolated():
    camera = CameraAngle(0.0, 0.3)
    for at in range(10):
        camera.note(float(at), 0.1 * at)
    assert camera.angle(8.5) == pytest.approx(0.85)


def test_angles_and_quaternions_agree():
    for pitch in (-1.2, -0.3, 0.0, 0.4):
        for yaw in (-3.0, -0.5, 0.0, 2.0):
            found = angles.pitch_yaw_of_quaternion(quaternion_of(pitch, yaw))
            seen = angles.pitch_yaw_of(angles.turned((1.0, 0.0, 0.0), 0.0, pitch, yaw))
            assert found == pytest.approx((pitch, yaw)) and seen == pytest.approx((pitch, yaw))
    assert angles.pitch_yaw_of_quaternion((float("nan"), 0, 0, 0)) is None
    assert angles.between(3.0, -3.0) == pytest.approx(6.0 - 2 * math.pi)


def test_the_frame_s_border_is_half_the_field_of_view_away():
    ray = ray_of((640.0, 240.0), SIZE, (60.0, 45.0))
    assert math.atan2(ray[1], ray[0]) == pytest.approx(math.radians(30.0))
    ray = ray_of((320.0, 480.0), SIZE, (60.0, 45.0))
    assert math.atan2(ray[2], ray[0]) == pytest.approx(math.radians(22.5))


@pytest.mark.parametrize(
    "text, messages",
    [
        ("[pid]\nkp = 'much'", "kp must be a number"),
        ("[pid]\nkp = 1e9", "must lie in 0 to 50"),
        ("[pid]\nkk = 1", "kk is not a known key"),
        ("[pip]\nkp = 1", "unknown section"),
        ("[limits]\npitch_min = 40.0", "pitch_min must be below"),
        ("[pid", "can't be read"),
    ],
)
def test_a_wrong_settings_file_is_refused_with_a_sentence(tmp_path, text, messages):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(BadSettings, match=messages):
        load_settings(str(path))


def test_an_own_settings_file_changes_only_what_it_names(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("[pid]\nkp = 1.5\n")
    settings = load_settings(str(path))
    assert settings["pid"]["kp"] == 1.5
    assert settings["limits"] == load_settings()["limits"]
