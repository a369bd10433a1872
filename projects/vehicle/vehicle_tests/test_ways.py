"""Ways in which a run can lose its hold on what it steers: none moves anything for over a second.

Gimbal and PTZ camera turn after a target that moves. Then something goes wrong. The time
is simulated; ``test_exits.py`` ends real runs. What no single picture shows is left to the check
that the picture answers: it moves a camera by some degrees.
"""

import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

pytest.importorskip("pymavlink")

from hotpath.links import Selection
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.runtime.frames.jpeg_frames import JpegFrame
from hotpath.runtime.types import Box, Track
from hotpath.video.base import TrackedFrame
from hotpath_vehicle import follow
from hotpath_vehicle.aim.calibration import AimCalibration
from hotpath_vehicle.follow import Follow
from hotpath_vehicle.gimbal.settings import load_settings
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.gimbal_manager import GimbalManager
from hotpath_vehicle.mavlink.loop import Loop
from hotpath_vehicle.mavlink.messages import Message
from hotpath_vehicle.mavlink.reports import tracking_status
from hotpath_vehicle.ptz import Follower
from tests.support.pictures_in_planes import planes_of

SIZE = (160, 120)
FPS = 30
FOV = (60.0, 46.0)
LONGEST_S = 1.0
HEALTHY_S, WRONG_S = 2.0, 4.0
TICKS = 100  # a second: the links look more often than frames come
SILENCE_S = 0.5  # without commands a gimbal stands still
RNG = np.random.RandomState(1)
WORLD = cv2.GaussianBlur(RNG.randint(0, 256, (120, 4000, 3)).astype(np.uint8), (0, 0), 2)
TRACK = Track(Box(100, 30, 20, 20), 0.9)
BLACK, WHITE = np.zeros((120, 160, 3), np.uint8), np.full((120, 160, 3), 255, np.uint8)


def scene(n):
    """The n-th picture of a camera that turns."""
    return np.ascontiguousarray(WORLD[:, 3 * n : 3 * n + SIZE[0]])


class Content(Follow):
    """Here the target answers no turn: content while the stream is well, and then never."""

    is_content = True

    def see(self, at, box, size):
        if self.is_content:
            self._low = self._high = np.array(self._path[-1][1:3])


class Rig:
    """Everything that is steered, with the messages of its other sides."""

    def __init__(self):
        gimbal = load_settings()
        known = AimCalibration("x", SIZE, "gimbal 1/154/154", FOV[0], 0.05, 0.02)
        self.aims = [Content(gimbal, FOV, known)]
        self.gimbal = GimbalManager(self.aims[0], 1, 100, gimbal["lost"]["link"])
        known = known._replace(actuator="onvif://x", scale=(40.0, 40.0), frame="none")
        gimbal["limits"].update(pitch_min=-1e9, pitch_max=1e9)
        self.aims.append(Content(gimbal, FOV, known))
        self.selection = Selection()
        self.follower = Follower(self.aims[1], lambda text: None, selection=self.selection)
        self.loop = Loop(SimpleNamespace(selection=self.selection, fps=FPS), True)
        self.number, self.index, self.silent_ticks = 0, 0, 0
        self.yaw_deg = 0.0  # where it points
        self.unheard = set()  # messages that do not come any more
        self.primary = 1, 100
        self.commands = {}  # what is steered -> its last command

    def hear(self, now):
        half = math.radians(self.yaw_deg) / 2
        level = {"q": [math.cos(half), 0.0, 0.0, math.sin(half)], "flags": m.GIMBAL_YAW_LOCK}
        control = dict(zip(("primary_control_sysid", "primary_control_compid"), self.primary))
        for name, fields, component in (
            ("GIMBAL_MANAGER_INFORMATION", {"gimbal_device_id": 154}, 154),
            ("GIMBAL_MANAGER_STATUS", control, 154),
            ("GIMBAL_DEVICE_ATTITUDE_STATUS", level, 154),
        ):
            if name not in self.unheard:
                self.gimbal.receive(Message(name, fields, 1, component), now)

    def frame(self, now, frame, captured_s, track):
        tracks = {} if track is None else {self.number: track}
        tracked = TrackedFrame(frame, self.index, None, tracks, captured_s)
        self.index += 1
        self.take(self.gimbal.frame(self.loop.view_of(tracked), now))
        self.follower.see(tracked, now)

    def tick(self, now):
        self.silent_ticks += 1
        if "gimbal" in self.moving:
            self.yaw_deg += math.degrees(self.commands["gimbal"][1]) / TICKS
        self.hear(now)
        self.take(self.gimbal.tick(now))
        self.commands["camera"] = self.follower.command(now)

    @property
    def moving(self):
        """What was told to move, and not to stand still since.

        A gimbal stands still without commands, as the protocol has it.
        """
        silent = self.silent_ticks > SILENCE_S * TICKS
        return {w for w, c in self.commands.items() if any(c) and not (w == "gimbal" and silent)}

    def take(self, messages):
        for name, fields in messages:
            if name == "GIMBAL_MANAGER_SET_ATTITUDE":
                rates = fields["angular_velocity_y"], fields["angular_velocity_z"]
                self.commands["gimbal"] = rates
                self.silent_ticks = 0


