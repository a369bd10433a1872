"""A simulated multicopter follows its target, and stops for every reason to stop."""

import math

import numpy as np
import pytest

pytest.importorskip("pymavlink")
from pymavlink.dialects.v20 import common

from hotpath.runtime.track.links.gimbal.settings import FOLLOW, load_settings
from hotpath.runtime.track.links.mavlink.messages import Message
from tests.drone.multicopter import PX4_OFFBOARD, Flight, Multicopter, circling, walking

SPEED = 3.0  # metres a second that the flights below may reach


@pytest.fixture
def flight():
    """The vehicle flies and turns after a target: there is something to stop."""
    made = Flight(walking(), SPEED)
    made.run(8.0)
    assert made.follow.following and made.samples[-1].speed > 1.0
    return made


@pytest.mark.parametrize(
    "path, more",
    [
        (circling(), {}),
        (circling(-15.0), {"delay_s": 0.12, "loss": 0.2}),
        (circling(), {"delay_s": 0.12, "wind": 4.0, "px4": True}),
        (walking(), {"forward": SPEED}),
        (walking(), {"forward": SPEED, "delay_s": 0.12, "wind": 4.0, "loss": 0.2}),
    ],
)
def test_the_target_stays_in_the_middle_of_the_picture(path, more):
    flight = Flight(path, **more)
    samples = flight.run(16.0)
    assert np.nanmax([abs(s.x) for s in samples[150:]]) < 0.1
    assert not np.isnan([s.x for s in samples]).any()
    assert flight.said[-1] == "follow: begins"
    if more.get("forward"):
        assert max(s.away_m for s in samples) < 26.0  # it went 28 m away from the start
    else:
        assert all(forward == 0.0 for _, forward, _ in flight.sent)


def test_rates_speed_and_their_changes_are_limited():
    settings = load_settings(None, FOLLOW)
    limits = settings["limits"]
    limits["yaw_rate"] = 20.0
    flight = Flight(lambda t: (24.0, 21.0) if t > 3.0 else (20.0, 0.0), 1.5, settings=settings)
    flight.run(9.0)
    told = flight.sent
    assert max(abs(yaw) for _, _, yaw in told) == pytest.approx(math.radians(20.0))
    assert 1.4 < max(forward for _, forward, _ in told) <= 1.5
    assert min(forward for _, forward, _ in told) >= 0.0
    for (before_s, slow, left), (at, fast, right) in zip(told, told[1:]):
        assert fast - slow <= settings["forward"]["acceleration"] * 0.1 + 1e-6
        assert abs(right - left) <= math.radians(limits["slew"]) * max(0.1, at - before_s) + 1e-6


def manual(x, system=255):
    message = common.MAVLink_manual_control_message(1, x, 0, 500, 0, 0)
    return bytes(message.pack(common.MAVLink(None, system, 190)))


def vehicle(**changes):
    return lambda flight: vars(flight.vehicle).update(changes)


def without(message):
    number = getattr(common, f"MAVLINK_MSG_ID_{message}")
    return lambda flight: flight.vehicle.unsent.add(number)


def joysticks(*moves):
    return lambda flight: [flight.hear(manual(*move)) for move in moves]


MOVED = [1500, 1620, 1300, 1500]


@pytest.mark.parametrize(
    "cause, said, within_s",
    [
        (vehicle(sticks=MOVED), "the pilot moved a stick", 0.5),
        (joysticks((0,), (-300,)), "the pilot moved a stick", 0.3),
        (joysticks((0, 254), (0,), (-300, 254), (0,)), "the pilot moved a stick", 0.3),
        (vehicle(mode=Multicopter.COPTER_LOITER), "the mode is not GUIDED or OFFBOARD", 1.3),
        (vehicle(armed=False), "the mode is not GUIDED or OFFBOARD", 1.3),
        (lambda f: f.gone.append((f.now, f.now + 6.0)), "no ATTITUDE of the autopilot", 1.3),
        (without("RC_CHANNELS"), "no sticks of the autopilot", 1.5),
        (without("HEARTBEAT"), "no HEARTBEAT of the autopilot", 3.6),
        (vehicle(sticks=[65535] * 4), "no sticks of the autopilot", 1.5),
        (lambda f: vars(f).update(number=None), "the target was dropped", 0.3),
    ],
)
def test_it_stops_and_never_begins_again_by_itself(flight, cause, said, within_s):
    begun = flight.now
    cause(flight)
    flight.run(10.0)
    vehicle(armed=True, mode=Multicopter.COPTER_GUIDED, sticks=[1500] * 4)(flight)
    flight.vehicle.unsent.clear()
    flight.run(4.0)  # all is as it was: still nothing
    assert flight.said == ["follow: begins", f"follow ends: {said}"]
    assert [values for _, *values in flight.sent[-5:]] == [[0.0, 0.0]] * 5
    assert begun - 0.2 < max(at for at, *values in flight.sent if any(values)) < begun + within_s
    assert flight.sent[-1][0] < begun + within_s + 0.6  # then silence
    assert flight.samples[-1].speed < 0.2 and abs(flight.samples[-1].yaw_rate) < 0.05
    flight.number = 1  # the user selects a target again
    flight.run(3.0)
    assert flight.said[2:] == ["follow: begins"]


