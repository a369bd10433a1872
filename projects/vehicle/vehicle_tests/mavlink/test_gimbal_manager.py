"""Real packets between us and a gimbal manager: asking for control, giving way, standing still."""

import numpy as np
import pytest

pytest.importorskip("pymavlink")

from hotpath.runtime.types import Track
from hotpath_vehicle.aim.calibration import AimCalibration
from hotpath_vehicle.follow import Follow
from hotpath_vehicle.gimbal.settings import load_settings
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.codec import Codec
from hotpath_vehicle.mavlink.gimbal_manager import GimbalManager
from hotpath_vehicle.mavlink.messages import Message, TargetView
from hotpath_vehicle.mavlink.reports import status_text
from vehicle_tests.support import gimbal as sim

ME, OTHER = (1, 100), (255, 190)


class Talk:
    def __init__(self):
        self.holds = {}
        self.us = GimbalManager(Follow(load_settings(), (60.0, 46.0)), *ME, 1.0, self.holds)
        self.us.aim.note = None  # that it goes slowly
        self.gimbal, self._codec = sim.FakeGimbal(), Codec(*ME)
        self.now = 0.0
        self.silent = False
        self.sentences = []

    def box(self):
        """A target that stands, and answers each turn of the camera."""
        pitch, yaw = np.degrees(self.gimbal.angle)
        right, up = 22.0 - yaw, 17.0 - pitch
        focal = 320 / np.tan(np.radians(30.0))
        x, y = 320 + focal * np.tan(np.radians(right)), 240 - focal * np.tan(np.radians(up))
        return (float(x) - 10.0, float(y) - 10.0, 20.0, 20.0)

    def go(self, seconds, number=None, frames=True, lost=False, state="tracked", moves=True):
        """Frames come, with a target of that number above and right of the centre, or none."""
        sent = []
        begun = self.now
        while self.now < begun + seconds:
            self.now += 1 / 30.0
            track = None if number is None else Track(self.box(), 0.9, lost, state)
            view = TargetView(int(self.now * 30), self.now, (640, 480), track, number, 30.0)
            view = view._replace(doubt=None if moves else "the picture stands still")
            out = self.us.frame(view, self.now) if frames else self.us.tick(self.now)
            sent += out
            texts = [fields["text"].decode() for name, fields in out if name == "STATUSTEXT"]
            self.sentences += filter(
                None, "".join(t + "\n" * (len(t) < 50) for t in texts).split("\n")
            )
            if self.silent:
                continue
            self.gimbal.move(self.now, 1 / 30.0)
            answers = self.gimbal.due(self.now)
            for message in out:
                heard = self._codec.decode(self._codec.encode(*message))
                answers += self.gimbal.receive(heard, self.now)
            for message in answers:
                packet = self.gimbal.codec.encode(*message)
                self.us.receive(self._codec.decode(packet), self.now)
        return sent


@pytest.fixture
def talk():
    return Talk()


def claims(sent):
    return [f for name, f in sent if name == "COMMAND_LONG" and f["command"] == 1001]


def rates(sent):
    sent = [fields for name, fields in sent if name == "GIMBAL_MANAGER_SET_ATTITUDE"]
    return [(fields["angular_velocity_y"], fields["angular_velocity_z"]) for fields in sent]


def test_the_manager_is_asked_for_until_it_answers(talk):
    talk.silent = True
    assert len(talk.go(2.9)) == 3
    talk.silent = False
    talk.go(1.2)
    assert talk.us.up and claims(talk.go(2.0)) == talk.sentences == []  # there is no target yet


def test_control_is_taken_for_a_target_and_given_back_after_it(talk):
    assert claims(talk.go(1.0)) == []
    assert len(claims(talk.go(1.0, number=0))) == 1
    assert talk.gimbal.primary == ME and talk.us.ours and talk.gimbal.obeyed > 10
    assert talk.gimbal.angle[0] > 0.02 and talk.gimbal.angle[1] > 0.02  # up and to the right
    sent = talk.go(2.0)
    assert rates(sent) == [(0.0, 0.0)] * 5
    assert len(claims(sent)) == 1 and talk.gimbal.primary == (0, 0)
    assert abs(talk.gimbal.rate).max() == 0.0 and talk.sentences == []


NOBODY = "no gimbal manager of system 1 answers"
OBSTACLES = {  # (systems that are heard instead, what the manager answers, who has control) -> why
    ((5, 7), 0, (0, 0)): NOBODY + "; vehicles heard: 5, 7 (--mavlink-system)",
    ((1,), 0, (0, 0)): NOBODY,
    ((), m.IN_PROGRESS, OTHER): "component 255/190 has control",
    ((), m.TEMPORARILY_REJECTED, (0, 0)): "its manager is busy",
    ((), m.IN_PROGRESS, (0, 0)): "its manager gives no control",
    ((), m.UNSUPPORTED, (0, 0)): "its manager refuses control",
    ((), m.DENIED, OTHER): "its manager refuses control",
}


