"""Turn a simulated camera after a target, with faults and without.

The picture is geometry: a box, late and noisy, and no pixels. So thousands of runs are cheap.
``Loop``, ``GimbalManager`` and ``Follow`` are the product's. Their numbers were chosen on seeds
5100 to 5105 and 6300 to 6303.
"""

import math
from collections import namedtuple
from types import SimpleNamespace

import numpy as np

from hotpath.links import Selection
from hotpath.runtime.frames.directions import vertical_fov_deg
from hotpath.runtime.types import Box, Track
from hotpath.video.base import TrackedFrame
from hotpath_vehicle.aim.calibration import AimCalibration
from hotpath_vehicle.follow import Follow
from hotpath_vehicle.gimbal.settings import load_settings
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.gimbal_manager import GimbalManager
from hotpath_vehicle.mavlink.loop import Loop
from hotpath_vehicle.mavlink.messages import Message
from vehicle_tests.support.quaternions import quaternion_of

SIZE = (640, 360)
FOV = (60.0, vertical_fov_deg(60.0, SIZE))
FOCAL = SIZE[0] / 2 / math.tan(math.radians(FOV[0]) / 2)
STEP_S = 0.01
DEVICE = 154
OWN_S = 0.03
HANDLING_S = 0.03  # the network's time
LATE_S = 0.07  # of a picture; with ``OWN_S`` this is the delay of ``calibration(0.1)``

Figures = namedtuple("Figures", "away fastest held why off")
Figures.__doc__ = """What a camera did after a time.

away: the longest turn away from the target, degrees, where it is more than 2 degrees off.
held: share of the time in which it is told to stand. off: largest distance to the target."""


class Plant:
    """An actuator of two axes, (right, up), that obeys late."""

    MOST, SLEW = 90.0, 600.0  # degrees a second, and by how much that may change in a second

    def __init__(self, sign=1, gain=1.0):
        self.angle, self.rate = np.zeros(2), np.zeros(2)
        self._factor = sign * gain
        self._wanted, self._queue = np.zeros(2), []

    def send(self, now, rates):
        self._queue.append((now + OWN_S, np.array(rates)))

    def move(self, now):
        while self._queue and self._queue[0][0] <= now:
            self._wanted = self._queue.pop(0)[1]
        wanted = np.clip(self._wanted * self._factor, -self.MOST, self.MOST)
        most = self.SLEW * STEP_S
        self.rate = self.rate + np.clip(wanted - self.rate, -most, most)
        self.angle = self.angle + self.rate * STEP_S


class SteeringCase(namedtuple("SteeringCase", "name path seconds fault_s options")):
    """A target's path (seconds -> (right, up), degrees) and what is wrong from a time on."""


def seen_from(angle, target):
    """Where in the picture a target is; None outside of it."""
    right = (target[0] - angle[0] + 180) % 360 - 180
    up = target[1] - angle[1]
    if abs(right) > 80 or abs(up) > 80:
        return None
    x = SIZE[0] / 2 + FOCAL * math.tan(math.radians(right))
    y = SIZE[1] / 2 - FOCAL * math.tan(math.radians(up))
    return (x, y) if 0 < x < SIZE[0] and 0 < y < SIZE[1] else None


