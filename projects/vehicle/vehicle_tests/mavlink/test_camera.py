"""The messages that the camera receives and sends, one by one, without a link."""

import math
from concurrent.futures import Future
from functools import partialmethod

import pytest

pytest.importorskip("pymavlink")
from pymavlink.dialects.v20 import common

from hotpath.app.links.requests import RequestRefused
from hotpath.runtime.types import Track
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.camera import CLOCK_MODULUS_MS, GIVE_UP_S, MavlinkCamera
from hotpath_vehicle.mavlink.codec import Codec
from hotpath_vehicle.mavlink.messages import Message, TargetView
from hotpath_vehicle.mavlink.reports import (
    OLD_REQUESTS,
    CameraIdentity,
    VideoStream,
    boot_ms,
    command_long,
)

NAN = float("nan")
STREAM = VideoStream(m.STREAM_RTSP, "rtsp://10.0.0.1:8554/live", "tracked", 4000000)


class Scripted:
    """A run that records its requests, and answers when the test says so."""

    def __init__(self):
        self.asked = []
        self.future = None
        self.refuse = False
        self.view = TargetView(7, 100.0, (640, 480), None, None, 25.0)
        self.recording, self.finds_at_points = (True, 0.0), True

    def _ask(self, *what):
        if self.refuse:
            raise RequestRefused(503, "too many requests wait")
        self.asked.append(what)
        self.future = Future()
        return self.future

    start_box, start_point = partialmethod(_ask, "box"), partialmethod(_ask, "point")
    stop, record = partialmethod(_ask, "stop"), partialmethod(_ask, "record")


@pytest.fixture
def camera():
    name = "a name longer than the field of 32 bytes"
    identity = CameraIdentity(1, 100, name, (60.0, 46.0), [STREAM], None)
    return MavlinkCamera(Scripted(), identity, link_delay_s=0.25)


def command(number, *parameters, **more):
    name, fields = command_long((1, 100), number, *parameters)
    return Message(name, dict(fields, **more), 255, 190)


RECTANGLE = command(m.CMD_CAMERA_TRACK_RECTANGLE, 0.25, 0.5, 0.5, 0.75)
WANTED = 160.0, 240.0, 160.0, 120.0  # its box, pixels
CLICK = command(m.CMD_CAMERA_TRACK_POINT, 0.5, 0.5)


def results(out):
    return [fields["result"] for name, fields in out if name == "COMMAND_ACK"]


def test_a_heartbeat_is_sent_every_second(camera):
    sent = [camera.tick(n / 20.0) for n in range(1, 101)]
    beats = [fields["type"] for out in sent for name, fields in out if name == "HEARTBEAT"]
    assert beats == [30] * 5  # a camera


@pytest.mark.parametrize("old, number", sorted(OLD_REQUESTS.items()))
def test_what_is_requested_is_acknowledged_and_sent(camera, old, number):
    for request in (command(m.CMD_REQUEST_MESSAGE, number), command(old, 1)):
        (_, ack), (name, fields) = camera.receive(request, 1.0)
        assert ack["result"] == m.ACCEPTED
        message = Codec(255, 190).decode(Codec(1, 100).encode(name, fields))
        assert message.name == name and getattr(common, f"MAVLINK_MSG_ID_{name}") == number


def test_the_information_tells_what_the_camera_can_do(camera):
    (_, (name, fields)) = camera.receive(command(m.CMD_REQUEST_MESSAGE, m.CAMERA_INFORMATION), 1.0)
    assert name == "CAMERA_INFORMATION"
    assert bytes(fields["model_name"]) == b"a name longer than the field of\0"
    assert fields["flags"] & m.CAP_HAS_TRACKING_POINT
    assert fields["flags"] & m.CAP_HAS_TRACKING_RECTANGLE
    assert fields["flags"] & m.CAP_HAS_VIDEO_STREAM
    assert not fields["flags"] & m.CAP_HAS_TRACKING_GEO_STATUS  # no field of view was given
    assert not fields["flags"] & common.CAMERA_CAP_FLAGS_CAPTURE_IMAGE
    camera.run.recording, camera.run.finds_at_points = (False, None), False
    (_, (_, fields)) = camera.receive(command(m.CMD_REQUEST_MESSAGE, m.CAMERA_INFORMATION), 2.0)
    assert not fields["flags"] & (m.CAP_CAPTURE_VIDEO | m.CAP_HAS_TRACKING_POINT)


