"""Follow the target with a multicopter: turn it, and on request fly towards the target.

Setpoints are sent only in the autopilot's mode for them (GUIDED of ArduPilot, OFFBOARD of PX4), and
only towards a target that a person selected over the link. Following ends when the pilot moves a
stick, when the mode changes, when the autopilot is silent, and when the target stays lost. It
begins again only with another selection. Like ``camera``, this file opens no link and reads no
clock.
"""

import math
from typing import Dict, List, Optional, Tuple

from hotpath.runtime.track.links.gimbal.control import Axis
from hotpath.runtime.track.links.mavlink import numbers as m
from hotpath.runtime.track.links.mavlink.geo import Geo
from hotpath.runtime.track.links.mavlink.messages import Message, Outgoing, View
from hotpath.runtime.track.links.mavlink.reports import boot_ms, command_long, status_text
from hotpath.runtime.track.links.steering import Ramp, Velocity, missing

Sticks = List[Optional[float]]  # positions from -1 to 1, throttle third; None: not known

ASK_S = 1.0  # a message that does not come is requested after this time
HEARTBEAT_S = 3.0  # without the autopilot's heartbeat for so long, it is silent
REPEAT_S = 0.1  # without a new frame, the setpoint is sent again after this time
STOPS = 5  # how often "stand still" is sent, because packets may be lost
STICK = 0.1  # share of a stick's way that the pilot may move it by without taking over
CENTRED: Sticks = [0.0, 0.0, None, 0.0]  # the throttle may stand anywhere
STEEPEST = 0.2  # horizontal share of the way to the target; below, it has no clear bearing
# what is requested of the autopilot, and its interval in microseconds
REQUESTED = dict.fromkeys((m.ATTITUDE, m.GIMBAL_DEVICE_ATTITUDE_STATUS), 50000)
REQUESTED.update({m.RC_CHANNELS: 100000, m.MANUAL_CONTROL: 100000})