class Wrong(NamedTuple):
    """What comes after the last good frame; each way changes one thing.

    Attributes:
        picture: function n -> the n-th frame; None: no frame comes.
        track: ``Track``, None, or a function n -> one of them.
        age: function (now, n) -> when the frame was taken.
        every: only each so many-th frame comes.
        change: function of the rig, called once.
        clock: function of the simulated time -> what the monotonic clock says.
    """

    picture: Any = lambda n: scene(60 + n)
    track: Any = TRACK
    age: Any = lambda now, n: now - 0.02
    every: int = 1
    change: Any = lambda rig: None
    clock: Any = lambda now: now


def jpeg(picture, quality=90):
    return cv2.imencode(".jpg", picture, [1, quality])[1].reshape(-1)


def with_comment(data, text):
    """A JPEG with a comment in its head, as cameras write the time there."""
    comment = b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
    return np.frombuffer(data[:2].tobytes() + comment + data[2:].tobytes(), np.uint8)


def in_planes(picture, kind):
    return PlanarFrame(planes_of(picture, kind))


def with_clock(picture, n):
    return cv2.putText(picture.copy(), f"{n:06}", (2, 116), 0, 0.4, (255, 255, 255), 1)


def noisy(picture, levels):
    noise = RNG.randint(-levels, levels + 1, picture.shape)
    return np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)


def box(*values, **more):
    return TRACK._replace(box=Box(*values), **more)


def state(name):
    return TRACK._replace(state=name, lost=name == "lost")


def unheard(*names):
    return lambda rig: rig.unheard.update(names)


def deaf(rig):
    rig.unheard.update(
        "GIMBAL_MANAGER_INFORMATION GIMBAL_MANAGER_STATUS GIMBAL_DEVICE_ATTITUDE_STATUS".split()
    )


def setting(**values):
    return lambda rig: vars(rig).update(values)


