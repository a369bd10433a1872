"""The one rule for everything that steers: a vehicle, a gimbal, a PTZ camera of the network.

They move only on *fresh evidence*:

- the source is live (``--follow-recording`` is for simulators), and the network can say "lost":
  ``check`` refuses a run without them;
- the newest frame was taken within ``FRESH_S``, and the target is tracked in it;
- the picture around the target changed within ``FRESH_S``. A picture that came before is no
  change, and neither is the noise of a codec: a camera that hangs often sends its last pictures
  again and again.

Without it, ``Ramp`` brings every command to zero within ``RAMP_S`` and holds it there, and says
why. So nothing moves for longer than a second after the evidence ended. At the end of a run each
link sends its stop ``STOPS`` times before it closes, whatever ended the run.
"""

import math
from collections import OrderedDict
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from runtime.errors import BadOutput
from runtime.pictures import AnyFrame, brightness, picture_mark
from runtime.types import TRACKED, Track

FRESH_S = 0.5
RAMP_S = 0.3
STOPS, STOP_PAUSE_S = 3, 0.03  # how often a stop goes out at the end, and the time between two
AGAIN_S = 10.0  # the same reason is said as often
KEPT = 600  # marks of pictures: 20 s of a fast camera
GRID = 24  # rows and columns that are compared around a target
AROUND, LEAST_PX = 2.0, 64.0  # of them: sides, in sides of the box; and the smallest
NOISE = 1.0  # mean difference of grey levels that a codec may make of a still picture
NEVER_S = -math.inf

Velocity = Tuple[float, ...]


def check(options: Any, live: bool, can_lose: bool, network: str) -> None:
    """Refuse a run that steers without a live source, or with a network that never says "lost".

    Raises:
        BadOutput: with the option that is to be left out.
    """
    wanted = [f"--{name}" for name in ("follow", "gimbal") if getattr(options, name) is not None]
    if not wanted:
        return
    steers = " and ".join(wanted)
    if not live and not options.follow_recording:
        raise BadOutput(
            f"{steers}: a recording shows nothing of what is there now; name a live source, or "
            "give --follow-recording where a simulator flies"
        )
    if not can_lose:
        raise BadOutput(
            f"{steers}: the network {network} has no lost_below, so it never says that the target "
            "is lost; name another --network, or find its threshold with "
            "`python -m calib.loss_thresholds`"
        )


class Evidence(NamedTuple):
    """The state of the target to steer after. MAVLink's ``View`` has the same attributes.

    Attributes:
        track: ``Track`` of the target, or None.
        captured_s: when the newest frame was taken, seconds of the monotonic clock.
        changed_s: time of the last change by ``Contents``, on the same clock.
    """

    track: Optional[Track]
    captured_s: float
    changed_s: float


def missing(seen: Any, now: float) -> Optional[str]:
    """Return why nothing may be steered, or None if there is fresh evidence.

    Args:
        seen: ``Evidence``, or a ``View``, of the newest frame; None if there was none yet.
        now: seconds of the monotonic clock.
    """
    if seen is None or seen.track is None:
        return "no target"
    if not 0.0 <= now - seen.captured_s <= FRESH_S:
        return "no new picture"
    if not 0.0 <= now - seen.changed_s <= FRESH_S:
        return "the picture stands still"
    if seen.track.state != TRACKED or seen.track.lost:
        return f"the target is {seen.track.state}"
    return None if all(map(math.isfinite, seen.track.box)) else "the box is not a number"