def test_a_lost_target_stops_the_vehicle_until_it_is_found(flight):
    flight.visible = False
    flight.run(0.5)  # the picture of the loss comes later
    assert flight.sent[-1][1:] == (0.0, 0.0)
    flight.run(1.5)
    assert flight.samples[-1].speed < 0.3
    flight.visible = True
    flight.run(2.0)
    told = ["follow: begins", "follow holds: the target is lost"]
    assert flight.sent[-1][1] > 0.5 and flight.said == told
    flight.visible = False
    flight.run(8.0)
    assert flight.said[-1] == "follow ends: the target is lost"
    flight.visible = True
    sent = len(flight.sent)
    flight.run(3.0)
    assert len(flight.sent) == sent  # too late: the user selects again


@pytest.mark.parametrize(
    ("gone", "why", "within_s"),
    [
        (dict(moves=False), "the picture stands still", 1.0),
        (dict(frames=False), "no new picture", 1.0),
        (dict(state="unsure"), "the target is unsure", 0.5),
    ],
)
def test_without_fresh_evidence_the_vehicle_stands_still_then_following_ends(
    flight, gone, why, within_s
):
    begun = flight.now
    vars(flight).update(gone)
    flight.run(10.0)
    assert max(at for at, *values in flight.sent if any(values)) < begun + within_s
    assert flight.said[1:] == [f"follow holds: {why}", f"follow ends: {why}"]


def test_a_selection_while_the_pilot_holds_a_stick_waits_until_he_lets_go(flight):
    vehicle(sticks=MOVED)(flight)
    flight.run(1.5)
    flight.number, sent = 1, len(flight.sent)
    flight.run(3.0)
    assert len(flight.sent) == sent and flight.said[2:] == ["follow waits: a stick is not centred"]
    vehicle(sticks=[1500] * 4)(flight)
    flight.run(0.5)
    assert flight.said[3:] == ["follow: begins"]


def test_a_ground_stations_joystick_does_not_stand_for_the_pilots_sticks(flight):
    without("RC_CHANNELS")(flight)
    flight.run(2.0, each=lambda: flight.hear(manual(0)))
    assert flight.said[1:] == ["follow ends: no sticks of the autopilot"]


def test_another_selection_while_a_stick_is_off_its_centre_stops_the_vehicle():
    """The autopilot would fly on with the last setpoint for seconds."""
    flight = Flight(walking(), SPEED)
    flight.vehicle.sticks[1] = 1540
    flight.run(8.0)
    flight.vehicle.sticks[1] = 1570  # the pilot has not moved it far
    flight.run(0.5)
    assert flight.sent[-1][1] > 1.0
    flight.number = 1
    flight.run(1.0)
    assert [values for _, *values in flight.sent[-5:]] == [[0.0, 0.0]] * 5


def test_a_vehicle_on_the_ground_gets_no_setpoints():
    """They would break a take-off of GUIDED off."""
    flight = Flight(walking(), SPEED)
    flight.vehicle.state = common.MAV_STATE_STANDBY
    flight.run(4.0)
    assert flight.sent == [] and flight.said == ["follow waits: landed, or in failsafe"]
    flight.vehicle.state = common.MAV_STATE_ACTIVE
    flight.run(2.0)
    assert flight.said[1:] == ["follow: begins"]


@pytest.mark.parametrize("dropped_s", [0.0, 0.3])
def test_the_end_of_the_run_stops_the_vehicle(flight, dropped_s):
    flight.number = None if dropped_s else flight.number
    flight.run(dropped_s)
    for _ in range(3):
        (stop,) = flight.follow.leave(flight.now)
        assert stop[1]["vx"] == stop[1]["yaw_rate"] == 0.0
    flight.run(1.0)
    flight.number = None
    flight.run(3.0)
    assert flight.follow.leave(flight.now) == []  # the vehicle stands long since


def test_a_target_below_the_vehicle_turns_it_nowhere():
    """A gimbal looks down; the bearing of what is below is noise."""
    flight = Flight(lambda t: (18.0, 1.0))
    down = [math.cos(math.radians(30)), 0.0, -math.sin(math.radians(30)), 0.0]
    fields = {"q": down, "flags": 16}
    seen = Message("GIMBAL_DEVICE_ATTITUDE_STATUS", fields, 1, 154)
    flight.hear_decoded(seen)
    flight.run(3.0, each=lambda: flight.hear_decoded(seen))
    assert flight.said == ["follow: begins"] and not any(yaw for _, _, yaw in flight.sent)


def test_px4_gets_setpoints_that_stand_still_before_offboard():
    """It enters OFFBOARD only while they come, more than two a second."""
    flight = Flight(lambda t: (18.0, 8.0), px4=True)
    flight.vehicle.mode = 0
    flight.run(4.0)
    assert len(flight.sent) > 20 and not any(forward or yaw for _, forward, yaw in flight.sent)
    assert flight.said == ["follow waits: the mode is not GUIDED or OFFBOARD"]
    flight.vehicle.mode = PX4_OFFBOARD
    flight.run(3.0)
    assert flight.said[1:] == ["follow: begins"] and max(yaw for _, _, yaw in flight.sent) > 0.1


def test_a_target_moves_nothing_until_it_is_selected_over_the_link():
    flight = Flight(lambda t: (18.0, 8.0))
    flight.vehicle.stream(common.MAVLINK_MSG_ID_ATTITUDE, 0.05)  # the sticks are asked for
    flight.chosen = False
    flight.run(4.0)
    assert flight.sent == flight.said == []
    flight.chosen = True
    flight.run(2.0)
    assert flight.said == ["follow: begins"]
