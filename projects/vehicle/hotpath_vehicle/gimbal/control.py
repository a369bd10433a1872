"""The control law: compute the gimbal's rates from the target's position in the frame.

The box of a frame is known some time after the frame was taken, and the gimbal moves some time
after a command. Both delays are compensated:

1. The box becomes an angle in the gimbal's frame of reference, with the camera's attitude at the
   capture time.
2. That angle is filtered and predicted to the time when a command takes effect.
3. The camera's angle at that time is predicted from its last attitude and the rates that were
   commanded since.
4. A PID acts on the difference of the two angles. The target's rate is added as feed-forward.

So the control stays stable as long as the delay is about right; ``aim.calibration`` measures it.
"""

import math
from collections import deque
from typing import Deque, Dict, Optional, Sequence, Tuple

from hotpath.runtime.frames.directions import ray_of
from hotpath_vehicle.gimbal.angles import between, pitch_yaw_of, turned

HISTORY_S = 3.0
LONGEST_GAP_S = 0.5  # after a longer time without a box, the filter starts again
DELAY_S = 0.03  # from a command until a gimbal turns, where it was not measured
LONGEST_AHEAD_S = 1.0  # predictions go no further


class CameraAngle:
    """The camera's angle on one axis, from received attitudes and commanded rates.

    Args:
        command_delay_s: time from a command to its effect, seconds.
        fresh_s: an older attitude does not count as fresh, seconds.
    """

    def __init__(self, command_delay_s: float, fresh_s: float) -> None:
        self._delay_s, self._fresh_s = command_delay_s, fresh_s
        self._heard: Deque[Tuple[float, float]] = deque()  # (seconds, radians), unwrapped
        # (seconds when it takes effect, radians a second)
        self._rates: Deque[Tuple[float, float]] = deque()

    def note(self, at: float, angle: float) -> None:
        """Note an attitude: the angle in radians at a time in seconds."""
        if self._heard:
            if at <= self._heard[-1][0]:
                return
            angle = self._heard[-1][1] + between(angle, self._heard[-1][1])
        self._heard.append((at, angle))
        while self._heard[0][0] < at - HISTORY_S and len(self._heard) > 1:
            self._heard.popleft()

    def command(self, at: float, rate: float) -> None:
        """Note a rate, radians a second, that was sent at a time in seconds."""
        self._rates.append((at + self._delay_s, rate))
        while self._rates[0][0] < at - HISTORY_S and len(self._rates) > 1:
            start = self._rates[1][0]
            if not self._heard or self._heard[-1][0] < start:
                # no attitude came since: keep the angle that the dropped rate led to
                self._heard.append((start, self.angle(start)))
            self._rates.popleft()

    def fresh(self, now: float) -> bool:
        """Whether the last attitude is at most ``fresh_s`` old."""
        return bool(self._heard) and now - self._heard[-1][0] <= self._fresh_s

    def angle(self, at: float) -> float:
        """The angle at a time, radians.

        Between two attitudes it is interpolated. After the last one, the commanded rates are added.
        """
        heard = self._heard
        if not heard:
            return self._turned(0.0, at)
        if at >= heard[-1][0]:
            return heard[-1][1] + self._turned(heard[-1][0], at)
        later = heard[-1]
        for entry in reversed(heard):
            if entry[0] <= at:
                share = (at - entry[0]) / (later[0] - entry[0])
                return entry[1] + share * (later[1] - entry[1])
            later = entry
        return heard[0][1]

    def _turned(self, start: float, end: float) -> float:
        """The angle by which the commanded rates turn the camera between two times, radians."""
        total = 0.0
        until = end
        for at, rate in reversed(self._rates):
            since = max(at, start)
            if since < until:
                total += rate * (until - since)
                until = since
            if at <= start:
                break
        return total

    def forget(self) -> None:
        """Drop the commanded rates: the gimbal was out of reach and may not have received them."""
        self._rates.clear()


class Filter:
    """An alpha-beta filter of one angle.

    Args:
        alpha, beta: shares of the error that correct the angle and the rate.
        most: fastest rate, radians a second.
    """

    def __init__(self, alpha: float, beta: float, most: float) -> None:
        self._alpha, self._beta, self._most = alpha, beta, most
        self.angle = self.rate = 0.0
        self.at: Optional[float] = None

    def add(self, at: float, angle: float) -> None:
        """Add a measurement: the angle in radians at a time in seconds."""
        if self.at is None or at - self.at > LONGEST_GAP_S:
            self.angle, self.rate, self.at = angle, 0.0, at
            return
        step = at - self.at
        if step <= 0:
            return
        predicted = self.angle + self.rate * step
        wrong = between(angle, predicted)
        self.angle = predicted + self._alpha * wrong
        self.rate += self._beta * wrong / step
        self.rate = max(-self._most, min(self._most, self.rate))
        self.at = at

    def predicted(self, at: float) -> float:
        """The angle at a later time, radians."""
        since = self.at if self.at is not None else at
        return self.angle + self.rate * min(max(0.0, at - since), LONGEST_AHEAD_S)