def test_a_click_on_the_far_edge_means_the_last_pixel(camera):
    camera.receive(command(m.CMD_CAMERA_TRACK_POINT, 1.0, 1.0), 5.0)
    assert camera.run.asked[0][1] == (639.0, 479.0)


@pytest.mark.parametrize(
    "result, asked",
    [
        (m.UNSUPPORTED, (m.CMD_REQUEST_MESSAGE, 9999)),
        (m.UNSUPPORTED, (m.CMD_REQUEST_MESSAGE, NAN)),
        (m.UNSUPPORTED, (400, 1)),
        (m.UNSUPPORTED, (common.MAV_CMD_IMAGE_START_CAPTURE, 0, 0, 1)),
        (m.UNSUPPORTED, (m.CMD_SET_MESSAGE_INTERVAL, 30, 1e5)),
        (m.UNSUPPORTED, (m.CMD_SET_MESSAGE_INTERVAL, m.VIDEO_STREAM_INFORMATION, 1e6)),
        # without --fov
        (m.UNSUPPORTED, (m.CMD_SET_MESSAGE_INTERVAL, m.CAMERA_TRACKING_GEO_STATUS, 1e5)),
        (m.DENIED, (m.CMD_CAMERA_TRACK_RECTANGLE, 0.2, 0.2, 0.2, 0.4)),  # no width
        (m.DENIED, (m.CMD_CAMERA_TRACK_RECTANGLE, -0.1, 0.2, 0.3, 0.4)),
        (m.DENIED, (m.CMD_CAMERA_TRACK_RECTANGLE, NAN, 0.2, 0.3, 0.4)),
        (m.DENIED, (m.CMD_CAMERA_TRACK_POINT, 1.5, 0.5)),
        (m.DENIED, (m.CMD_CAMERA_TRACK_POINT, NAN, NAN)),
        (m.DENIED, (m.CMD_CAMERA_TRACK_POINT, 0.5, 0.5, 1e30)),
        (m.DENIED, (m.CMD_VIDEO_STOP_STREAMING, 1)),
        (m.DENIED, (m.CMD_SET_MESSAGE_INTERVAL, m.CAMERA_TRACKING_IMAGE_STATUS, NAN)),
        (m.DENIED, (m.CMD_SET_MESSAGE_INTERVAL, m.CAMERA_TRACKING_IMAGE_STATUS, -7)),
    ],
)
def test_what_makes_no_sense_is_refused_and_asks_nothing(camera, result, asked):
    assert results(camera.receive(command(*asked), 1.0)) == [result]
    assert camera.run.asked == []


def test_commands_for_others_are_left_to_them(camera):
    assert camera.receive(command(m.CMD_REQUEST_MESSAGE, 259, target_component=1), 1.0) == []
    assert camera.receive(command(m.CMD_REQUEST_MESSAGE, 259, target_system=9), 1.0) == []
    assert camera.receive(command(400, 1, target_component=0), 1.0) == []  # to all
    everyone = command(m.CMD_REQUEST_MESSAGE, 259, target_component=0)
    assert results(camera.receive(everyone, 1.0)) == [m.ACCEPTED]


OF_A_CAMERA = {  # with "Target camera ID" as the last parameter
    "rectangle": (m.CMD_CAMERA_TRACK_RECTANGLE, 0.2, 0.2, 0.4, 0.4),
    "point": (m.CMD_CAMERA_TRACK_POINT, 0.5, 0.5, 0.1),
    "stop": (m.CMD_CAMERA_STOP_TRACKING,),
    "start of a recording": (m.CMD_VIDEO_START_CAPTURE, 0, 0),
    "end of a recording": (m.CMD_VIDEO_STOP_CAPTURE, 0),
    "start of a stream": (m.CMD_VIDEO_START_STREAMING, 1),
}


@pytest.mark.parametrize("what", sorted(OF_A_CAMERA))
@pytest.mark.parametrize("component", [0, 100])
def test_a_command_for_another_camera_has_no_answer(camera, what, component):
    for other in (101, 2, 99.5, 255):  # 1 to 6: cameras of the autopilot
        asked = command(*OF_A_CAMERA[what] + (other,), target_component=component)
        assert camera.receive(asked, 1.0) == []
    assert camera.run.asked == [] and camera.tick(0.0)[1:] == []
    for ours in (0, 100, NAN):  # NaN: not set
        camera.receive(command(*OF_A_CAMERA[what] + (ours,), target_component=component), 1.0)
        if camera.run.future is not None:
            camera.run.future.set_result(0)
        assert results(camera.tick(1.1)) == [m.ACCEPTED] or what == "start of a stream"
    assert len(camera.run.asked) == (0 if what == "start of a stream" else 3)


