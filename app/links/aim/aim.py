"""The rates of a camera that follows a target: slow, unless a calibration has answered.

Slow: 0.33 of the error each second, and at most a twelfth of the picture's width a second. It needs
no delay: nothing overshoots with up to two seconds of it, and a wrong sign costs a few degrees.
Calibrated: ``gimbal.control`` with the gains and the limit that suit the measured delay. It stays
slow until the box has answered a nod, at the start and after each gap. The watchdog stops both;
after its first stop the camera is slow, after its second one it waits for somebody.
"""

import math
from typing import Dict, Optional, Sequence, Tuple

from hotpath.app.links.aim.calibration import Calibration, error_of, settings_for
from hotpath.app.links.aim.nod import HALF_S, SILENT, UNFIT, Nod
from hotpath.app.links.aim.watchdog import OPPOSITE, Watchdog
from hotpath.app.links.gimbal.control import Control
from hotpath.app.links.steering import CONFIRM

SLOW_GAIN, SLOW_SHARE, SLOW_BAND = 0.33, 12.0, 0.01  # 1/s; of the width: a second's turn; no error
GAP_S = 1.0  # without a frame: what answered before may have changed
HOLD_S = 1.15  # after a stop of the watchdog, and two delays more

Rates = Tuple[float, float]  # (right, up), degrees a second


