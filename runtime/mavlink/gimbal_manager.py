"""The gimbal manager protocol, from the side of the one who steers.

Finds the manager, asks for control, sends rates, and gives way when somebody else takes control.
Protocol: mavlink.io/en/services/gimbal_v2.html. Pure, like ``camera``.
"""

from typing import Any, List, Tuple

from runtime.gimbal import control as law
from runtime.gimbal.angles import pitch_yaw_of_quaternion
from runtime.mavlink import numbers as m

ASK_S = 1.0  # a question is put again so often while nobody answers
ATTITUDE_US = 20000  # interval at which the gimbal's attitude is asked for
REPEAT_S = 0.1  # a rate is sent again so often although no new frame came
STOPS = 5  # packets that say "stand still": one may be lost
FLAGS = m.GIMBAL_ROLL_LOCK | m.GIMBAL_PITCH_LOCK | m.GIMBAL_YAW_LOCK  # rates against the earth
NAN = float("nan")


class GimbalManager:
    """Steers the gimbal of our system.

    Args:
        control: ``runtime.gimbal.control.Control``.
        system, component: ours.
        link_s: silence of the manager after which the link counts as lost, seconds.
        geo: ``geo.Geo`` that is told the camera's attitude, or None.

    Attributes:
        manager: (system, component) of the gimbal manager, None while it is unknown.
        ours: whether we are in control.
        up: whether the manager was heard of late.
        commands: how many rates were sent.
    """

    def __init__(self, control, system: int, component: int, link_s: float, geo=None) -> None:
        self.control = control
        self._geo = geo
        self.manager: Any = None
        self.ours = self.up = False
        self.commands = 0
        self._me, self._link_s = (system, component), link_s
        self._device = 0
        self._heard_at = 0.0
        self._view: Any = None
        self._asked_at = self._claimed_at = self._attitude_asked_at = -1e9
        self._wanted = False  # a target is followed, so the gimbal is wanted
        self._yielded = False  # somebody else took control; until the next target
        self._sent_at = -1e9
        self._stops = 0  # packets that are still to say "stand still"
        self._number = None  # of the target that is followed
        self._rates = (0.0, 0.0)

    # what comes

    def hear(self, message, now: float) -> None:
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
                # yaw counts from north only where the gimbal says so
                if self._geo is not None and fields["flags"] & m.GIMBAL_YAW_LOCK:
                    self._geo.camera_at(now, *angles)

    def _note_control(self, primary):
        before, self.ours = self.ours, primary == self._me
        if before and not self.ours and primary != (0, 0):
            self._yielded = True
            self._stops = 0

    # what goes

    def frame(self, view, now: float) -> List[Tuple]:
        """Take the newest frame; returns what is to be sent.

        Args:
            view: ``run.View``.
        """
        self._view = view
        wanted = view.track is not None
        if wanted and (not self._wanted or view.number != self._number):
            self._yielded = False  # a new target: the user wants it followed
        self._wanted, self._number = wanted, view.number
        return self.tick(now, fresh=True)

    def tick(self, now: float, fresh: bool = False) -> List[Tuple]:
        """What is due. Call it after each frame and at 20 Hz."""
        if self.up and now - self._heard_at > self._link_s:
            self.up = self.ours = False
            self.manager = None  # it may come back as another component
            self.control.stop(now)
            self._stops = STOPS  # said when the link is back
        out = self._discover(now)
        if not self.up:
            return out
        if self._wanted and not self._yielded and not self.ours:
            out += self._claim(now, self._me)
        if not self.ours or self._yielded:
            return out
        if self._wanted and (fresh or now - self._sent_at >= REPEAT_S):
            out.append(self._steer(now))
        elif not self._wanted:
            out += self._stand_still(now)
        return out

    def _discover(self, now):
        """Ask for the manager until it is heard, and for the gimbal's attitude."""
        out = []
        if not self.up and now - self._asked_at >= ASK_S:
            self._asked_at = now
            out.append(
                self._command((self._me[0], 0), m.CMD_REQUEST_MESSAGE, m.GIMBAL_MANAGER_INFORMATION)
            )
        stale = self._wanted and not self.control.yaw.camera.fresh(now)
        if self.up and stale and now - self._attitude_asked_at >= ASK_S:
            self._attitude_asked_at = now
            out.append(
                self._command(
                    self.manager,
                    m.CMD_SET_MESSAGE_INTERVAL,
                    m.GIMBAL_DEVICE_ATTITUDE_STATUS,
                    ATTITUDE_US,
                )
            )
        return out

    def _claim(self, now, who):
        """Ask for control, or give it back with who = (0, 0)."""
        if now - self._claimed_at < ASK_S:
            return []
        self._claimed_at = now
        return [
            self._command(
                self.manager,
                m.CMD_DO_GIMBAL_MANAGER_CONFIGURE,
                who[0],
                who[1],
                -1.0,
                -1.0,
                device=self._device,
            )
        ]

    def _steer(self, now):
        view = self._view
        track = view.track
        state = law.LOST if track.lost else self.control.state_of(track.score)
        if now - view.captured_s > max(self._link_s, 0.5):
            state = law.LOST  # the source gives no frames any more
        rates = self.control.update(now, view.captured_s, track.box, view.size, state)
        self._stops = STOPS
        return self._set_rates(now, rates)

    def _stand_still(self, now):
        """After the target was dropped: stop, and give the control back."""
        if not self._stops or now - self._sent_at < 1.0 / 30:
            return []
        self._stops -= 1
        out = [self._set_rates(now, self.control.stop(now))]
        if not self._stops:
            self._claimed_at = -1e9
            out += self._claim(now, (0, 0))
        return out

    def _set_rates(self, now, rates):
        self._sent_at, self._rates = now, rates
        self.commands += 1
        return "GIMBAL_MANAGER_SET_PITCHYAW", {
            "target_system": self.manager[0],
            "target_component": self.manager[1],
            "flags": FLAGS,
            "gimbal_device_id": self._device,
            "pitch": NAN,
            "yaw": NAN,
            "pitch_rate": rates[0],
            "yaw_rate": rates[1],
        }

    def _command(self, to, command, *parameters, **more):
        values = [float(v) for v in parameters] + [0.0] * (7 - len(parameters))
        if "device" in more:
            values[6] = float(more["device"])
        fields = {"param{}".format(n): value for n, value in enumerate(values, 1)}
        return "COMMAND_LONG", dict(
            fields, target_system=to[0], target_component=to[1], command=command, confirmation=0
        )
