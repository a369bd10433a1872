"""A simulated multicopter, its camera, radio and time: the product makes it follow a target."""

import math
from collections import namedtuple

import numpy as np
from pymavlink.dialects.v20 import common

from hotpath.runtime.track.links.gimbal.angles import turned, vertical_fov_deg
from hotpath.runtime.track.links.gimbal.settings import FOLLOW, load_settings
from hotpath.runtime.track.links.mavlink.codec import Codec
from hotpath.runtime.track.links.mavlink.follow import Follow
from hotpath.runtime.track.links.mavlink.geo import Geo
from hotpath.runtime.track.links.mavlink.messages import View
from hotpath.runtime.types import Track
from tests.drone.closed_loop import Radio

TICK_S, FRAME_S, BOX_S = 1.0 / 200, 1.0 / 30, 0.06  # BOX_S: from a frame's capture to its box
SIZE = (640, 480)
FOV_DEG = (90.0, vertical_fov_deg(90.0, SIZE))
HEIGHT_M, SIDE_M = 10.0, 1.8  # of the camera above the ground, of the target
GRAVITY = 9.81
PX4_OFFBOARD = 6 << 16

Sample = namedtuple("Sample", "time_s x y away_m speed yaw_rate")
Sample.__doc__ = "The target's offset and distance, the vehicle's speed and yaw rate (radians/s)."


