"""The rates of a camera that follows a target: slow, unless a calibration has answered.

Slow: 0.33 of the error each second, and at most a twelfth of the picture's width a second. It needs
no delay: nothing overshoots with up to two seconds of it, and a wrong sign costs a few degrees.
Calibrated: ``gimbal.control`` with the gains and the limit that suit the measured delay. It stays
slow until the box has answered a nod, at the start and after each gap.
Both turn within a budget: so many degrees since the picture has answered a turn of the camera. A
camera without a calibration probes while it turns: only the answer to a probe fills its budget. A
camera whose budget is spent stands, and soon waits for somebody.
"""

import math
from typing import Callable, Dict, Optional, Sequence, Tuple

from hotpath.links import CONFIRM
from hotpath_vehicle.aim.budget import SLOWEST, Budget
from hotpath_vehicle.aim.calibration import Calibration, error_of, settings_for
from hotpath_vehicle.aim.nod import HALF_S, UNFIT, Nod
from hotpath_vehicle.aim.probe import Probe
from hotpath_vehicle.gimbal.control import Control

SLOW_GAIN, SLOW_BAND = 0.33, 0.01  # 1/s; no error, share of the width
SETTLED_S = 1.0  # of boxes before a probe: a link that comes and goes, and a zoom, begin anew
ASKED = 0.9  # a camera without a calibration probes once less is left of its budget
GAP_S = 1.0  # without a frame: what answered before may have changed

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
        on_turn: function that is called with each command that turns the camera.
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
        self.budget = Budget(self.width, None)
        self.probe, self._probed = Probe(self.width), (0.0, 0.0)
        self.note = None if calibration else "goes slowly: it has no calibration"
        self._assumed = assumed
        self.on_turn: Callable[[], None] = lambda: None
        self._band = max(SLOW_BAND * self.width, settings["limits"]["dead_band"])
        self._at = -math.inf  # of the newest frame
        self.why: Optional[str] = None
        self._set_slow(calibration is None)

    def acted(self) -> None:
        """Somebody selected, dropped or confirmed a target: a camera that gave up asks again.

        That says nothing of how the camera moves, so it fills no budget.
        """
        gave_up = self._is_slow and self.calibration is not None
        if self.why is not None or gave_up:
            self.why = None
            self._set_slow(self.calibration is None)
            self.nod.retry()
            self.probe.retry()
            self.budget.clear()

    def restart(self) -> None:
        """The link or the stream was gone: the calibration must answer again."""
        self.nod.restart()
        self.budget.clear()

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
        error = error_of((box[0], box[1], box[2], box[3]), size, self.width)
        self._believe()
        why = self.budget.add(at, error)
        if self.why is None and not self._is_slow:
            why = self._asked(now, why)
        if why is not None and self.why is None:
            self.why = f"{why}; {CONFIRM}"
            self.nod.cancel()
            self._set_slow(True)

    def _asked(self, now: float, why: Optional[str]) -> Optional[str]:
        """Why to stop, by the nod too."""
        found = self.nod.step(now, self.budget) if why is None else None
        if found == UNFIT:
            self._set_slow(True)
            self.note = f"goes slowly: {UNFIT}; measure it again"
            return None
        return why or found

    def _set_slow(self, slow: bool) -> None:
        self._is_slow = slow
        self._believe()

    def _believe(self) -> None:
        """Believe in the calibrated delay, once it has answered."""
        known = None if self.is_slow or self.calibration is None else self.calibration.delay
        if known != self.budget.delay:
            self.budget.know(known)

    def rates(self, now: float, at: float, box: Sequence[float], size: Tuple[int, int]) -> Rates:
        """The rates that bring the target to the middle; arguments as in ``see``."""
        nod = self.nod.rates(now)
        if self.is_slow and not any(nod):
            nod = self._probed = self._probe(now, box, size)
        if self._is_slow:
            most = min(self.budget.rate, self.width / SLOWEST - math.hypot(*nod))
            rates = wanted = self._within(self._slow_rates(box, size), max(0.0, most))
        else:
            up, right = self.control.update(now, at - self.age_s, box, size)
            wanted = math.degrees(right), math.degrees(up)
            rates = self._within(wanted, self._most(math.hypot(*nod)))
        if self._is_slow or rates != wanted:
            self.control.ease(now, _radians(rates))
        return rates[0] + nod[0], rates[1] + nod[1]

    def _probe(self, now: float, box: Sequence[float], size: Tuple[int, int]) -> Rates:
        """What asks a camera without a calibration, once it has turned."""
        left, most = self.budget.left, self.budget.most
        if left >= ASKED * most or self.budget.span_s < SETTLED_S:
            return (0.0, 0.0)
        error = error_of((box[0], box[1], box[2], box[3]), size, self.width)
        return self.probe.rates(now, error, left <= 0.0)

    def _slow_rates(self, box: Sequence[float], size: Tuple[int, int]) -> Rates:
        right, up = error_of((box[0], box[1], box[2], box[3]), size, self.width)
        length = math.hypot(right, up)
        if length <= self._band:
            return (0.0, 0.0)
        share = min(SLOW_GAIN, self.width / SLOWEST / length)
        return share * right, share * up

    def _most(self, nod: float) -> float:
        """The fastest turn beside a nod of that rate; until one has answered, not even with it."""
        assert self.calibration is not None, "it is slow without one"
        most = min(self.calibration.most, self.budget.rate)
        if not self.nod.is_proven or self.nod.silent:
            most = min(most, max(0.0, self.width / SLOWEST - nod))
        return most

    @staticmethod
    def _within(rates: Rates, most: float) -> Rates:
        length = math.hypot(*rates)
        share = min(1.0, most / max(length, 1e-9))
        return share * rates[0], share * rates[1]

    def sent(self, now: float, rates: Rates) -> Rates:
        """Note the rates that go out; returns them within the pitch's range."""
        up, right = self.control.sent(now, _radians(rates))
        rates = math.degrees(right), math.degrees(up)
        self.budget.command(now, *rates, probe=self._probed)
        self._probed = (0.0, 0.0)
        if any(rates):
            self.on_turn()
        return rates

    def ease(self, now: float, rates: Sequence[float]) -> None:
        """Take rates that go out without evidence, so that the control goes on from them."""
        self.control.ease(now, _radians(rates))

    def stop(self, now: float) -> Rates:
        """Note that the camera is stopped at once; returns zeros."""
        self.control.stop(now)
        self.budget.command(now, 0.0, 0.0)
        return (0.0, 0.0)

    def forget(self) -> None:
        """The actuator was out of reach: where it points is not known. Its turns count."""
        self.control.forget()
        self.restart()

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
