"""Steer the vehicle's gimbal through its gimbal manager.

This file finds the manager, asks for control, and sends rates. When another component takes
control, it stops sending. Like ``camera`` it opens no link and reads no clock. Protocol:
mavlink.io/en/services/gimbal_v2.html.
"""

from typing import List, Optional, Tuple

from runtime.links.gimbal import control as law
from runtime.links.gimbal.angles import pitch_yaw_of_quaternion
from runtime.links.mavlink import numbers as m
from runtime.links.mavlink.geo import Geo
from runtime.links.mavlink.messages import Message, Outgoing, View
from runtime.types import UNSURE

Component = Tuple[int, int]  # (system, component)

ASK_S = 1.0  # a request without an answer is repeated after this time
ATTITUDE_US = 20000  # interval of the gimbal's attitude that is requested
REPEAT_S = 0.1  # without a new frame, the rates are sent again after this time
STOPS = 5  # how often "stand still" is sent, because packets may be lost
FLAGS = m.GIMBAL_ROLL_LOCK | m.GIMBAL_PITCH_LOCK | m.GIMBAL_YAW_LOCK  # rates in the earth's frame
NAN = float("nan")


class GimbalManager:
    """Steers the gimbal of our system.

    Args:
        control: computes the rates.
        system, component: our ids.
        link_s: the link counts as lost when the manager was silent for so long, seconds.
        geo: gets the camera's attitude; may be None.

    Attributes:
        manager: (system, component) of the gimbal manager, None while it is unknown.
        ours: whether we are in control.
        up: whether the manager was heard within the last ``link_s``.
        commands: how many rates were sent.
    """

    def __init__(
        self,
        control: law.Control,
        system: int,
        component: int,
        link_s: float,
        geo: Optional[Geo] = None,
    ) -> None:
        self.control = control
        self._geo = geo
        self.manager: Optional[Component] = None
        self.ours = self.up = False
        self.commands = 0
        self._me, self._link_s = (system, component), link_s
        self._device = 0
        self._heard_at = 0.0
        self._view: Optional[View] = None
        self._asked_at = self._claimed_at = self._attitude_asked_at = -1e9
        self._wanted = False  # whether a target is followed, so that the gimbal is needed
        self._yielded = False  # another component took control; reset by the next target
        self._sent_at = -1e9
        self._stops = 0  # how often "stand still" must still be sent
        self._number: Optional[int] = None  # of the target that is followed

    # incoming messages

    def receive(self, message: Message, now: float) -> None:
        """Note one message."""
        fields = message.fields
        sender = (message.system, message.component)
        if message.system != self._me[0]:
            return
        if message.name == "GIMBAL_MANAGER_INFORMATION" and self.manager is None:
            self.manager, self._device = sender, fields["gimbal_device_id"]
        if sender == self.manager:
            self._heard_at = now
            if not self.up:
                self.up = True
                self.control.forget()
        if message.name == "GIMBAL_MANAGER_STATUS" and sender == self.manager:
            self._note_control((fields["primary_control_sysid"], fields["primary_control_compid"]))
        if message.name == "GIMBAL_DEVICE_ATTITUDE_STATUS":
            angles = pitch_yaw_of_quaternion(fields["q"])
            if angles is not None:
                self.control.attitude(now, *angles)
                # with this flag, yaw is measured from north
                if self._geo is not None and fields["flags"] & m.GIMBAL_YAW_LOCK:
                    self._geo.camera_at(now, *angles)

    def _note_control(self, primary: Component) -> None:
        """Note which component is in control; (0, 0) is none."""
        before, self.ours = self.ours, primary == self._me
        if before and not self.ours and primary != (0, 0):
            self._yielded = True
            self._stops = 0

    # outgoing messages

    def frame(self, view: View, now: float) -> List[Outgoing]:
        """Take the newest frame, and return the messages to send."""
        self._view = view
        wanted = view.track is not None
        if wanted and (not self._wanted or view.number != self._number):
            self._yielded = False  # a new target: the user wants it followed
        self._wanted, self._number = wanted, view.number
        return self.tick(now, fresh=True)

    def tick(self, now: float, fresh: bool = False) -> List[Outgoing]:
        """Return the messages that are due. Call it after each frame, and 20 times a second."""
        if self.up and now - self._heard_at > self._link_s:
            self.up = self.ours = False
            self.manager = None  # it may come back as another component
            self.control.stop(now)
            self._stops = STOPS  # sent when the link is back
        out = self._discover(now)
        if not self.up or self.manager is None:
            return out
        if self._wanted and not self._yielded and not self.ours:
            out += self._claim(now, self.manager, self._me)
        if not self.ours or self._yielded:
            return out
        if self._wanted and (fresh or now - self._sent_at >= REPEAT_S):
            out.append(self._steer(now, self.manager))
        elif not self._wanted:
            out += self._stand_still(now, self.manager)
        return out

    def _discover(self, now: float) -> List[Outgoing]:
        """Ask for the manager until it is heard, and for the gimbal's attitude."""
        out: List[Outgoing] = []
        if not self.up and now - self._asked_at >= ASK_S:
            self._asked_at = now
            out.append(
                self._command((self._me[0], 0), m.CMD_REQUEST_MESSAGE, m.GIMBAL_MANAGER_INFORMATION)
            )
        stale = self._wanted and not self.control.yaw.camera.fresh(now)
        asked_s = now - self._attitude_asked_at
        if self.up and self.manager is not None and stale and asked_s >= ASK_S:
            self._attitude_asked_at = now
            asked = m.GIMBAL_DEVICE_ATTITUDE_STATUS, ATTITUDE_US
            out.append(self._command(self.manager, m.CMD_SET_MESSAGE_INTERVAL, *asked))
        return out

    def _claim(self, now: float, manager: Component, who: Component) -> List[Outgoing]:
        """Ask ``manager`` to give control to ``who``; (0, 0) gives it back."""
        if now - self._claimed_at < ASK_S:
            return []
        self._claimed_at = now
        command, values = m.CMD_DO_GIMBAL_MANAGER_CONFIGURE, who + (-1.0, -1.0)
        return [self._command(manager, command, *values, device=self._device)]

    def _steer(self, now: float, manager: Component) -> Outgoing:
        """The rates that bring the camera to the target."""
        view = self._view
        assert view is not None and view.track is not None, "no target is followed"
        track = view.track
        state = self.control.state_of(track.score)
        if track.lost:
            state = law.LOST
        elif track.state == UNSURE:
            state = law.UNSURE
        if now - view.captured_s > max(self._link_s, 0.5):
            state = law.LOST  # no frames come from the source
        rates = self.control.update(now, view.captured_s, track.box, view.size, state)
        self._stops = STOPS
        return self._set_rates(now, manager, rates)

    def _stand_still(self, now: float, manager: Component) -> List[Outgoing]:
        """After the target was dropped: stop the gimbal, then give control back."""
        if not self._stops or now - self._sent_at < 1.0 / 30:
            return []
        self._stops -= 1
        out = [self._set_rates(now, manager, self.control.stop(now))]
        if not self._stops:
            self._claimed_at = -1e9
            out += self._claim(now, manager, (0, 0))
        return out

    def _set_rates(self, now: float, manager: Component, rates: Tuple[float, float]) -> Outgoing:
        """GIMBAL_MANAGER_SET_PITCHYAW with (pitch, yaw) rates, radians a second."""
        self._sent_at = now
        self.commands += 1
        return "GIMBAL_MANAGER_SET_PITCHYAW", {
            "target_system": manager[0],
            "target_component": manager[1],
            "flags": FLAGS,
            "gimbal_device_id": self._device,
            "pitch": NAN,
            "yaw": NAN,
            "pitch_rate": rates[0],
            "yaw_rate": rates[1],
        }

    def _command(
        self, to: Component, command: int, *parameters: float, device: Optional[int] = None
    ) -> Outgoing:
        """COMMAND_LONG with param1, param2 ..., and the gimbal device as param7."""
        values = [float(v) for v in parameters] + [0.0] * (7 - len(parameters))
        if device is not None:
            values[6] = float(device)
        fields = {f"param{n}": value for n, value in enumerate(values, 1)}
        return "COMMAND_LONG", dict(
            fields, target_system=to[0], target_component=to[1], command=command, confirmation=0
        )