class Multicopter:
    VELOCITY_S, YAW_S, DRAG_S = 0.5, 0.25, 4.0  # time constants
    TIMEOUT_S = 3.0
    COPTER_GUIDED, COPTER_LOITER = 4, 5

    def __init__(self, px4=False, wind=0.0):
        self.place, self.velocity = np.zeros(2), np.zeros(2)  # north, east
        self.yaw = self.yaw_rate = self.roll = self.pitch = 0.0
        self.px4, self.mode, self.armed = px4, PX4_OFFBOARD if px4 else self.COPTER_GUIDED, True
        self.sticks, self.state = [1500, 1500, 1300, 1500], common.MAV_STATE_ACTIVE
        self.setpoints = []  # (seconds, message) that were heard
        self.unsent = {common.MAVLINK_MSG_ID_MANUAL_CONTROL}  # messages that it does not have
        self._wind, self._gust, self._trim = wind, np.zeros(2), np.zeros(2)
        self._rng = np.random.RandomState(3)
        self._mav = common.MAVLink(None, 1, 1)
        self._now, self._every = 0.0, {}  # number of a message: seconds, next
        self.stream(common.MAVLINK_MSG_ID_HEARTBEAT, 1.0)

    def stream(self, number, every_s):
        self._every[number] = [every_s, self._now + min(every_s, 0.1)]

    def hear(self, packet, now):
        for message in self._mav.parse_buffer(packet) or ():
            if message.get_type() == "COMMAND_LONG":
                assert message.command == common.MAV_CMD_SET_MESSAGE_INTERVAL
                self.stream(int(message.param1), message.param2 / 1e6)
            elif message.get_type() == "SET_POSITION_TARGET_LOCAL_NED":
                self.setpoints.append((now, message))

    def move(self, now):
        self._now = now
        forward, side, turn = 0.0, 0.0, 0.0
        obeys = self.mode in (self.COPTER_GUIDED, PX4_OFFBOARD) and self.armed
        if obeys and self.setpoints and now - self.setpoints[-1][0] < self.TIMEOUT_S:
            asked = self.setpoints[-1][1]
            # velocity and yaw rate, in the vehicle's frame, and nothing else
            assert (asked.coordinate_frame, asked.type_mask) == (8, 0b010111000111)
            assert asked.vz == 0  # it neither climbs nor sinks
            forward, side, turn = asked.vx, asked.vy, asked.yaw_rate
        change = 0.5 * self._wind * math.sqrt(2 * TICK_S) * self._rng.randn(2)
        self._gust += change - TICK_S * self._gust
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        wanted = np.array([cos * forward - sin * side, sin * forward + cos * side])
        air = self._gust + [0.0, self._wind]
        self._trim += (wanted - self.velocity) * 0.5 * TICK_S  # so that wind does not carry it off
        thrust = (wanted - self.velocity) / self.VELOCITY_S + self._trim
        self.velocity += (thrust + air / self.DRAG_S) * TICK_S
        self.place = self.place + self.velocity * TICK_S
        self.yaw_rate += (turn - self.yaw_rate) / self.YAW_S * TICK_S
        self.yaw += self.yaw_rate * TICK_S
        ahead, right = cos * thrust[0] + sin * thrust[1], cos * thrust[1] - sin * thrust[0]
        # the tilt that gives this thrust, a little later
        self.pitch += (math.atan2(-ahead, GRAVITY) - self.pitch) / 0.1 * TICK_S
        self.roll += (math.atan2(right, GRAVITY) - self.roll) / 0.1 * TICK_S

    def due(self, now):
        out = []
        for number, stream in self._every.items():
            if now >= stream[1]:
                stream[1] += stream[0]
                if number not in self.unsent:
                    out.append(bytes(self._message(number).pack(self._mav)))
        return out

    def _message(self, number):
        if number == common.MAVLINK_MSG_ID_HEARTBEAT:
            autopilot = common.MAV_AUTOPILOT_PX4 if self.px4 else 3
            flags = 128 if self.armed else 0
            return common.MAVLink_heartbeat_message(2, autopilot, flags, self.mode, self.state, 3)
        if number == common.MAVLINK_MSG_ID_RC_CHANNELS:
            return common.MAVLink_rc_channels_message(0, 8, *self.sticks, *[1000] * 4, *[0] * 11)
        yaw = math.atan2(math.sin(self.yaw), math.cos(self.yaw))
        return common.MAVLink_attitude_message(0, self.roll, self.pitch, yaw, 0, 0, self.yaw_rate)

    def seen(self, place):
        """The box of a target at (north, east) on the ground; None: it is out of the picture."""
        north, east = np.subtract(place, self.place)
        axes = [turned(a, self.roll, self.pitch, self.yaw) for a in np.eye(3).tolist()]
        forward, right, down = np.array(axes) @ [north, east, HEIGHT_M]
        if forward < 0.5:
            return None
        focal = SIZE[0] / 2 / math.tan(math.radians(FOV_DEG[0]) / 2)
        x, y = SIZE[0] / 2 + focal * right / forward, SIZE[1] / 2 + focal * down / forward
        side = focal * SIDE_M / forward
        inside = 0 < x < SIZE[0] and 0 < y < SIZE[1]
        return (x - side / 2, y - side / 2, side, side) if inside else None


