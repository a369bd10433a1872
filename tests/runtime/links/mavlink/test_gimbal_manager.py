"""Discovery and ownership of the gimbal, and yielding control, message by message."""

import pytest

pytest.importorskip("pymavlink")


from runtime.links.gimbal.control import Control
from runtime.links.gimbal.settings import load_settings
from runtime.links.mavlink import numbers as m
from runtime.links.mavlink.gimbal_manager import GimbalManager
from runtime.links.mavlink.messages import Message, View
from runtime.types import Track
from tests.support.quaternions import quaternion_of

ME, MANAGER = (1, 100), (1, 154)


@pytest.fixture
def gimbal():
    return GimbalManager(Control(load_settings(), (60.0, 46.0)), ME[0], ME[1], 1.0)


def information():
    return Message("GIMBAL_MANAGER_INFORMATION", {"gimbal_device_id": 154}, *MANAGER)


def status(primary):
    fields = {"primary_control_sysid": primary[0], "primary_control_compid": primary[1]}
    return Message("GIMBAL_MANAGER_STATUS", fields, *MANAGER)


def view(now, target=True, number=0):
    track = Track((500.0, 100.0, 20.0, 20.0), 0.9) if target else None
    return View(int(now * 30), now, (640, 480), track, number if target else None, 30.0)


def commands(out, number):
    return [f for name, f in out if name == "COMMAND_LONG" and f["command"] == number]


def rates(out):
    return [f for name, f in out if name == "GIMBAL_MANAGER_SET_PITCHYAW"]


def in_control(gimbal, now=0.0):
    gimbal.receive(information(), now)
    gimbal.frame(view(now), now)
    gimbal.receive(status(ME), now)


def test_the_manager_is_asked_for_until_it_answers(gimbal):
    out = [o for n in range(60) for o in gimbal.tick(n / 20.0)]
    assert len(commands(out, m.CMD_REQUEST_MESSAGE)) == 3
    assert commands(out, m.CMD_REQUEST_MESSAGE)[0]["target_component"] == 0
    gimbal.receive(information(), 3.0)
    assert commands(gimbal.tick(3.05), m.CMD_REQUEST_MESSAGE) == []


def test_control_is_asked_for_only_with_a_target(gimbal):
    gimbal.receive(information(), 0.0)
    assert commands(gimbal.tick(0.1), m.CMD_DO_GIMBAL_MANAGER_CONFIGURE) == []
    (claim,) = commands(gimbal.frame(view(0.2), 0.2), m.CMD_DO_GIMBAL_MANAGER_CONFIGURE)
    assert (claim["param1"], claim["param2"], claim["param7"]) == (1.0, 100.0, 154.0)


def test_no_rate_is_sent_without_control(gimbal):
    gimbal.receive(information(), 0.0)
    assert rates(gimbal.frame(view(0.1), 0.1)) == []
    gimbal.receive(status(ME), 0.2)
    (sent,) = rates(gimbal.frame(view(0.3), 0.3))
    assert sent["yaw_rate"] > 0 and sent["pitch_rate"] > 0  # right of and above the centre
    assert sent["pitch"] != sent["pitch"]  # NaN: rates alone


def test_it_gives_way_when_somebody_else_takes_control(gimbal):
    in_control(gimbal)
    gimbal.receive(status((255, 190)), 0.1)
    out = [o for n in range(2, 30) for o in gimbal.frame(view(n / 10.0), n / 10.0)]
    assert rates(out) == [] and commands(out, m.CMD_DO_GIMBAL_MANAGER_CONFIGURE) == []


def test_a_new_target_asks_for_control_again(gimbal):
    in_control(gimbal)
    gimbal.receive(status((255, 190)), 0.1)
    gimbal.frame(view(0.2, target=False), 0.2)
    gimbal.receive(status((255, 190)), 1.9)
    out = gimbal.frame(view(2.0, number=1), 2.0)
    assert len(commands(out, m.CMD_DO_GIMBAL_MANAGER_CONFIGURE)) == 1


def test_after_the_target_the_gimbal_stands_still_and_is_given_back(gimbal):
    in_control(gimbal)
    gimbal.frame(view(0.1), 0.1)
    out = [o for n in range(2, 30) for o in gimbal.frame(view(n / 20.0, target=False), n / 20.0)]
    assert len(rates(out)) == 5
    assert all(f["yaw_rate"] == f["pitch_rate"] == 0.0 for f in rates(out))
    (release,) = commands(out, m.CMD_DO_GIMBAL_MANAGER_CONFIGURE)
    assert (release["param1"], release["param2"]) == (0.0, 0.0)


def test_a_lost_link_is_noticed_and_taken_up_again(gimbal):
    in_control(gimbal)
    heard_last = [o for n in range(1, 20) for o in gimbal.frame(view(n / 20.0), n / 20.0)]
    assert gimbal.up and len(rates(heard_last)) == 19
    later = [o for n in range(21, 60) for o in gimbal.frame(view(n / 20.0), n / 20.0)]
    assert not gimbal.up and rates(later) == []
    gimbal.receive(information(), 5.0)
    gimbal.receive(status((0, 0)), 5.0)
    out = gimbal.frame(view(5.05), 5.05)
    assert len(commands(out, m.CMD_DO_GIMBAL_MANAGER_CONFIGURE)) == 1
    gimbal.receive(status(ME), 5.1)
    assert len(rates(gimbal.frame(view(5.15), 5.15))) == 1


def test_a_source_without_frames_stops_the_camera(gimbal):
    in_control(gimbal)
    last = None
    for n in range(200):
        now = n / 20.0
        gimbal.receive(status(ME), now)
        out = gimbal.frame(view(now), now) if n < 20 else gimbal.tick(now)
        last = (rates(out) or [last])[-1]
    assert last["yaw_rate"] == 0.0 and gimbal.control.doing == "stop"


def test_attitudes_that_are_none_are_not_taken(gimbal):
    nan = float("nan")
    for q in ([nan] * 4, [0.0] * 4, [1e30] * 4):
        gimbal.receive(
            Message("GIMBAL_DEVICE_ATTITUDE_STATUS", {"q": q, "flags": 16}, *MANAGER), 1.0
        )
    assert not gimbal.control.yaw.camera.fresh(1.0)
    good = {"q": quaternion_of(-0.3, 0.5), "flags": 16}
    gimbal.receive(Message("GIMBAL_DEVICE_ATTITUDE_STATUS", good, *MANAGER), 1.1)
    assert gimbal.control.yaw.camera.angle(1.1) == pytest.approx(0.5)


def test_another_vehicle_s_gimbal_is_left_alone(gimbal):
    gimbal.receive(Message("GIMBAL_MANAGER_INFORMATION", {"gimbal_device_id": 1}, 2, 154), 0.0)
    assert gimbal.manager is None