@pytest.mark.parametrize("systems, claims, primary, why", [(*k, v) for k, v in OBSTACLES.items()])
def test_what_keeps_the_gimbal_from_being_ours_is_said(talk, systems, claims, primary, why):
    talk.gimbal.claims, talk.gimbal.primary, talk.silent = claims, primary, bool(systems)
    for system in systems:
        talk.us.receive(Message("HEARTBEAT", {}, system, 1), 0.0)
    assert rates(talk.go(6.0, number=0)) == []
    assert talk.sentences == [f"gimbal holds: {why}"] and talk.holds == {"gimbal": why}
    talk.go(10.0, number=0)
    assert len(talk.sentences) == 2  # said again
    talk.go(1.0)
    assert talk.holds == {}  # nobody wants it
    talk.silent, talk.gimbal.claims = False, m.ACCEPTED
    talk.go(2.5, number=1)  # a new target: the user wants it followed
    assert talk.us.ours and talk.holds == {} and len(talk.sentences) == 2


@pytest.mark.parametrize("letters", [0, 20, 49, 50, 51, 99, 100, 400])
def test_a_sentence_of_any_length_arrives_whole(letters):
    chunks = [Codec(*ME).decode(Codec(*ME).encode(*each)) for each in status_text("x" * letters)]
    fields = [chunk.fields for chunk in chunks]
    assert "".join(each["text"] for each in fields) == "x" * letters
    assert [each["chunk_seq"] for each in fields] == list(range(len(fields)))
    assert len({each["id"] for each in fields}) == 1 and bool(fields[0]["id"]) == (letters > 49)
    assert all(len(each["text"]) == 50 for each in fields[:-1]) and len(fields[-1]["text"]) < 50


@pytest.mark.parametrize("result", [2, 3, 4])  # denied, unsupported, failed
def test_a_refusal_counts_if_it_is_ours(talk, result):
    talk.go(1.0, number=0)
    for target, sentences in ((OTHER, []), (ME, ["gimbal holds: its manager refuses control"])):
        fields = dict(zip(("target_system", "target_component"), target))
        fields.update(command=1001, result=result)
        talk.us.receive(Message("COMMAND_ACK", fields, *talk.us.manager), talk.now)
        talk.go(0.1, number=0)
        assert talk.sentences == sentences


def test_without_a_calibration_it_says_so_and_goes_slowly(talk):
    talk.us.aim.note = "goes slowly: it has no calibration"
    sent = rates(talk.go(3.0, number=0))
    assert talk.sentences == ["gimbal goes slowly: it has no calibration"]
    speeds = [np.degrees(np.hypot(*each)) for each in sent]
    assert 4.9 < max(speeds) <= 5.0 + 1e-9


def test_a_calibration_of_another_gimbal_is_not_used(talk):
    known = AimCalibration("rtsp://camera", (640, 480), "gimbal 1/1/2", 60.0, 0.03, 0.02)
    talk.us.aim = Follow(load_settings(), (60.0, 46.0), known)
    talk.go(1.0, number=0)
    assert talk.us.aim.calibration is None
    assert talk.sentences[0] == "gimbal goes slowly: calibrated is gimbal 1/1/2"


def yaw_deg(talk, at):
    """Where the camera points."""
    return np.degrees(talk.us.aim.control.yaw.camera.angle(at))


@pytest.mark.parametrize("sender, taken", [((1, 154), True), ((1, 171), False), ((1, 1), False)])
def test_the_attitude_of_another_gimbal_is_not_taken(talk, sender, taken):
    talk.go(1.0, number=0)
    message = attitude(50.0)._replace(component=sender[1])
    talk.us.receive(message, talk.now + 0.001)
    assert (yaw_deg(talk, talk.now + 0.001) > 40.0) == taken


@pytest.mark.parametrize("flags, wanted", [(16, 50.0), (64, 50.0), (16 | 32, 90.0), (0, 90.0)])
@pytest.mark.parametrize("heard", [True, False])
def test_a_yaw_in_the_vehicles_frame_needs_its_heading(talk, flags, wanted, heard):
    talk.go(1.0, number=0)
    before = yaw_deg(talk, talk.now)
    if heard:
        heading = {"yaw": np.radians(40.0), "yawspeed": 0.0}
        talk.us.receive(Message("ATTITUDE", heading, 1, 1), talk.now)
    message = attitude(50.0)
    message.fields["flags"] = flags
    talk.us.receive(message, talk.now + 0.001)
    known = heard or wanted == 50.0
    assert yaw_deg(talk, talk.now + 0.001) == pytest.approx(wanted if known else before, abs=0.5)