class SteeringRun:
    """One run of the closed loop; ``go`` gives the ``Figures``.

    Options: late(t) or seconds; picture(t, (x, y)) -> (x, y) or None; silent(t): nothing hears the
    gimbal manager; attitudes "earth", "vehicle", "follows" or "none"; attitude_sign; heading(t);
    second: angle of another gimbal; loss of packets; plant: dict for ``Plant``; fps(t); scale(t):
    of the frame's size; clock(t): seconds that are added to the time stamps; acts(t): how often
    somebody acted until then.
    """

    def __init__(self, case, calibration, seed=0):
        self.case, self.options = case, case.options
        self._rng = np.random.RandomState(seed)
        self.plant = Plant(**self.options.get("plant", {}))
        self._aim = Follow(load_settings(), FOV, calibration)
        self._silent_s = 0.0
        self._manager = GimbalManager(self._aim, 1, 100, 0.7 if "silent" in self.options else 1e9)
        self._selection = Selection()
        self._loop = Loop(SimpleNamespace(selection=self._selection, fps=30.0), steers=False)
        self._pending, self._log, self._arrived_s, self._index = [], [], 0.0, 0
        self._tell("GIMBAL_MANAGER_INFORMATION", gimbal_device_id=DEVICE)

    def _tell(self, name, now=0.0, component=1, **fields):
        self._manager.receive(Message(name, fields, 1, component), now)

    def _attitudes(self, now, step):
        kind, options = self.options.get("attitudes", "earth"), self.options
        right, up = np.radians(self.plant.angle)
        heading = math.radians(options.get("heading", lambda t: 0.0)(now))
        heading = right if kind == "follows" else heading
        if step % 50 == 0:
            self._tell(
                "GIMBAL_MANAGER_STATUS", now, primary_control_sysid=1, primary_control_compid=100
            )
        if kind in ("vehicle", "follows") and step % 10 == 0:
            before = getattr(self, "_heading", heading)
            self._heading = heading
            yaw = math.atan2(math.sin(heading), math.cos(heading))
            self._tell("ATTITUDE", now, yaw=yaw, yawspeed=(heading - before) / (10 * STEP_S))
        if kind == "none" or step % 2 or self._rng.rand() < options.get("loss", 0.0):
            return
        flags = m.GIMBAL_YAW_LOCK
        if kind != "earth":
            flags, right = flags | m.GIMBAL_YAW_IN_VEHICLE_FRAME, right - heading
        right *= options.get("attitude_sign", 1)
        told = [(DEVICE, flags, up, right)]
        if "second" in options and now > self.case.fault_s:
            told.append((171, m.GIMBAL_YAW_LOCK, 0.0, math.radians(options["second"])))
        for device, flags, pitch, yaw in told:
            state = dict(flags=flags, q=list(quaternion_of(pitch, yaw)), gimbal_device_id=0)
            self._tell("GIMBAL_DEVICE_ATTITUDE_STATUS", now, device, **state)

    def _take(self, now):
        """A frame is taken now."""
        options = self.options
        place = seen_from(self.plant.angle, self.case.path(now))
        if "picture" in options:
            place = options["picture"](now, place)
        late = options.get("late", LATE_S)
        late = late(now) if callable(late) else late
        self._arrived_s = max(self._arrived_s, now + late)
        noise = self._rng.normal(0, 1.0, 2)
        self._pending.append((self._arrived_s, place and tuple(place + noise)))

    def _show(self, now):
        """Pass the newest frame that has arrived and was handled; returns the messages."""
        place, at = None, None
        while self._pending and self._pending[0][0] + HANDLING_S <= now:
            at, place = self._pending.pop(0)
        if at is None:
            return None
        self._index += 1
        state = "tracked" if place else "lost"
        x, y = place or (0.0, 0.0)
        track = Track(Box(x - 20, y - 24, 40.0, 48.0), 0.9, place is None, state)
        scale = self.options.get("scale", lambda t: 1)(now)
        track = track._replace(box=Box(*(scale * side for side in track.box)))
        self._selection.acts = self.options.get("acts", lambda t: 0)(now)
        at += self.options.get("clock", lambda t: 0.0)(now)
        picture = np.broadcast_to(np.uint8(0), (scale * SIZE[1], scale * SIZE[0], 3))
        tracked = TrackedFrame(picture, self._index, None, {1: track}, at)
        return self._manager.frame(self._loop.view_of(tracked), now)

    def _step(self, now, step):
        """Messages of the program now."""
        silent = self.options.get("silent", lambda t: False)(now)
        if not silent:
            self._attitudes(now, step)
        if not silent and self._manager.manager is None:
            self._tell("GIMBAL_MANAGER_INFORMATION", now, gimbal_device_id=DEVICE)
        messages = self._show(now)
        messages = self._manager.tick(now) if messages is None and step % 5 == 0 else messages
        if silent:
            self._silent_s += STEP_S
            if self._silent_s > 0.5:  # the device stops by itself
                self.plant.send(now, (0.0, 0.0))
            return None
        self._silent_s = 0.0
        return messages

    def go(self):
        next_s, fps = 0.0, self.options.get("fps", lambda t: 30.0)
        for step in range(int(self.case.seconds / STEP_S)):
            now = step * STEP_S
            self.plant.move(now)
            if now >= next_s:
                next_s += 1.0 / fps(now)
                self._take(now)
            messages = self._step(now, step)
            for name, fields in messages or ():
                if name == "GIMBAL_MANAGER_SET_ATTITUDE":
                    if self._rng.rand() >= self.options.get("loss", 0.0):
                        rates = fields["angular_velocity_z"], fields["angular_velocity_y"]
                        self.plant.send(now, np.degrees(rates))
            target = self.case.path(now)
            held = self._aim.why is not None
            self._log.append((now, *self.plant.angle, *self.plant.rate, *target, held))
        return self._figures()

    def _figures(self):
        log = np.array(self._log)
        log = log[log[:, 0] >= self.case.fault_s]
        apart = np.stack([(log[:, 5] - log[:, 1] + 180) % 360 - 180, log[:, 6] - log[:, 2]], 1)
        off = np.hypot(*apart.T)
        towards = (log[:, 3:5] * apart).sum(1) / np.maximum(off, 0.3) * STEP_S
        away = most = 0.0
        for step, distance in zip(towards, off):
            away = max(0.0, away - step) if distance > 2.0 else 0.0
            most = max(most, away)
        speed = np.hypot(log[:, 3], log[:, 4])
        return Figures(most, speed.max(), log[:, 7].mean(), self._aim.why, off.max())