class Aim:
    """Computes the rates for one target of one camera.

    Args:
        settings: result of ``gimbal.settings.load_settings``.
        fov: (horizontal, vertical) field of view, degrees; a calibration replaces it.
        calibration: of this camera, or None.
        nod: (rate, quarter) of a nod; see ``Nod``.
        assumed: degrees a second for a command of 1, without a calibration.

    Attributes:
        control: the ``Control``. It knows where the camera points, also while it is slow.
        why: why the camera must stand; None while it may turn.
        note: a sentence on what the camera does instead, to say once; None without news.
    """

    def __init__(
        self,
        settings: Dict[str, Dict[str, float]],
        fov: Tuple[float, float],
        calibration: Optional[Calibration] = None,
        nod: Tuple[float, float] = (0.0, HALF_S),
        assumed: float = 1.0,
    ) -> None:
        if calibration is not None:
            settings = settings_for(settings, calibration)
            fov = calibration.fov, fov[1] * calibration.fov / fov[0]
        self.calibration = calibration
        own_s = None if calibration is None else calibration.delay - calibration.age_s
        self.control = Control(settings, fov, own_s)
        self.width = fov[0]
        self.age_s = 0.0 if calibration is None else calibration.age_s
        delay = 0.0 if calibration is None else calibration.delay
        self.nod = Nod(self.width, delay, *nod)
        self.note = None if calibration else "goes slowly: it has no calibration"
        self._assumed = assumed
        self._band = max(SLOW_BAND * self.width, settings["limits"]["dead_band"])
        self._at = -math.inf  # of the newest frame
        self.confirm()

    def confirm(self) -> None:
        """Somebody acted: what happened before counts no more."""
        self.why: Optional[str] = None
        self._resumes_s = math.inf
        self._stops = 0
        self._set_slow(self.calibration is None)
        self.nod.restart()

    def restart(self) -> None:
        """The link or the stream was gone: the calibration must answer again."""
        self.nod.restart()
        self.watchdog.clear()

    @property
    def is_slow(self) -> bool:
        """Whether the camera goes slowly, because no calibration has answered."""
        return self._is_slow or not self.nod.is_proven

    def see(self, now: float, at: float, box: Sequence[float], size: Tuple[int, int]) -> None:
        """Take the target of a frame that is evidence.

        Args:
            now: seconds.
            at: the frame's time stamp, on the same clock.
            box: (x, y, w, h) of the target, pixels.
            size: (width, height) of the frame.
        """
        if at - self._at > GAP_S:
            self.restart()
        self._at = at
        if self.why is not None and now >= self._resumes_s:
            self.why = None
            self.watchdog.clear()
        error = error_of((box[0], box[1], box[2], box[3]), size, self.width)
        why = self.watchdog.add(at, error)
        if self.why is None and not self._is_slow:
            why = self._asked(now, why)
        if why is not None and self.why is None:
            self._stop(now, why)

    def _asked(self, now: float, why: Optional[str]) -> Optional[str]:
        """Why to stop, by the nod too; until the calibration is proven, the nod decides alone."""
        if not self.nod.is_proven:
            why = None
        found = self.nod.step(now, self.watchdog) if why is None else None
        if found == UNFIT:
            self._set_slow(True)
            self.note = f"goes slowly: {UNFIT}; measure it again"
            return None
        return why or found

    def _stop(self, now: float, why: str) -> None:
        self._stops += 1
        self.nod.cancel()
        waits = self._stops > 1 or why in (OPPOSITE, SILENT)
        self.why = f"{why}; {CONFIRM}" if waits else why
        delay = 0.0 if self.calibration is None else self.calibration.delay
        self._resumes_s = math.inf if waits else now + HOLD_S + 2 * delay
        self._set_slow(True)

    def _set_slow(self, slow: bool) -> None:
        self._is_slow = slow
        self._new_watchdog()

    def _new_watchdog(self) -> None:
        known = None if self._is_slow or self.calibration is None else self.calibration.delay
        before = getattr(self, "watchdog", None)
        self.watchdog = Watchdog(self.width, known)
        if before is not None:
            self.watchdog.sent.extend(before.sent)

    def rates(self, now: float, at: float, box: Sequence[float], size: Tuple[int, int]) -> Rates:
        """The rates that bring the target to the middle; arguments as in ``see``."""
        if self._is_slow:
            rates = wanted = self._slow_rates(box, size)
        else:
            up, right = self.control.update(now, at - self.age_s, box, size)
            wanted = math.degrees(right), math.degrees(up)
            rates = self._limited(wanted, math.hypot(*self.nod.rates(now)))
        if self._is_slow or rates != wanted:
            self.control.ease(now, _radians(rates))
        nod = (0.0, 0.0) if self._is_slow else self.nod.rates(now)
        return rates[0] + nod[0], rates[1] + nod[1]

    def _slow_rates(self, box: Sequence[float], size: Tuple[int, int]) -> Rates:
        right, up = error_of((box[0], box[1], box[2], box[3]), size, self.width)
        length = math.hypot(right, up)
        if length <= self._band:
            return (0.0, 0.0)
        share = min(SLOW_GAIN, self.width / SLOW_SHARE / length)
        return share * right, share * up

    def _limited(self, rates: Rates, nod: float) -> Rates:
        """No faster than the nod allows; until one has answered, not even with it."""
        assert self.calibration is not None, "it is slow without one"
        most = self.calibration.most
        if not self.nod.is_proven or self.nod.silent:
            most = min(most, self.width / SLOW_SHARE - nod)
        elif self.nod.most is not None:
            most = min(most, self.nod.most)
        length = math.hypot(*rates)
        share = min(1.0, most / max(length, 1e-9))
        return share * rates[0], share * rates[1]

    def sent(self, now: float, rates: Rates) -> Rates:
        """Note the rates that go out; returns them within the pitch's range."""
        up, right = self.control.sent(now, _radians(rates))
        rates = math.degrees(right), math.degrees(up)
        self.watchdog.command(now, *rates)
        return rates

    def ease(self, now: float, rates: Sequence[float]) -> None:
        """Take rates that go out without evidence, so that the control goes on from them."""
        self.control.ease(now, _radians(rates))

    def stop(self, now: float) -> Rates:
        """Note that the camera is stopped at once; returns zeros."""
        self.control.stop(now)
        self.watchdog.command(now, 0.0, 0.0)
        return (0.0, 0.0)

    def forget(self) -> None:
        """The actuator was out of reach and could not obey, so nothing speaks against it."""
        self.control.forget()
        self.confirm()

    def refuse(self, why: str) -> None:
        """The calibration is of another camera: go slowly."""
        if not self._is_slow:
            self.note = f"goes slowly: {why}"
            self.calibration = None
            self._set_slow(True)

    def command(self, rates: Rates) -> Rates:
        """The rates in the actuator's own units and signs."""
        if self.calibration is None:
            return rates[0] / self._assumed, rates[1] / self._assumed
        pairs = zip(rates, self.calibration.sign, self.calibration.scale)
        right, up = (rate * sign / scale for rate, sign, scale in pairs)
        return right, up


def _radians(rates: Sequence[float]) -> Tuple[float, float]:
    """(pitch, yaw) for ``Control``."""
    return math.radians(rates[1]), math.radians(rates[0])