class Flight:
    """One run: a vehicle, and the product that makes it follow a target."""

    def __init__(self, path, forward=0.0, delay_s=0.02, loss=0.0, settings=None, **more):
        self.path, self.vehicle, self.now = path, Multicopter(**more), 0.0
        settings = settings or load_settings(None, FOLLOW)
        settings["forward"]["speed"] = forward
        geo = Geo(FOV_DEG)
        self._geo, self.follow = geo, Follow(settings, 1, 100, geo)
        self.codec, self.gone = Codec(1, 100), []
        self._radio = Radio(delay_s, loss, self.gone)
        self.number, self.visible, self.frames, self.chosen = 0, True, True, True
        self.state = "tracked"  # of a target that is seen
        self.moves, self.changed_s = True, 0.0  # whether the picture changes, and when it did last
        self.samples, self.said, self.sent = [], [], []
        self._rng, self._waiting, self._next_frame = np.random.RandomState(5), [], 0.0

    def run(self, seconds, each=None):
        """Go on for a time; ``each`` is called in every tick. Returns the new samples."""
        begun = len(self.samples)
        for _ in range(int(round(seconds / TICK_S))):
            self.now += TICK_S
            if each:
                each()
            self._tick()
        return self.samples[begun:]

    def _tick(self):
        now, vehicle = self.now, self.vehicle
        vehicle.move(now)
        for packet in vehicle.due(now):
            self._radio.send(now, "us", packet)
        for packet in self._radio.arrived(now, "vehicle"):
            vehicle.hear(packet, now)
        for packet in self._radio.arrived(now, "us"):
            self.hear(packet)
        if now >= self._next_frame:
            self._next_frame += FRAME_S
            self._look(now)
        if self._waiting and now >= self._waiting[0].captured_s + BOX_S:
            self._send(self.follow.frame(self._waiting.pop(0), now))
        elif int(now / TICK_S) % 10 == 0:
            self._send(self.follow.tick(now))

    def hear(self, packet):
        self.hear_decoded(self.codec.decode(packet))

    def hear_decoded(self, message):
        self._geo.receive(message, self.now)
        self.follow.receive(message, self.now)

    def _look(self, now):
        target = self.path(now)
        box, away = self.vehicle.seen(target), math.hypot(*np.subtract(target, self.vehicle.place))
        x, y = (np.nan, np.nan) if box is None else np.add(box[:2], np.divide(box[2:], 2)) / SIZE
        speed = float(np.hypot(*self.vehicle.velocity))
        self.samples.append(Sample(now, x - 0.5, y - 0.5, away, speed, self.vehicle.yaw_rate))
        if not self.frames:
            return
        track = None
        if self.number is not None:
            lost = box is None or not self.visible
            noisy = (np.nan,) * 4 if lost else tuple(np.add(box, self._rng.randn(4)))
            track = Track(noisy, 0.1 if lost else 0.9, lost, "lost" if lost else self.state)
        chosen = self.chosen and self.number is not None
        self.changed_s = now if self.moves else self.changed_s
        view = View(len(self.samples), now, SIZE, track, self.number, 30.0, chosen, self.changed_s)
        self._waiting.append(view)

    def _send(self, out):
        for name, fields in out:
            if name == "STATUSTEXT":
                self.said.append(fields["text"].decode())
            if name == "SET_POSITION_TARGET_LOCAL_NED":
                self.sent.append((self.now, fields["vx"], fields["yaw_rate"]))
            self._radio.send(self.now, "vehicle", self.codec.encode(name, fields))


def walking(speed=2.5, ahead_m=15.0):
    """A target that goes a bending way, away from the vehicle and to both sides."""
    return lambda t: (ahead_m + 0.7 * speed * t, 8.0 * math.sin(0.7 * speed * t / 8.0))


def circling(rate_deg=15.0, radius_m=20.0):
    rate = math.radians(rate_deg)
    return lambda t: (radius_m * math.cos(rate * t), radius_m * math.sin(rate * t))


ROUGH = dict(wind=4.0, delay_s=0.12, loss=0.2)
CASES = {
    "round at 15 deg/s, calm": (circling(), {}),
    "round, wind of 4 m/s, 300 ms, 20 % lost": (circling(), ROUGH),
    "away at 2.5 m/s, forward 3 m/s, calm": (walking(), {"forward": 3.0}),
    "away, wind of 4 m/s, 300 ms, 20 % lost": (walking(), dict(ROUGH, forward=3.0)),
}


def main():
    for name, (path, more) in CASES.items():
        samples = Flight(path, **more).run(40.0)
        late = [s for s in samples if s.time_s > 5.0]
        aside = np.abs([s.x for s in late])  # NaN: out of the picture
        print(
            f"{name}: offset p95 {np.percentile(aside, 95):.1%}, worst {aside.max():.1%} of the "
            f"width; distance {samples[0].away_m:.0f} m, at most {max(s.away_m for s in late):.0f} "
            f"m; at most {max(s.speed for s in late):.1f} m/s and "
            f"{math.degrees(max(abs(s.yaw_rate) for s in late)):.0f} deg/s"
        )


if __name__ == "__main__":
    main()
