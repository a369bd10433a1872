"""A target's position on the ground is reported only if it can be computed."""

import math

import pytest

pytest.importorskip("pymavlink")

from hotpath.runtime.types import Track
from hotpath_vehicle.mavlink.geo import Geo
from hotpath_vehicle.mavlink.messages import Message, TargetView
from vehicle_tests.support.quaternions import quaternion_of

SIZE = (640, 480)
CENTRE = Track((310.0, 230.0, 20.0, 20.0), 0.9)


def attitude(pitch_deg, yaw_deg=0.0):
    fields = dict(roll=0.0, pitch=math.radians(pitch_deg), yaw=math.radians(yaw_deg), yawspeed=0.0)
    return Message("ATTITUDE", fields, 1, 1)


def view(track=CENTRE, at=1.0):
    return TargetView(1, at, SIZE, track, 0, 30.0)


def geo_at(pitch_deg, yaw_deg=0.0, height_m=50.0):
    geo = Geo((60.0, 46.8))
    place = {"lat": 473977420, "lon": 85455940, "alt": 488000, "relative_alt": int(height_m * 1e3)}
    geo.receive(Message("GLOBAL_POSITION_INT", place, 1, 1), 1.0)
    geo.receive(attitude(pitch_deg, yaw_deg), 1.0)
    return geo


def metres_away(found):
    north = math.radians(found[0] - 47.397742) * 6371000
    east = math.radians(found[1] - 8.545594) * 6371000 * math.cos(math.radians(47.397742))
    return north, east


@pytest.mark.parametrize("place", range(4))
def test_a_box_that_is_not_a_number_has_no_position(place):
    box = [310.0, 230.0, 20.0, 20.0]
    box[place] = float("nan")
    assert geo_at(-45.0).target(view(Track(tuple(box), 0.9))) is None


def test_down_45_degrees_is_as_far_as_high():
    found = geo_at(-45.0).target(view())
    assert metres_away(found) == pytest.approx((50.0, 0.0), abs=0.1)
    assert found[3] == pytest.approx(50.0 * math.sqrt(2), rel=1e-3)
    assert found[2] == pytest.approx(488.0 - 50.0)
    assert metres_away(geo_at(-45.0, 90.0).target(view())) == pytest.approx((0.0, 50.0), abs=0.1)
    right = Track((600.0, 230.0, 20.0, 20.0), 0.9)
    assert metres_away(geo_at(-45.0).target(view(right)))[1] > 20


@pytest.mark.parametrize("flags, yaw_deg", [(16, 50.0), (64, 50.0), (0, 90.0), (16 | 32, 90.0)])
def test_the_gimbal_s_own_angles_replace_the_vehicle_s(flags, yaw_deg):
    """Its yaw is from north with YAW_LOCK or YAW_IN_EARTH_FRAME, else from the vehicle's nose."""
    geo = geo_at(0.0, 40.0)
    assert geo.target(view()) is None
    told = {"q": quaternion_of(math.radians(-45.0), math.radians(50.0)), "flags": flags}
    geo.receive(Message("GIMBAL_DEVICE_ATTITUDE_STATUS", told, 1, 154), 1.0)
    north, east = metres_away(geo.target(view()))
    assert math.degrees(math.atan2(east, north)) == pytest.approx(yaw_deg, abs=0.1)
    assert math.hypot(north, east) == pytest.approx(50.0, abs=0.1)


OLD_PLACE = geo_at(-45.0)
OLD_PLACE.receive(attitude(-45.0), 3.0)


@pytest.mark.parametrize(
    "geo, seen",
    [
        (OLD_PLACE, view(at=3.0)),
        (geo_at(-45.0), view(None)),
        (geo_at(-45.0), view(Track(CENTRE.box, 0.1, lost=True, state="lost"))),
        (geo_at(-45.0), view(Track(CENTRE.box, 0.1, state="unsure"))),
        (geo_at(-45.0), view(at=3.0)),  # the attitude is too old as well
        (geo_at(-2.0), view()),  # along the horizon
        (geo_at(30.0), view()),  # into the sky
        (geo_at(-45.0, height_m=-1.0), view()),  # below the take-off
        (Geo((60.0, 46.8)), view()),  # nothing is known of the vehicle
    ],
)
def test_nothing_is_told_where_nothing_is_known(geo, seen):
    assert geo.target(seen) is None and geo.status(seen) == []


def test_the_accuracy_is_worse_for_a_flat_ray():
    steep, flat = geo_at(-60.0).target(view())[4], geo_at(-10.0).target(view())[4]
    assert 1.0 < steep < 5.0 and flat > 15.0