class Ramp:
    """The commands of one actuator: the wanted ones while there is evidence, else a ramp to zero.

    Args:
        what: its name, for people.
        values: how many a command has.
        tell: function of one sentence, called when the ramp has ended.
        holds: dict of name -> reason of all that stands still for lack of evidence, which the
            other links of the run show.
    """

    def __init__(
        self,
        what: str,
        values: int,
        tell: Callable[[str], None],
        holds: Optional[Dict[str, str]] = None,
    ) -> None:
        self._what, self._tell, self._zero = what, tell, (0.0,) * values
        self._holds = {} if holds is None else holds
        self._last = self._zero  # the last command that had evidence
        self._last_s = NEVER_S  # when it was given
        self._why: Optional[str] = None
        self._why_s = NEVER_S  # since when
        self._told_why, self._told_s = "", NEVER_S

    def command(self, now: float, why: Optional[str], wanted: Callable[[], Velocity]) -> Velocity:
        """The velocity to command now.

        Args:
            now: seconds of the monotonic clock.
            why: result of ``missing``.
            wanted: gives the velocity that the evidence asks for; not called without evidence.
        """
        if why != self._why:
            self._why, self._why_s = why, now
        if why is None:
            self._holds.pop(self._what, None)
            self._last, self._last_s = tuple(wanted()), now
            return self._last
        # whoever slept since has no time left to ramp
        gone_s = now - self._last_s
        share = 1.0 - gone_s / RAMP_S if 0.0 <= gone_s < RAMP_S else 0.0
        command = tuple(share * value for value in self._last)
        if not share and not 0.0 <= now - self._why_s < RAMP_S:  # not of a state of one frame
            self._hold(now, why)
        return command

    def stop(self) -> None:
        """Zero was commanded past the ramp: there is nothing to ramp down from."""
        self._last = self._zero
        self._holds.pop(self._what, None)

    def _hold(self, now: float, why: str) -> None:
        self._holds[self._what] = why
        if why != self._told_why or not 0.0 <= now - self._told_s < AGAIN_S:
            self._told_why, self._told_s = why, now
            self._tell(f"{self._what} holds: {why}")


class Contents:
    """When the picture around a target changed last; a frozen camera shows nothing new.

    Some pixels are sampled at places that stay until they change: so a box that creeps over a
    frozen picture is no change, a clock that is drawn into it is none, and slow motion adds up.
    """

    def __init__(self) -> None:
        self.changed_s = NEVER_S
        self._marks: OrderedDict[int, None] = OrderedDict()  # of the last pictures
        self._size: Tuple[int, ...] = ()
        self._places: Any = None  # rows, columns
        self._before: Any = None  # the pixels there

    def add(self, frame: AnyFrame, track: Optional[Track], captured_s: float) -> float:
        """Note a frame; returns when the picture changed last, on the clock of ``captured_s``."""
        mark = picture_mark(frame)
        is_new, size = mark not in self._marks, frame.shape[:2]
        self._marks[mark] = None
        self._marks.move_to_end(mark)
        while len(self._marks) > KEPT:
            self._marks.popitem(last=False)
        if track is None or not all(map(math.isfinite, track.box)):
            self._places = None
        elif self._places is None or size != self._size or self._is_elsewhere(track.box):
            self._look(frame, track.box)  # there is nothing to compare with yet
        elif is_new and self._differs(frame):
            self.changed_s = captured_s
            self._look(frame, track.box)
        self._size = size
        return self.changed_s

    def _is_elsewhere(self, box: Sequence[float]) -> bool:
        rows, columns = self._places
        x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
        return not (rows[0] <= y <= rows[-1] and columns[0] <= x <= columns[-1])

    def _differs(self, frame: AnyFrame) -> bool:
        found = brightness(frame, *self._places)
        return bool(np.abs(found.astype(np.float32) - self._before).mean() > NOISE)

    def _look(self, frame: AnyFrame, box: Sequence[float]) -> None:
        """Take the places around a box, and the pixels there."""
        height, width = frame.shape[:2]
        x, y, w, h = box
        self._places = _spread(y + h / 2, h, height), _spread(x + w / 2, w, width)
        self._before = brightness(frame, *self._places).astype(np.float32)


def _spread(centre: float, side: float, limit: int) -> np.ndarray:
    """Indices around a place on one axis, inside the frame."""
    reach = max(AROUND * side, LEAST_PX) / 2
    spread = np.linspace(centre - reach, centre + reach, GRID)
    return np.clip(spread, 0, limit - 1).astype(np.intp)
