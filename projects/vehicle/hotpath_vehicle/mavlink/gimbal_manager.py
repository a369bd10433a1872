"""Steer the vehicle's gimbal through its gimbal manager.

This file finds the manager, asks for control, and sends rates. While control is not ours, it says
why. After a refusal, or where another component takes control, it waits for the next target. Like
``camera`` it opens no link and reads no clock. Protocol: mavlink.io/en/services/gimbal_v2.html.
"""

import math
from typing import Dict, List, Optional, Set

from hotpath_vehicle.follow import Follow, Rates
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.attitudes import Attitudes
from hotpath_vehicle.mavlink.messages import Message, Outgoing, TargetView
from hotpath_vehicle.mavlink.reports import Component, command_long, status_text
from hotpath_vehicle.steering import Ramp, missing

PATIENCE_S = 3.0  # until it is said that there is no control of the gimbal yet
ASK_S = 1.0  # a request without an answer is repeated after this time
ATTITUDE_US, STATUS_US = 20000, 200000  # intervals of the manager's messages that are requested
REPEAT_S = 0.1  # without a new frame, the rates are sent again after this time
STOPS = 5  # how often "stand still" is sent, because packets may be lost
FLAGS = m.GIMBAL_ROLL_LOCK | m.GIMBAL_PITCH_LOCK | m.GIMBAL_YAW_LOCK  # rates in the earth's frame
RELEASE = (-3, -3)  # give control back, if it is ours
NAN = float("nan")