def test_the_end_of_a_run_stops_the_gimbal_and_its_control(talk):
    talk.go(1.0, number=0)
    assert any(rates(talk.go(0.1, number=0))[0])
    for _ in range(3):
        sent = talk.us.leave(talk.now)
        assert rates(sent) == [(0.0, 0.0)] and len(claims(sent)) == 1
        assert claims(sent)[0]["param1"] == -3
    assert Talk().us.leave(0.0) == []  # it is not ours


def test_it_gives_way_to_somebody_else_until_the_next_target(talk):
    talk.go(1.0, number=0)
    talk.gimbal.primary = OTHER
    talk.go(0.3, number=0)
    obeyed, sent = talk.gimbal.obeyed, talk.go(5.0, number=0)
    assert rates(sent) == claims(sent) == [] and talk.gimbal.primary == OTHER
    assert len(talk.sentences) == 1 and "255/190 took control" in talk.sentences[0]
    talk.go(1.0)
    assert talk.gimbal.primary == OTHER and talk.gimbal.obeyed == obeyed
    talk.go(1.5, number=1)
    assert talk.gimbal.primary == ME and talk.gimbal.obeyed > obeyed


@pytest.mark.parametrize("primary", [OTHER, (0, 0)])
def test_who_loses_control_stops_and_a_late_return_moves_nothing(talk, primary):
    talk.go(1.0, number=0)
    talk.gimbal.primary = primary
    talk.gimbal.claims = m.DENIED
    sent = rates(talk.go(3.0, number=0, moves=False))
    assert any(sent[0]) and sent[-1] == (0.0, 0.0)
    talk.gimbal.primary = ME
    assert not np.any(rates(talk.go(2.0, number=0, moves=False)))


@pytest.mark.parametrize("component", [154, 171])
def test_a_silent_manager_is_noticed_once_and_taken_up_again(talk, component):
    talk.go(1.0, number=0)
    talk.silent = True
    sent = talk.go(4.0, number=0)
    assert not talk.us.up and not talk.us.ours and len(rates(sent)) < 38
    assert rates(sent)[-5:] == [(0.0, 0.0)] * 5  # it may hear us nevertheless
    assert len(talk.sentences) == 1 and "silent" in talk.sentences[0]
    talk.silent = False  # it was started anew, maybe under another number
    talk.gimbal = sim.FakeGimbal(component)
    assert len(rates(talk.go(4.0, number=0))) > 30 and talk.gimbal.primary == ME


@pytest.mark.parametrize(
    ("gone", "why", "within_s"),
    [
        (dict(frames=False), "no new picture", 0.95),
        (dict(moves=False), "the picture stands still", 0.95),
        (dict(lost=True, state="lost"), "the target is lost", 0.35),
        (dict(state="unsure"), "the target is unsure", 0.35),
    ],
)
def test_without_fresh_evidence_the_camera_stands_and_says_why(talk, gone, why, within_s):
    talk.go(1.0, number=0)
    assert np.max(rates(talk.go(0.4, number=0))) > 0.05
    speeds = np.hypot(*np.transpose(rates(talk.go(within_s, number=0, **gone))))
    assert (np.diff(speeds[-9:]) <= 0.0).all()
    assert set(rates(talk.go(4.0, number=0, **gone))) == {(0.0, 0.0)}
    assert talk.sentences == [f"gimbal holds: {why}"]
    before = talk.gimbal.angle.copy()
    talk.go(8.0, number=0)  # the picture answers, and it goes on for more than its budget
    assert np.degrees(np.hypot(*(talk.gimbal.angle - before))) > 8.0


def attitude(yaw_deg):
    half = np.radians(yaw_deg) / 2
    fields = {"q": [np.cos(half), 0.0, 0.0, np.sin(half)], "flags": 16}
    return Message("GIMBAL_DEVICE_ATTITUDE_STATUS", fields, 1, 154)


def test_another_vehicles_gimbal_and_attitudes_are_not_taken(talk):
    talk.us.receive(Message("GIMBAL_MANAGER_INFORMATION", {"gimbal_device_id": 1}, 2, 154), 0.0)
    assert talk.us.manager is None
    nan = float("nan")
    for q in ([nan] * 4, [0.0] * 4, [1e30] * 4):
        talk.us.receive(Message("GIMBAL_DEVICE_ATTITUDE_STATUS", {"q": q, "flags": 16}, 1, 154), 1)
    assert not talk.us.aim.control.yaw.camera.fresh(1.0)