# paths


def standing(right, up=0.0):
    return lambda t: (right, up)


def curve(rate, period=9.0):
    swing = rate * period / (2 * math.pi)
    return lambda t: (
        swing * math.sin(2 * math.pi * t / period),
        swing / 2 * 0.7 * math.sin(2.8 * math.pi * t / period + 1.0) - 5.7,
    )


def ramp(rate, since=1.0, start=0.0):
    return lambda t: (min(160.0, start + rate * max(0.0, t - since)), 0.0)


# what is wrong with a picture


def changed(since, change):
    return lambda t, place: change(*place) if place and t > since else place


def mirrored(x, y):
    return (SIZE[0] - x, y)


def upside_down(x, y):
    return (SIZE[0] - x, SIZE[1] - y)


def on_its_side(x, y):
    return (SIZE[0] / 2 + y - SIZE[1] / 2, SIZE[1] / 2 - x + SIZE[0] / 2)


def zoomed(factor):
    def change(x, y):
        x, y = SIZE[0] / 2 + factor * (x - SIZE[0] / 2), SIZE[1] / 2 + factor * (y - SIZE[1] / 2)
        return (x, y) if 0 < x < SIZE[0] and 0 < y < SIZE[1] else None

    return change


class Frozen:
    """A stream that stops, and may drift: pixels a frame, or to and fro."""

    def __init__(self, since, drift=0.0, swing=0.0, off_deg=None, period=4.8 * math.pi):
        self._since, self._drift, self._swing, self._off = since, drift, swing, off_deg
        self._period = period
        self._place = None

    def __call__(self, t, place):
        if t < self._since or place is None and self._place is None:
            return place
        if self._place is None:
            off = None if self._off is None else FOCAL * math.tan(math.radians(self._off))
            self._place = place if off is None else (SIZE[0] / 2 + off, place[1])
        x, y = self._place
        x += 30 * self._drift * (t - self._since)
        x += self._swing * math.sin(2 * math.pi * (t - self._since) / self._period)
        return (x, y) if 0 < x < SIZE[0] else None


