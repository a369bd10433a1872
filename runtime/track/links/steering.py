"""The one rule for everything that steers: a gimbal, a PTZ camera of the network.

They move only on *fresh evidence*:

- the source is live (``--gimbal-recording`` is for simulators), and the network can say "lost":
  ``check`` refuses a run without them;
- the newest frame was taken within ``FRESH_S``, and the target is tracked in it;
- the picture around the target changed within ``FRESH_S``. A picture that came before is no
  change, and neither is the noise of a codec: a camera that hangs often sends its last pictures
  again and again, and its encoder goes on. So a scene in which nothing moves counts as frozen too,
  unless the noise of the sensor itself comes through.

Without it, ``Ramp`` brings every command to zero within ``RAMP_S`` and holds it there, and says
why. So nothing moves for longer than a second after the evidence ended. At the end of a run each
link sends its stop ``STOPS`` times before it closes, whatever ended the run.
"""

import math
from collections import OrderedDict, deque
from typing import Any, Callable, Deque, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.runtime.errors import BadOutput
from hotpath.runtime.pictures import AnyFrame, brightness, picture_mark
from hotpath.runtime.types import TRACKED, Track

FRESH_S = 0.5
RAMP_S = 0.3
STOPS, STOP_PAUSE_S = 3, 0.03  # how often a stop goes out at the end, and the time between two
AGAIN_S = 10.0  # the same reason is said as often
KEPT = 600  # marks of pictures: 20 s of a fast camera
GRID = 24  # rows and columns that are compared around a target
AROUND, LEAST_PX = 2.0, 32.0  # of them: sides, in sides of the box; and the smallest
LOOKS, SEEN = 4, 48  # places that are remembered, and pictures at each
CELLS = 6  # rows and columns of means: a codec keeps them, and something that moves does not
MOST = 16  # grey levels by which a pixel counts at most: a few of them, as of a clock, are nothing
NOISE = 1.0  # mean difference of cells that a codec makes of one still picture at most
BLANK = 2.0  # standard deviation of a picture that shows nothing, grey levels
GRAIN, GRAINY = 2.0, 5  # that of pixels, which only a sensor makes in so many frames on end
NEVER_S = -math.inf

Velocity = Tuple[float, ...]


def check(options: Any, live: bool, can_lose: bool, network: str) -> None:
    """Refuse a run that steers without a live source, or with a network that never says "lost".

    Raises:
        BadOutput: with the option that is to be left out.
    """
    if options.gimbal is None:
        return
    if not live and not options.gimbal_recording:
        raise BadOutput(
            "--gimbal: a recording shows nothing of what is there now; name a live source, or "
            "give --gimbal-recording where a simulator flies"
        )
    if not can_lose:
        raise BadOutput(
            f"--gimbal: the network {network} has no lost_below, so it never says that the target "
            "is lost; name another --network, or find its threshold with "
            "`python -m hotpath.calib.loss_thresholds`"
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
        self._last = self._last if share else self._zero  # a clock may come there again
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

    Some pixels are sampled at places that stay while the target is there: so a box that creeps over
    a frozen picture is no change, and slow motion adds up. A change differs from all that was seen
    there lately: so old pictures in turns are none, although each is encoded anew.
    """

    def __init__(self) -> None:
        self.changed_s = NEVER_S
        self._marks: OrderedDict[int, None] = OrderedDict()  # of the last pictures
        self._looks: Deque[_Look] = deque(maxlen=LOOKS)

    def add(self, frame: AnyFrame, track: Optional[Track], captured_s: float) -> float:
        """Note a frame; returns when the picture changed last, on the clock of ``captured_s``."""
        if captured_s < self.changed_s:  # a stamp or a clock was wrong, and would be right later
            self.changed_s = NEVER_S
        mark = picture_mark(frame)
        is_new, size = mark not in self._marks, frame.shape[:2]
        self._marks[mark] = None
        self._marks.move_to_end(mark)
        while len(self._marks) > KEPT:
            self._marks.popitem(last=False)
        if is_new and track is not None and all(map(math.isfinite, track.box)):
            look = next((each for each in self._looks if each.is_at(size, track.box)), None)
            if look is None:
                look = _Look(size, track.box)
                self._looks.append(look)
            if look.changes(frame):
                self.changed_s = captured_s
        return self.changed_s


class _Look:
    """Places around a box, and the pixels that were seen there."""

    def __init__(self, size: Tuple[int, ...], box: Sequence[float]) -> None:
        x, y, w, h = box
        self._size, self._side = size, max(w, h)
        self._places = _spread(y + h / 2, h, size[0]), _spread(x + w / 2, w, size[1])
        self._seen: Deque[np.ndarray] = deque(maxlen=SEEN)
        self._grainy = 0  # frames in succession

    def is_at(self, size: Tuple[int, ...], box: Sequence[float]) -> bool:
        """Whether a box of about that size has its centre between the places."""
        rows, columns = self._places
        x, y, side = box[0] + box[2] / 2, box[1] + box[3] / 2, max(box[2:])
        is_inside = rows[0] <= y <= rows[-1] and columns[0] <= x <= columns[-1]
        return bool(size == self._size and is_inside and self._side <= 2 * side <= 4 * self._side)

    def changes(self, frame: AnyFrame) -> bool:
        """Whether the frame differs from all that was seen; the first one has nothing to do so."""
        found = brightness(frame, *self._places).astype(np.int16)
        if found.std() <= BLANK:
            return False
        is_first = not self._seen
        if not is_first:
            apart = np.clip(np.array(self._seen) - found, -MOST, MOST)
            cells = apart.reshape(len(apart), CELLS, GRID // CELLS, CELLS, GRID // CELLS)
            moved = np.abs(cells.mean(axis=(2, 4))).mean(axis=(1, 2)).min()
            if moved <= NOISE and not self._has_grain(apart):
                return False
        self._seen.append(found)
        return not is_first

    def _has_grain(self, apart: np.ndarray) -> bool:
        """Whether the pixels differ for some time as those of a sensor do."""
        is_grainy = np.abs(apart).mean(axis=(1, 2)).min() > GRAIN
        self._grainy = self._grainy + 1 if is_grainy else 0
        return self._grainy >= GRAINY


def _spread(centre: float, side: float, limit: int) -> np.ndarray:
    """Indices around a place on one axis, inside the frame."""
    reach = max(AROUND * side, LEAST_PX) / 2
    spread = np.linspace(centre - reach, centre + reach, GRID)
    return np.clip(spread, 0, limit - 1).astype(np.intp)