class Follow:
    """Steers the vehicle of our system.

    Args:
        settings: result of ``settings.load_settings`` with follow.toml.
        system, component: our ids.
        geo: knows where the camera looks.
        holds: see ``steering.Ramp``.

    Attributes:
        following: whether the vehicle is steered now.
    """

    def __init__(
        self,
        settings: Dict[str, Dict[str, float]],
        system: int,
        component: int,
        geo: Geo,
        holds: Optional[Dict[str, str]] = None,
    ) -> None:
        self._me, self._geo = (system, component), geo
        self._yaw = Axis(settings, settings["limits"]["yaw_rate"])
        self._forward, self._lost = settings["forward"], settings["lost"]
        self._delay_s = settings["delay"]["command"]
        self.following = False
        self._over = True  # until a person selects a target
        self._number: Optional[int] = None  # of the selected target
        self._first_px = 0.0  # the target's size when selected
        self._speed = 0.0  # metres a second
        self._ramp = Ramp("follow", 2, lambda why: self._say.append(status_text(why)), holds)
        self._unseen = ""  # why there is no evidence
        self._view: Optional[View] = None
        self._seen_at = self._sent_at = self._asked_at = self._chosen_at = -1e9
        self._heard: Dict[str, float] = {}  # message -> when it came last
        self._guided = self._px4 = self._flies = False
        # (message, who sent it) -> when, positions
        self._sticks: Dict[Tuple[str, int], Tuple[float, Sticks]] = {}
        self._rest = dict(self._sticks)  # the same, when following began
        self._stops = 0  # how often "stand still" must still be sent
        self._say: List[Outgoing] = []
        self._waits_for: Optional[str] = None  # why following has not begun, as it was said

    def receive(self, message: Message, now: float) -> None:
        """Note one message."""
        fields, name = message.fields, message.name
        if name == "MANUAL_CONTROL" and fields["target"] == self._me[0]:  # from a ground station
            values = (fields["x"], fields["y"], 2 * fields["z"] - 1000, fields["r"])
            sticks = [v / 1000.0 if abs(v) <= 1000 else None for v in values]
            self._note_sticks(message, sticks, now)
        if not self._of_autopilot(message):
            return
        if name == "RC_CHANNELS":
            raw = [fields[f"chan{n}_raw"] for n in range(1, 5)]
            sticks = [(v - 1500) / 500.0 if 800 <= v <= 2200 else None for v in raw]
            self._note_sticks(message, sticks, now)
        elif name == "ATTITUDE" and math.isfinite(fields["yaw"]):
            self._heard[name] = now
            self._yaw.camera.note(now, fields["yaw"])
        elif name == "HEARTBEAT":
            self._heard[name] = now
            self._px4, mode = fields["autopilot"] == m.AUTOPILOT_PX4, fields["custom_mode"]
            guided = mode == m.COPTER_GUIDED and fields["autopilot"] == m.AUTOPILOT_ARDUPILOT
            guided = mode >> 16 & 255 == m.PX4_OFFBOARD if self._px4 else guided
            armed = bool(fields["base_mode"] & m.MODE_ARMED)
            self._guided = guided and armed and fields["type"] in m.MULTICOPTERS
            self._flies = fields["system_status"] == m.STATE_ACTIVE

    def _of_autopilot(self, message: Message) -> bool:
        return (message.system, message.component) == (self._me[0], m.COMPONENT_AUTOPILOT)

    def _note_sticks(self, message: Message, sticks: Sticks, now: float) -> None:
        self._sticks[message.name, message.system] = now, sticks
        # a ground station's joystick does not show what the pilot does with the radio control
        if self._of_autopilot(message) and None not in sticks[:2] + sticks[3:]:
            self._heard["sticks"] = now

    def frame(self, view: View, now: float) -> List[Outgoing]:
        """Take the newest frame, and return the messages to send."""
        self._view = view
        number = view.number if view.chosen else None
        if number != self._number:
            self._number = number
            if number is None or view.track is None:
                self._end("the target was dropped")
            else:
                self._stops = STOPS if self.following else self._stops
                self._over = self.following = False
                self._first_px, self._rest = _side_px(view.track.box), {}
                self._chosen_at, self._waits_for = now, None
        if number is not None and view.track is not None and not missing(view, now):
            x, y, w, h = view.track.box
            ray = self._geo.direction(view, (x + w / 2, y + h / 2))
            if ray is not None and math.hypot(ray[0], ray[1]) >= STEEPEST:
                self._yaw.target.add(view.captured_s, math.atan2(ray[1], ray[0]))
            else:  # the camera's attitude is unknown, or the target is below
                self._yaw.reset()
        return self.tick(now, fresh=True)

    def tick(self, now: float, fresh: bool = False) -> List[Outgoing]:
        """Return the messages that are due. Call it after each frame, and 20 times a second."""
        self._unseen = missing(self._view, now) or ""
        self._seen_at = self._seen_at if self._unseen else now
        out: List[Outgoing] = [] if self._over else self._requests(now)
        why = self._obstacle(now)
        if self.following and why:
            self._end(why)
        elif not self._over and not self.following:
            self._begin_or_wait(why, now)
        due = not 0.0 <= now - self._sent_at < REPEAT_S
        if self.following and (fresh or due):
            out.append(self._setpoint(now, *self._steer(now)))
        elif self._stops and not self.following and due:
            self._stops -= 1
            out.append(self._setpoint(now))
        elif self._px4 and not self._over and not self.following and due:
            out.append(self._setpoint(now))  # PX4 enters OFFBOARD only while setpoints come
        said, self._say = self._say, []
        return said + out

    def leave(self, now: float) -> List[Outgoing]:
        """The run ends: stand still; may be sent several times."""
        return [self._setpoint(now)] if self.following or self._stops else []

    def _requests(self, now: float) -> List[Outgoing]:
        """Ask the autopilot for the messages that do not come."""
        late = [now - self._heard.get(name, -1e9) for name in ("ATTITUDE", "sticks")]
        if max(late) < self._lost["link"] / 2 or now - self._asked_at < ASK_S:
            return []
        self._asked_at, autopilot = now, (self._me[0], m.COMPONENT_AUTOPILOT)
        return [
            command_long(autopilot, m.CMD_SET_MESSAGE_INTERVAL, number, interval_us)
            for number, interval_us in REQUESTED.items()
        ]

    def _obstacle(self, now: float) -> Optional[str]:
        """Why the vehicle must not be steered now, or None."""
        link_s = self._lost["link"]
        for name, limit_s in (("HEARTBEAT", HEARTBEAT_S), ("ATTITUDE", link_s), ("sticks", link_s)):
            if now - self._heard.get(name, -1e9) > limit_s:
                return f"no {name} of the autopilot"
        if not self._guided:
            return "the mode is not GUIDED or OFFBOARD"
        if not self._flies:
            return "landed, or in failsafe"
        if self._pilot_moved(now - link_s):
            return "the pilot moved a stick" if self.following else "a stick is not centred"
        if now - self._seen_at > self._lost["coast"]:
            return self._unseen
        return None

    def _pilot_moved(self, since: float) -> bool:
        """Whether a stick is away from where it was when following began, or from its centre."""
        return any(
            value is not None and rest is not None and abs(value - rest) > STICK
            for name, (at, values) in self._sticks.items()
            for value, rest in zip(values, self._rest.get(name, (0.0, CENTRED))[1])
            if at >= since
        )

    def _begin_or_wait(self, why: Optional[str], now: float) -> None:
        if why is None:
            self.following, self._rest = True, dict(self._sticks)
            self._speed = 0.0
            self._ramp.stop()
            self._say.append(status_text("follow: begins"))
        elif why != self._waits_for and now - self._chosen_at > 2 * ASK_S:
            self._say.append(status_text(f"follow waits: {why}"))
            self._waits_for = why

    def _end(self, why: str) -> None:
        if self.following:
            self._stops = STOPS
            self._say.append(status_text(f"follow ends: {why}"))
        self._ramp.stop()
        self.following, self._over = False, True

    def _steer(self, now: float) -> Velocity:
        """(metres a second forward, yaw rate in radians a second)."""
        values = self._ramp.command(now, self._unseen or None, lambda: self._wish(now))
        if self._unseen:
            self._speed = values[0]
            self._yaw.ease(now, values[1])
        return values

    def _wish(self, now: float) -> Velocity:
        """What brings the vehicle to the target; zeros where its bearing is unknown."""
        view = self._view
        assert view is not None and view.track is not None, "there is no evidence"
        if self._yaw.target.at is None:
            self._yaw.reset()
            self._speed = 0.0
            return 0.0, 0.0
        yaw_rate = self._yaw.follow(now, now + self._delay_s)
        limits = self._forward
        smaller = self._first_px / max(1.0, _side_px(view.track.box)) - 1.0 - limits["dead_band"]
        ahead = math.cos(self._yaw.target.predicted(now) - self._yaw.camera.angle(now))
        wanted = max(0.0, limits["gain"] * smaller * ahead)  # it never flies backwards
        fastest = self._speed + limits["acceleration"] * min(REPEAT_S, now - self._sent_at)
        self._speed = min(wanted, fastest, limits["speed"])
        return self._speed, yaw_rate

    def _setpoint(self, now: float, forward: float = 0.0, yaw_rate: float = 0.0) -> Outgoing:
        """SET_POSITION_TARGET_LOCAL_NED: velocity in the vehicle's frame, and yaw rate."""
        self._sent_at = now
        self._yaw.camera.command(now, yaw_rate)
        fields = dict(vx=forward, yaw_rate=yaw_rate, time_boot_ms=boot_ms(now))
        fields.update(target_system=self._me[0], target_component=m.COMPONENT_AUTOPILOT)
        fields.update(coordinate_frame=m.FRAME_BODY_NED, type_mask=m.VELOCITY_AND_YAW_RATE)
        return "SET_POSITION_TARGET_LOCAL_NED", fields


def _side_px(box: Tuple[float, float, float, float]) -> float:
    """The side of a square as large as a box; 0 if the box is none."""
    area = box[2] * box[3]
    return math.sqrt(area) if math.isfinite(area) and area > 0 else 0.0