STILL = scene(59)
SHUFFLED = np.random.RandomState(2).permutation(60)
NAN, INF = math.nan, math.inf
SEEN = {  # what pictures, stamps or the target's state tell
    # frozen
    "the same array": Wrong(lambda n: STILL),
    "the same JPEG": Wrong(lambda n: JpegFrame(jpeg(STILL))),
    "a JPEG with a time in its head": Wrong(
        lambda n: JpegFrame(with_comment(jpeg(STILL), b"%09d" % n))
    ),
    "frozen NV12": Wrong(lambda n: in_planes(STILL, "NV12")),
    "frozen YUYV": Wrong(lambda n: in_planes(STILL, "YUYV")),
    "frozen, and the box jumps": Wrong(lambda n: STILL, lambda n: box(40 * (n % 4), 30, 20, 20)),
    "every frame twice, then frozen": Wrong(lambda n: scene(60 + min(n // 2, 2))),
    "frames of two pixels": Wrong(lambda n: STILL[:2, :2]),
    "a still box of a million": Wrong(lambda n: STILL, box(0, 0, 1e6, 1e6)),
    "black": Wrong(lambda n: BLACK),
    "dark within three frames": Wrong(lambda n: scene(60) >> np.uint8(min(8, 3 * n))),
    # delayed, or in another order
    "no frame": Wrong(None),
    "frames of .6 s ago": Wrong(age=lambda now, n: now - 0.6),
    "a delay that grows": Wrong(age=lambda now, n: now - 0.02 - n / 30),
    "one frame in two seconds": Wrong(every=60),
    "a stamp that stands": Wrong(age=lambda now, n: HEALTHY_S),
    "stamps that go back": Wrong(age=lambda now, n: HEALTHY_S - n / 30),
    # not sure
    "unsure": Wrong(track=state("unsure")),
    "lost": Wrong(track=state("lost")),
    "lost in all frames but a few": Wrong(track=lambda n: state("unsure" if n % 9 else "tracked")),
    "lost in two of three frames": Wrong(track=lambda n: state("lost" if n % 3 else "tracked")),
    "four frames of nine": Wrong(track=lambda n: state("tracked" if n % 9 < 4 else "unsure")),
    "no target": Wrong(track=None),
    "another target, which nobody chose": Wrong(change=setting(number=7)),
    "a box that is no number": Wrong(track=box(NAN, NAN, NAN, NAN)),
    "a box without end": Wrong(track=box(130, 20, INF, 20)),
    # clocks
    "stamps of the future": Wrong(age=lambda now, n: now + 10.0),
    "stamps that are no number": Wrong(age=lambda now, n: NAN),
    "a clock an hour ahead, frozen": Wrong(lambda n: STILL, clock=lambda now: now + 3600),
    "a clock an hour back, frozen": Wrong(lambda n: STILL, clock=lambda now: now - 3600),
    "a clock an hour back, no frame": Wrong(None, clock=lambda now: now - 3600),
    "a clock that leaps, frozen": Wrong(lambda n: STILL, clock=lambda now: now + int(now * 10)),
    # stations and radio
    "the radio is lost, and so is the source": Wrong(None, change=deaf),
    "another station takes the gimbal, and the source hangs": Wrong(
        lambda n: STILL, change=setting(primary=(255, 190))
    ),
    "the gimbal's manager is silent, and the source hangs": Wrong(
        lambda n: STILL, change=unheard("GIMBAL_MANAGER_STATUS", "GIMBAL_DEVICE_ATTITUDE_STATUS")
    ),
}
UNSEEN = {  # pictures that change, and yet show nothing of now
    "a still picture encoded anew": Wrong(lambda n: JpegFrame(jpeg(STILL, 90 + n % 5))),
    "frozen below a clock": Wrong(lambda n: with_clock(STILL, n)),
    "frozen with noise of one level": Wrong(lambda n: noisy(STILL, 1)),
    "black with noise of one level": Wrong(lambda n: noisy(BLACK, 1)),
    "black and white in turns, with noise": Wrong(lambda n: noisy((BLACK, WHITE)[n % 2], 1)),
    "two pictures in turns": Wrong(lambda n: scene(58 + n % 2)),
    "a ring of two seconds": Wrong(lambda n: scene(n % 60)),
    "a ring of planes": Wrong(lambda n: in_planes(scene(50 + n % 5), "NV12")),
    "each old frame three times": Wrong(lambda n: scene(n // 3 % 60)),
    "a ring with noise, and no target in each third frame": Wrong(
        lambda n: noisy(scene(58 + n % 2), 1), lambda n: TRACK if n % 3 else None
    ),
    "backwards": Wrong(lambda n: scene(59 - n % 60)),
    "shuffled": Wrong(lambda n: scene(SHUFFLED[n % 60])),
    "frames of one pixel": Wrong(lambda n: STILL[:1, :1] + np.uint8(n)),
    "sizes that flip": Wrong(lambda n: cv2.resize(STILL, (160 >> n % 2, 120))),
}


def flown(wrong, answers=True):
    """(seconds for which each thing moved at a stretch after the last good frame, degrees turned).

    A new frame of a live source is evidence again, so a stretch may follow on another.
    ``answers``: whether the target answers the turns then.
    """
    rig = Rig()
    for n in range(int(HEALTHY_S * FPS)):
        now = n / FPS
        rig.hear(now)
        rig.frame(now + 0.02, scene(n), now, TRACK)
        rig.tick(now + 0.03)
    assert rig.moving == {"gimbal", "camera"}
    last_s = now
    longest = {}
    since = dict.fromkeys(rig.moving, last_s)
    wrong.change(rig)
    for aim in rig.aims:
        aim.is_content = answers
    for n in range(4, int(WRONG_S * TICKS)):
        real_s, number = last_s + n / TICKS, n * FPS // TICKS
        now = wrong.clock(real_s)
        if wrong.picture and n * FPS % TICKS < FPS and number % wrong.every == 0:
            track = wrong.track(number) if callable(wrong.track) else wrong.track
            rig.frame(now, wrong.picture(number), wrong.age(now, number), track)
        rig.tick(now)
        since = {what: since.get(what, real_s) for what in rig.moving}
        for what, began_s in since.items():
            longest[what] = max(longest.get(what, 0.0), real_s - began_s)
    return longest, max(aim.unanswered for aim in rig.aims)


@pytest.mark.parametrize("name", SEEN)
def test_nothing_moves_for_longer_than_a_second(name):
    """Whatever the check of the answer says."""
    longest, _ = flown(SEEN[name])
    assert max(longest.values(), default=0.0) <= LONGEST_S


@pytest.mark.parametrize("name", UNSEEN)
def test_without_an_answer_a_camera_stops_after_some_degrees(name):
    longest, turned = flown(UNSEEN[name], answers=False)
    assert turned <= follow.BOUND and max(longest.values()) < WRONG_S / 2


def test_what_stopped_for_lack_of_an_answer_goes_on_once_somebody_confirms_the_target():
    rig, moving = Rig(), []
    for aim in rig.aims:
        aim.is_content = False
    for n in range(4 * FPS):
        now = n / FPS
        if n == 3 * FPS:
            rig.selection.confirm()
        rig.hear(now)
        rig.frame(now + 0.02, scene(n), now, TRACK)
        rig.tick(now + 0.03)
        moving.append(rig.moving)
    assert moving[3 * FPS - 1] == set() and moving[3 * FPS + 5] == {"gimbal", "camera"}


@pytest.mark.parametrize("track", [TRACK, lambda n: state("tracked" if n % 5 else "unsure")])
def test_a_good_source_goes_on_moving_everything(track):
    """Else the ways above would prove nothing."""
    longest, _ = flown(Wrong(track=track))
    assert min(longest.values()) > 0.9 * WRONG_S and len(longest) == 2


def test_a_station_is_told_what_the_steering_takes():
    """Whoever flies by the reports is bound by the same rule."""
    rig = Rig()

    def told(n, word):
        tracked = TrackedFrame(STILL, n, None, {0: state(word)}, n / FPS)
        return tracking_status(rig.loop.view_of(tracked).track)

    assert {told(n, "unsure") for n in range(9)} == {m.TRACKING_ERROR}
    statuses = [told(n, "tracked") for n in range(9, 20)]
    assert statuses == [m.TRACKING_ERROR] * 4 + [m.TRACKING_ACTIVE] * 7
    assert {told(n, "unsure") for n in range(20, 29)} == {m.TRACKING_ERROR}
    rig.selection.confirm()  # what was before somebody acted counts no more
    assert told(29, "tracked") == m.TRACKING_ACTIVE
    rig.selection.confirm()  # a person says that it is right
    assert told(29, "tracked") == m.TRACKING_ACTIVE