@pytest.mark.parametrize("number, index", sorted(m.TARGET_CAMERA.items()))
def test_the_cameras_parameter_is_that_of_the_message_set(number, index):
    described = common.enums["MAV_CMD"][number].param[index + 1]
    assert "Target camera ID" in described


@pytest.mark.parametrize("x, asked", [(101, []), (0, [WANTED]), (m.NOT_SET, [WANTED])])
def test_command_int_names_a_camera_by_an_integer_and_corners_in_any_order(camera, x, asked):
    corners = dict(param1=0.5, param2=0.75, param3=0.25, param4=0.5, x=x, y=0, z=0.0)
    camera.receive(Message("COMMAND_INT", dict(RECTANGLE.fields, **corners), 255, 190), 5.0)
    assert [box for _, box, _ in camera.run.asked] == asked


def test_a_rectangle_starts_a_target_on_the_frame_that_was_seen(camera):
    out = camera.receive(RECTANGLE, 50.0)
    assert results(out) == []  # the frame loop has not done it yet
    assert camera.run.asked == [("box", WANTED, 49.75)]  # --link-delay
    camera.run.future.set_result(0)
    assert results(camera.tick(50.05)) == [m.ACCEPTED]


@pytest.mark.parametrize("now", [40000.0, CLOCK_MODULUS_MS / 1e3 * 3 + 0.1])  # it wraps around
def test_a_click_that_states_its_frame_s_time_is_matched_to_it(camera, now):
    stated = boot_ms(now - 0.8) % CLOCK_MODULUS_MS
    camera.receive(command(m.CMD_CAMERA_TRACK_POINT, 0.5, 0.5, 0.1, 0, 0, stated), now)
    kind, point, seen_s = camera.run.asked[0]
    assert (kind, point) == ("point", (320.0, 240.0))
    assert now - seen_s == pytest.approx(0.8, abs=0.002)


def test_a_long_command_is_in_progress_until_it_is_done(camera):
    camera.receive(CLICK, 1.0)
    sentences = [r for n in range(1, 31) for r in results(camera.tick(1.0 + n * 0.05))]
    assert sentences and set(sentences) == {m.IN_PROGRESS} and len(sentences) <= 4
    camera.run.future.set_result(3)
    assert results(camera.tick(3.0)) == [m.ACCEPTED]
    assert results(camera.tick(3.1)) == []


@pytest.mark.parametrize("count", [0, 1])  # MAVSDK does not count its repetitions
def test_a_repeated_command_is_not_done_twice(camera, count):
    camera.receive(CLICK, 1.0)
    again = command(m.CMD_CAMERA_TRACK_POINT, 0.5, 0.5, confirmation=count)
    assert results(camera.receive(again, 1.1)) == [m.IN_PROGRESS]
    camera.run.future.set_result(3)
    camera.tick(1.2)
    assert results(camera.receive(again, 1.3)) == [m.ACCEPTED]  # the first answer was lost
    assert len(camera.run.asked) == 1


def test_the_same_rectangle_after_a_stop_starts_a_target_again(camera):
    for number in (RECTANGLE, command(m.CMD_CAMERA_STOP_TRACKING), RECTANGLE):
        camera.receive(number, 1.0)
        camera.run.future.set_result(0)
        camera.tick(1.1)
    assert [what[0] for what in camera.run.asked] == ["box", "stop", "box"]


def test_what_can_not_be_done_now_is_rejected_for_now(camera):
    camera.receive(CLICK, 1.0)
    other = command(m.CMD_CAMERA_TRACK_POINT, 0.1, 0.1)
    assert results(camera.receive(other, 1.1)) == [m.TEMPORARILY_REJECTED]
    camera.run.view = None  # before the first frame
    assert results(camera.receive(RECTANGLE, 1.2)) == [m.TEMPORARILY_REJECTED]


def test_refusals_and_silence_of_the_frame_loop_are_told(camera):
    camera.receive(command(m.CMD_CAMERA_STOP_TRACKING), 1.0)
    camera.run.future.set_exception(RequestRefused(410, "gone"))
    assert results(camera.tick(1.1)) == [m.DENIED]
    camera.receive(command(m.CMD_CAMERA_STOP_TRACKING), 2.0)
    assert results(camera.tick(2.1 + GIVE_UP_S)) == [m.FAILED]
    assert camera.run.future.cancelled()  # so the loop does not carry it out later
    camera.run.refuse = True
    out = camera.receive(command(m.CMD_CAMERA_STOP_TRACKING), 20.0)
    assert results(out) == [m.TEMPORARILY_REJECTED]