class GimbalManager:
    """Steers the gimbal of our system.

    Args:
        aim: computes the rates.
        system, component: our ids.
        link_s: the link counts as lost when the manager was silent for so long, seconds.
        holds: see ``steering.Ramp``.

    Attributes:
        manager: (system, component) of the gimbal manager, None while it is unknown.
        ours: whether we are in control.
        up: whether the manager was heard within the last ``link_s``.
        attitudes: tells which reported attitudes are the camera's.
    """

    def __init__(
        self,
        aim: Follow,
        system: int,
        component: int,
        link_s: float,
        holds: Optional[Dict[str, str]] = None,
    ) -> None:
        self.aim, self.attitudes = aim, Attitudes()
        self._ramp = Ramp("gimbal", 2, self._tell, holds)
        self.manager: Optional[Component] = None
        self.ours = self.up = False
        self._me, self._link_s = (system, component), link_s
        self._device = 0
        self._heard_at = 0.0
        self._view: Optional[TargetView] = None
        self._asked_at: Dict[int, float] = {}  # number of a message -> when it was requested
        self._claimed_at = self._status_at = -1e9
        self._say: List[Outgoing] = []  # to tell the user at the next tick
        self._wanted = False  # whether a target is followed, so that the gimbal is needed
        self._refusal = ""  # why control was refused or taken away; reset by the next target
        self._is_busy = self._is_silent = False  # the manager, by its last answer
        self._in_control: Component = (0, 0)  # as the manager reports; (0, 0) is none
        self._vehicles: Set[int] = set()  # other systems whose autopilot was heard
        self._free_s = -1e9  # when control was last ours, or began to be wanted
        self._sent_at = -1e9
        self._stops = 0  # how often "stand still" must still be sent
        self._number: Optional[int] = None  # of the target that is followed
        self._acts = 0  # of ``Selection``

    # incoming messages

    def receive(self, message: Message, now: float) -> None:
        """Note one message."""
        fields = message.fields
        sender = (message.system, message.component)
        if message.system != self._me[0]:
            if message.name == "HEARTBEAT" and message.component == m.COMPONENT_AUTOPILOT:
                self._vehicles.add(message.system)
            return
        if message.name == "GIMBAL_MANAGER_INFORMATION" and self.manager is None:
            self.manager = sender
            self._device = fields["gimbal_device_id"]
            self._identify()
        if sender == self.manager:
            self._heard_at, self._is_silent = now, False
            if not self.up:
                self.up = True
                self.aim.forget()
        if message.name == "GIMBAL_MANAGER_STATUS" and sender == self.manager:
            self._status_at = now
            primary = fields["primary_control_sysid"], fields["primary_control_compid"]
            self._note_control(primary, sender, now)
        if message.name == "COMMAND_ACK" and sender == self.manager:
            self._note_answer(fields, sender, now)
        if message.name == "ATTITUDE" and message.component == m.COMPONENT_AUTOPILOT:
            self.attitudes.turn_vehicle(now, fields["yaw"], fields["yawspeed"])
        if message.name == "GIMBAL_DEVICE_ATTITUDE_STATUS":
            self._note_attitude(message, now)

    def _identify(self) -> None:
        """The manager is known: whose attitudes count, and whether the calibration is of it."""
        assert self.manager is not None, "it was heard"
        self.attitudes.manager, self.attitudes.device = self.manager[1], self._device
        calibration = self.aim.calibration
        if calibration is not None and calibration.actuator != self.name:
            self.aim.refuse(f"calibrated is {calibration.actuator}")

    @property
    def name(self) -> str:
        """The gimbal's name in a calibration: system, component of the manager, device."""
        system, component = self.manager or (0, 0)
        return f"gimbal {system}/{component}/{self._device}"

    def _note_attitude(self, message: Message, now: float) -> None:
        """Note where the camera points, if it is the one that is steered."""
        fields = message.fields
        if not self.attitudes.is_ours(message.component, fields.get("gimbal_device_id", 0)):
            return
        angles = self.attitudes.angles(now, fields)
        if angles is not None:  # else the rates that were commanded are added up
            self.aim.control.attitude(now, *angles)

    def _note_control(self, primary: Component, manager: Component, now: float) -> None:
        """Note which component is in control; (0, 0) is none. Who loses it stops what turns."""
        before, self.ours = self.ours, primary == self._me
        self._in_control = primary
        if before and not self.ours and self._wanted:
            self._halt(manager, now)
            if primary != (0, 0):
                self._refusal = "component {}/{} took control".format(*primary)

    def _note_answer(self, fields: Dict[str, int], manager: Component, now: float) -> None:
        """Give up until the next target where the manager refuses control."""
        ours = (fields["target_system"], fields["target_component"]) == self._me
        if fields["command"] != m.CMD_DO_GIMBAL_MANAGER_CONFIGURE or not ours:
            return
        self._is_busy = fields["result"] == m.TEMPORARILY_REJECTED
        refused = fields["result"] in (m.DENIED, m.UNSUPPORTED, m.FAILED)
        if refused and self._wanted and not self._refusal:
            if self.ours:
                self._halt(manager, now)
            self._refusal = "its manager refuses control"

    def _halt(self, manager: Component, now: float) -> None:
        """Stop what turns by our last command; the manager may hear us nevertheless."""
        self._ramp.stop()
        self._stops = 0
        self._say.append(self._set_rates(now, manager, self.aim.stop(now)))

    def _obstacle(self, now: float) -> str:
        """Why nothing is steered, although there is a target; "" while control may still come."""
        if self._refusal or self._is_silent:
            return self._refusal or "its manager is silent"
        if now - self._free_s <= PATIENCE_S:
            return ""
        if self.manager is None:
            why = f"no gimbal manager of system {self._me[0]} answers"
            others = ", ".join(map(str, sorted(self._vehicles)))
            return f"{why}; vehicles heard: {others} (--mavlink-system)" if others else why
        if self._in_control not in ((0, 0), self._me):
            return "component {}/{} has control".format(*self._in_control)
        return f"its manager {'is busy' if self._is_busy else 'gives no control'}"

    def _tell(self, why: str) -> None:
        self._say += status_text(why)

    # outgoing messages

    def frame(self, view: TargetView, now: float) -> List[Outgoing]:
        """Take the newest frame, and return the messages to send."""
        self._view = view
        if view.acts != self._acts:  # the user looks at the picture, and means this target
            self._acts = view.acts
            self.aim.acted()
        wanted = view.track is not None
        if wanted and (not self._wanted or view.number != self._number):
            self._refusal, self._free_s = "", now  # a new target: the user wants it followed
            self.aim.restart()
        if self._wanted and not wanted:
            self._ramp.stop()
        self._wanted, self._number = wanted, view.number
        return self.tick(now, fresh=True)

    def tick(self, now: float, fresh: bool = False) -> List[Outgoing]:
        """Return the messages that are due. Call it after each frame, and 20 times a second."""
        out: List[Outgoing] = []
        if self.up and now - self._heard_at > self._link_s:
            rates = self.aim.stop(now)
            self._ramp.stop()
            self._stops = STOPS  # sent when the link is back
            if self.ours and self.manager is not None:  # it may hear us nevertheless
                out = [self._set_rates(now, self.manager, rates) for _ in range(STOPS)]
                self._is_silent = True
            self.manager = None  # it may come back as another component
            self.up = self.ours = False
        if self.ours:
            self._free_s = now
        why = self._obstacle(now) if self._wanted and (self._refusal or not self.ours) else ""
        if why:
            self._ramp.hold(now, why)
        out += self._say + self._discover(now)
        self._say = []
        if not self.up or self.manager is None:
            return out
        if self._wanted and not self._refusal and not self.ours:
            out += self._claim(now, self.manager, self._me)
        if not self.ours or self._refusal:
            return out
        if self._wanted and (fresh or not 0.0 <= now - self._sent_at < REPEAT_S):
            out.append(self._steer(now, self.manager, fresh))
        elif not self._wanted:
            out += self._stand_still(now, self.manager)
        return out

    def _discover(self, now: float) -> List[Outgoing]:
        """Ask for the manager until it is heard, then for its status and the gimbal's attitude."""
        if not self.up or self.manager is None:
            request = command_long(
                (self._me[0], 0), m.CMD_REQUEST_MESSAGE, m.GIMBAL_MANAGER_INFORMATION
            )
            return [request] if self._may_ask(m.GIMBAL_MANAGER_INFORMATION, now) else []
        missing = []
        if not self.aim.control.yaw.camera.fresh(now):
            missing.append((m.GIMBAL_DEVICE_ATTITUDE_STATUS, ATTITUDE_US))
        if now - self._status_at > ASK_S:
            missing.append((m.GIMBAL_MANAGER_STATUS, STATUS_US))
        return [
            command_long(self.manager, m.CMD_SET_MESSAGE_INTERVAL, number, interval_us)
            for number, interval_us in missing
            if self._wanted and self._may_ask(number, now)
        ]

    def _may_ask(self, number: int, now: float) -> bool:
        """Whether to request that message now; at most once in ``ASK_S``."""
        if now - self._asked_at.get(number, -1e9) < ASK_S:
            return False
        self._asked_at[number] = now
        return True

    def _claim(self, now: float, manager: Component, who: Component) -> List[Outgoing]:
        """Ask ``manager`` to give control to ``who``; ``RELEASE`` gives ours back."""
        if now - self._claimed_at < ASK_S:
            return []
        self._claimed_at = now
        values = who + (-1, -1, 0, 0, self._device)  # -1: do not change the secondary control
        return [command_long(manager, m.CMD_DO_GIMBAL_MANAGER_CONFIGURE, *values)]

    def leave(self, now: float) -> List[Outgoing]:
        """The run ends: stand still and give control back; may be sent several times."""
        if not self.ours or self.manager is None:
            return []
        self._claimed_at = -1e9
        stop = self._set_rates(now, self.manager, self.aim.stop(now))
        return [stop] + self._claim(now, self.manager, RELEASE)

    def _steer(self, now: float, manager: Component, fresh: bool) -> Outgoing:
        """The rates that bring the camera to the target."""
        view = self._view
        assert view is not None, "a target is wanted"
        if fresh and missing(view, now) is None and view.track is not None:
            self.aim.see(view.captured_s, view.track.box, view.size)
        self._stops = STOPS
        return self._set_rates(now, manager, self._ramp.steer(now, self.aim, view, view.size))

    def _stand_still(self, now: float, manager: Component) -> List[Outgoing]:
        """After the target was dropped: stop the gimbal, then give control back."""
        if not self._stops or now - self._sent_at < 1.0 / 30:
            return []
        self._stops -= 1
        self._ramp.stop()
        out = [self._set_rates(now, manager, self.aim.stop(now))]
        if not self._stops:
            self._claimed_at = -1e9
            out += self._claim(now, manager, RELEASE)
        return out

    def _set_rates(self, now: float, manager: Component, rates: Rates) -> Outgoing:
        """GIMBAL_MANAGER_SET_ATTITUDE with (right, up) rates, degrees a second.

        PX4 does not take GIMBAL_MANAGER_SET_PITCHYAW; ArduPilot takes both.
        """
        self._sent_at = now
        right, up = self.aim.command(rates)
        return "GIMBAL_MANAGER_SET_ATTITUDE", {
            "target_system": manager[0],
            "target_component": manager[1],
            "flags": FLAGS,
            "gimbal_device_id": self._device,
            "q": [NAN] * 4,
            "angular_velocity_y": math.radians(up),
            "angular_velocity_z": math.radians(right),
        }