class GimbalAxis:
    """Pitch or yaw.

    Args:
        settings: result of ``settings.load_settings``.
        most_deg: fastest rate, degrees a second.
        delay_s: from a command until the camera turns, seconds.
    """

    def __init__(
        self, settings: Dict[str, Dict[str, float]], most_deg: float, delay_s: float
    ) -> None:
        pid, limits, target = settings["pid"], settings["limits"], settings["target"]
        self.camera = CameraAngle(delay_s, settings["delay"]["feedback"])
        self.target = Filter(target["alpha"], target["beta"], math.radians(target["rate"]))
        self.rate = 0.0
        self._pid = pid
        self._most = math.radians(most_deg)
        self._slew = math.radians(limits["slew"])
        self._band = math.radians(limits["dead_band"])
        self._most_integral = math.radians(pid["integral"])
        self._integral = 0.0
        self._error_before: Optional[float] = None
        self._at: Optional[float] = None

    def follow(self, now: float, effect: float) -> float:
        """The rate that brings the camera to the target, radians a second.

        Args:
            now: seconds.
            effect: when the command takes effect.
        """
        step = self._step(now)
        error = between(self.target.predicted(effect), self.camera.angle(effect))
        error = math.copysign(max(0.0, abs(error) - self._band), error)
        pid = self._pid
        change = 0.0
        if self._error_before is not None and step > 0:
            change = (error - self._error_before) / step
        self._error_before = error
        wanted = pid["kp"] * error + pid["kd"] * change + self._integral
        wanted += pid["feed_forward"] * self.target.rate
        if abs(wanted) < self._most or wanted * error < 0:  # else the integral would wind up
            self._integral += pid["ki"] * error * step
            self._integral = max(-self._most_integral, min(self._most_integral, self._integral))
        return self._limited(wanted, step)

    def ease(self, now: float, rate: float) -> None:
        """Take a rate that was commanded without the target, radians a second: go on from it."""
        self._step(now)
        self.rate, self._integral, self._error_before = rate, 0.0, None

    def reset(self) -> None:
        """Forget the target and stop at once."""
        self.rate, self._integral, self._error_before = 0.0, 0.0, None
        self.target.at = None
        self.target.rate = 0.0
        self._at = None

    def _step(self, now: float) -> float:
        step = 0.0 if self._at is None else min(max(0.0, now - self._at), LONGEST_GAP_S)
        self._at = now
        return step

    def _limited(self, wanted: float, step: float) -> float:
        wanted = max(-self._most, min(self._most, wanted))
        most = self._slew * (step or 1.0 / 30)
        self.rate += max(-most, min(most, wanted - self.rate))
        return self.rate


class Control:
    """Controls both axes of a gimbal, with a target and without one.

    Args:
        settings: result of ``settings.load_settings``.
        fov_deg: (horizontal, vertical) field of view, degrees.
        delay_s: from a command until the camera turns, seconds.
    """

    def __init__(
        self,
        settings: Dict[str, Dict[str, float]],
        fov_deg: Tuple[float, float],
        delay_s: Optional[float] = None,
    ) -> None:
        limits = settings["limits"]
        self._delay_s = DELAY_S if delay_s is None else delay_s
        self.pitch = GimbalAxis(settings, limits["pitch_rate"], self._delay_s)
        self.yaw = GimbalAxis(settings, limits["yaw_rate"], self._delay_s)
        self._fov_deg = fov_deg
        self._pitch_range = (math.radians(limits["pitch_min"]), math.radians(limits["pitch_max"]))

    def attitude(self, at: float, pitch: float, yaw: float) -> None:
        """Note the camera's angles, radians, as the gimbal reports them."""
        self.pitch.camera.note(at, pitch)
        self.yaw.camera.note(at, yaw)

    def update(
        self, now: float, captured_s: float, box: Sequence[float], size: Tuple[int, int]
    ) -> Tuple[float, float]:
        """Return the (pitch rate, yaw rate) that bring a target to the middle, radians a second.

        Args:
            now: seconds of a clock.
            captured_s: when the frame was taken, on that clock.
            box: (x, y, w, h) of the target in it, pixels.
            size: (width, height) of the frame.
        """
        centre = (box[0] + box[2] / 2.0, box[1] + box[3] / 2.0)
        pitch = self.pitch.camera.angle(captured_s)
        yaw = self.yaw.camera.angle(captured_s)
        ray = turned(ray_of(centre, size, self._fov_deg), 0.0, pitch, yaw)
        target_pitch, target_yaw = pitch_yaw_of(ray)
        self.pitch.target.add(captured_s, target_pitch)
        self.yaw.target.add(captured_s, target_yaw)
        effect = now + self._delay_s
        return self.pitch.follow(now, effect), self.yaw.follow(now, effect)

    def sent(self, now: float, rates: Sequence[float]) -> Tuple[float, float]:
        """Keep the pitch within its range, note the rates that are sent, and return them."""
        pitch_rate, yaw_rate = rates
        pitch, (low, high) = self.pitch.camera.angle(now + self._delay_s), self._pitch_range
        if (pitch <= low and pitch_rate < 0) or (pitch >= high and pitch_rate > 0):
            pitch_rate = self.pitch.rate = 0.0
        self.pitch.camera.command(now, pitch_rate)
        self.yaw.camera.command(now, yaw_rate)
        return pitch_rate, yaw_rate

    def ease(self, now: float, rates: Sequence[float]) -> None:
        """Take rates that are sent without the target: the control goes on from them."""
        self.pitch.ease(now, rates[0])
        self.yaw.ease(now, rates[1])

    def stop(self, now: float) -> Tuple[float, float]:
        """Return rates of zero: the user stopped, or the link is lost."""
        self.pitch.reset()
        self.yaw.reset()
        return self.sent(now, (0.0, 0.0))

    def forget(self) -> None:
        """Start again from the next attitude: the gimbal was out of reach."""
        for axis in (self.pitch, self.yaw):
            axis.reset()
            axis.camera.forget()