def test_a_begun_command_fails_only_when_the_loop_says_so(camera):
    camera.receive(RECTANGLE, 1.0)
    camera.run.future.set_running_or_notify_cancel()
    assert results(camera.tick(1.1 + GIVE_UP_S)) == [m.IN_PROGRESS]
    camera.run.future.set_result(0)
    assert results(camera.tick(1.2 + GIVE_UP_S)) == [m.ACCEPTED]


def test_the_status_comes_once_a_frame_at_the_rate_asked_for(camera):
    wanted = command(m.CMD_SET_MESSAGE_INTERVAL, m.CAMERA_TRACKING_IMAGE_STATUS, 1e5)
    assert results(camera.receive(wanted, 1.0)) == [m.ACCEPTED]
    sent = 0
    for n in range(300):  # 10 s of 30 frames a second
        now = 1.0 + n / 30.0
        camera.run.view = TargetView(
            n, now - 0.01, (640, 480), Track((64, 48, 64, 96), 0.9), 0, 30.0
        )
        sent += sum(name == "CAMERA_TRACKING_IMAGE_STATUS" for name, _ in camera.tick(now))
    assert sent == pytest.approx(100, abs=2)
    camera.receive(command(m.CMD_SET_MESSAGE_INTERVAL, m.CAMERA_TRACKING_IMAGE_STATUS, -1), 12.0)
    assert [n for n, _ in camera.tick(20.0)] == ["HEARTBEAT"]


def test_the_status_tells_the_frame_and_its_box_or_none(camera):
    camera.run.view = TargetView(41, 12.5, (640, 480), Track((64, 48, 64, 96), 0.9), 0, 30.0)
    request = command(m.CMD_REQUEST_MESSAGE, m.CAMERA_TRACKING_IMAGE_STATUS)
    _, (stamp, frame), (name, status) = camera.receive(request, 12.6)
    assert (stamp, frame["value"], frame["time_boot_ms"]) == ("NAMED_VALUE_INT", 41, 12500)
    assert status["tracking_status"] == m.TRACKING_ACTIVE
    corners = [status["rec_" + key] for key in ("top_x", "top_y", "bottom_x", "bottom_y")]
    assert corners == pytest.approx([0.1, 0.1, 0.2, 0.3])
    for lost, word in ((True, "lost"), (False, "unsure")):
        track = Track((NAN,) * 4, 0.1, lost, word)
        camera.run.view = TargetView(1, 1.0, (640, 480), track, 0, 30.0)
        status = camera.receive(request, 1.0)[-1][1]
        assert status["tracking_status"] == m.TRACKING_ERROR and math.isnan(status["rec_top_x"])
    camera.run.view = TargetView(2, 2.0, (640, 480), None, None, 30.0)
    status = camera.receive(request, 2.0)[-1][1]
    assert status["tracking_status"] == m.TRACKING_IDLE and status["tracking_mode"] == 0


def test_a_recording_is_the_runs_and_denied_without_a_file(camera):
    def told(now):
        ask = command(m.CMD_REQUEST_MESSAGE, m.CAMERA_CAPTURE_STATUS)
        (_, (_, fields)) = camera.receive(ask, now)
        return fields["video_status"], fields["recording_time_ms"]

    camera.run.recording = (False, 2.0)  # no file was named
    assert told(5.0) == (0, 0)
    assert results(camera.receive(command(m.CMD_VIDEO_START_CAPTURE), 5.0)) == [m.DENIED]
    camera.run.recording = (True, 2.0)
    assert told(5.0) == (1, 3000)
    camera.receive(command(m.CMD_VIDEO_STOP_CAPTURE), 6.0)  # the run has not done it yet
    assert told(7.0) == (1, 5000)
    camera.run.recording = (True, None)
    assert told(10.0) == (0, 0)
    camera.receive(command(m.CMD_VIDEO_START_CAPTURE), 10.5)
    assert camera.run.asked == [("record", False), ("record", True)]


def test_clocks_can_be_compared(camera):
    ask = Message("TIMESYNC", {"tc1": 0, "ts1": 123}, 255, 190)
    assert camera.receive(ask, 2.5) == [("TIMESYNC", {"tc1": 2500000000, "ts1": 123})]
    answer = Message("TIMESYNC", {"tc1": 9, "ts1": 123}, 255, 190)
    assert camera.receive(answer, 2.5) == []