def faulty():
    """Cases in which something is wrong from ``fault_s`` on."""
    cases = []

    def case(name, path, seconds, fault_s, **options):
        cases.append(SteeringCase(name, path, seconds, fault_s, options))

    for more in (0.05, 0.1, 0.2, 0.3, 0.5, 1.0):
        case(f"late by {more:g} s more", standing(8), 14, 0.5, late=LATE_S + more)
    for more in (0.1, 0.2, 0.3, 0.5, 1.0):
        later = lambda t, more=more: LATE_S + (more if t > 3 else 0)  # noqa: E731
        case(f"late by {more:g} s more from 3 s, 5 °/s", ramp(5), 17, 3.0, late=later)
    for name, change in (("mirrored", mirrored), ("by 180°", upside_down), ("by 90°", on_its_side)):
        picture = changed(2.0, change)
        case(f"picture turned: {name}, 5 °/s", ramp(5, 0, -10), 8, 2.0, picture=picture)
        case(f"picture turned: {name}, still", standing(3), 12, 2.0, picture=picture)
        picture = changed(4.0, change)
        case(f"picture turned: {name}, 25 °/s", curve(25), 10, 4.0, picture=picture)
    case("obeys the other way", standing(5), 16, 0.0, plant={"sign": -1})
    case(
        "obeys the other way, no attitude",
        standing(5),
        16,
        0.0,
        plant={"sign": -1},
        attitudes="none",
    )
    case("attitude of the wrong sign", standing(5), 16, 0.0, attitude_sign=-1)
    case("zoom x2", curve(12), 14, 3.0, picture=changed(3.0, zoomed(2.0)))
    case("zoom x4, still", standing(3), 14, 3.0, picture=changed(3.0, zoomed(4.0)))
    case("zoom x0.5", curve(12), 14, 3.0, picture=changed(3.0, zoomed(0.5)))
    for angle in (20.0, 90.0, -40.0):
        case(f"second gimbal at {angle:g}°", standing(4), 10, 1.5, second=angle)
    case(
        "vehicle follows, frozen", ramp(5, 0, 2), 15, 3.0, attitudes="follows", picture=Frozen(3.0)
    )
    case(
        "vehicle yaws 20 °/s",
        ramp(3, 1, 4),
        14,
        2.0,
        attitudes="vehicle",
        heading=lambda t: 20 * max(0.0, t - 2),
    )
    for drift in (0.0, 0.5, -0.5, 2.0):
        case(
            f"frozen 4° off, drifts {drift:g} px",
            ramp(8),
            11,
            5.0,
            picture=Frozen(5.0, drift, 0.0, 4.0),
        )
    case("frozen 4° off, to and fro", ramp(8), 11, 5.0, picture=Frozen(5.0, 0.0, 20.0, 4.0))
    case("frozen", ramp(8), 15, 5.0, picture=Frozen(5.0))
    case("frozen, drifts 0.5 px", ramp(8), 15, 5.0, picture=Frozen(5.0, 0.5))
    case("frozen, to and fro", ramp(8), 15, 5.0, picture=Frozen(5.0, 0.0, 20.0))
    return cases


def calibration(delay, spread=0.03):
    """As ``hotpath gimbal calibrate`` would measure it."""
    return AimCalibration("rtsp://camera", SIZE, f"gimbal 1/1/{DEVICE}", FOV[0], delay, spread)


def swings():
    """Streams that stop at 5 s, drift and swing, as before a stabiliser."""
    return [
        SteeringCase(
            f"swings by {pixels} px each {period:g} s",
            ramp(4),
            25,
            5.0,
            {"picture": Frozen(5.0, -0.5, pixels, 4, period)},
        )
        for period, pixels in ((4.0, 50), (6.0, 50), (3.0, 50), (5.0, 25), (1.5, 10))
    ]
