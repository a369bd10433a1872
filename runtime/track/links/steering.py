"""The one rule for everything that steers: a gimbal, a PTZ camera of the network.

They move only on *fresh evidence*:

- the source is live (``--gimbal-recording`` is for simulators), and the network can say "lost":
  ``check`` refuses a run without them;
- the newest frame was taken within ``FRESH_S``, and the target is tracked in it;
- the picture is new. ``Album`` keeps what was seen in the last minute, and where the camera pointed
  then. A picture that was seen before while the camera pointed elsewhere is no evidence: a camera
  that hangs shows old pictures, in a loop, under a clock, brighter or darker. Neither is a picture
  whose contrast has halved.

Without it, ``Ramp`` brings every command to zero within ``RAMP_S`` and holds it there, and says
why. After a long turn in one direction it slows until somebody acts: a picture can't show all.
At the end of a run each link sends its stop ``STOPS`` times before it closes, whatever ended it.
"""

import math
from collections import OrderedDict, deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from hotpath.runtime.errors import BadOutput
from hotpath.runtime.pictures import AnyFrame, brightness, picture_mark
from hotpath.runtime.types import TRACKED, Track

FRESH_S = 0.5
RAMP_S = 0.3
STOPS, STOP_PAUSE_S = 3, 0.03  # how often a stop goes out at the end, and the time between two
AGAIN_S = 10.0  # the same reason is said as often
SLOWER, BACK_DEG = 0.1, 10.0  # after too long a turn; a turn back by so much begins a new one
KEPT, KEPT_S, EVERY_S, MARKS = 1800, 60.0, 0.03, 600  # pictures of an album, and marks of them
ROWS, COLUMNS, FINE = 27, 36, 4  # cells of a view; a cell is the mean of FINE x FINE pixels
DOWN, ACROSS = 3, 4  # blocks of cells: the median of them forgives a clock or rain in some
AROUND, LEAST_PX = 3.0, 96.0  # the view around a target: sides, in sides of the box; and the least
SAME = 0.97, 0.997  # correlation of one scene seen twice: the whole picture, the target
KEEP = 0.03  # lower while it is held
ELSEWHERE_DEG, LAG_S = 3.5, 0.15  # a turn that must show; and how late an attitude may be
FLAT, LEAST = 1.5, 4  # deviation of a block that shows nothing, grey levels; blocks that show some
NEAREST = 6  # pictures that are compared in full
FADED, FADE = 0.4, 250  # share of the usual contrast that is too little; pictures that are usual
SURE_S, BACK_S, SURE = 0.15, 0.5, 20  # a doubt, its end, must last so long; pictures that are usual
STILL_S = 0.3  # since the last picture with a new mark
NEVER_S = -math.inf
SEEN = "the picture was seen before"

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
        doubt: why its picture is no evidence, by ``Album.add``; None if it is.
    """

    track: Optional[Track]
    captured_s: float
    doubt: Optional[str]


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
    if seen.track.state != TRACKED or seen.track.lost:
        return f"the target is {seen.track.state}"
    return seen.doubt if all(map(math.isfinite, seen.track.box)) else "the box is not a number"


class Ramp:
    """The commands of one actuator: the wanted ones while there is evidence, else a ramp to zero.

    After a turn of ``most_deg`` in one direction they are slowed until somebody acts.

    Args:
        what: its name, for people.
        values: how many a command has.
        tell: function of one sentence, called when the ramp has ended.
        holds: dict of name -> reason of all that stands still for lack of evidence, which the
            other links of the run show.
        most_deg: longest turn in one direction that nobody has confirmed, degrees.

    Attributes:
        slowed: whether the last command was slowed.
    """

    def __init__(
        self,
        what: str,
        values: int,
        tell: Callable[[str], None],
        holds: Optional[Dict[str, str]] = None,
        most_deg: float = math.inf,
    ) -> None:
        self.slowed = False
        self._most_deg = most_deg
        self._turn_deg: Optional[Tuple[float, float]] = None  # its start and its end
        self._what, self._tell, self._zero = what, tell, (0.0,) * values
        self._holds = {} if holds is None else holds
        self._last = self._zero  # the last command that had evidence
        self._last_s = NEVER_S  # when it was given
        self._why: Optional[str] = None
        self._why_s = NEVER_S  # since when
        self._told_why, self._told_s = "", NEVER_S

    def command(
        self, now: float, why: Optional[str], wanted: Callable[[], Velocity], yaw_deg: float = 0.0
    ) -> Velocity:
        """The velocity to command now.

        Args:
            now: seconds of the monotonic clock.
            why: result of ``missing``.
            wanted: gives the velocity that the evidence asks for; not called without evidence.
            yaw_deg: where the actuator points; it does not jump at 180.
        """
        if why != self._why:
            self._why, self._why_s = why, now
        self.slowed = self._has_turned(yaw_deg)
        if why is None:
            self._last, self._last_s = tuple(wanted()), now
            if self.slowed:
                self._last = tuple(SLOWER * value for value in self._last)
                self._hold(now, f"turned by {self._most_deg:g} degrees; confirm the target")
            else:
                self._holds.pop(self._what, None)
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

    def confirm(self) -> None:
        """Somebody acted: the turn is counted from here."""
        self._turn_deg = None

    def _has_turned(self, yaw_deg: float) -> bool:
        start, end = self._turn_deg or (yaw_deg, yaw_deg)
        if (yaw_deg - end) * (end - start) >= 0:
            end = yaw_deg
        elif abs(yaw_deg - end) > BACK_DEG:
            start = end = yaw_deg
        self._turn_deg = start, end
        return abs(end - start) > self._most_deg

    def _hold(self, now: float, why: str) -> None:
        self._holds[self._what] = why
        if why != self._told_why or not 0.0 <= now - self._told_s < AGAIN_S:
            self._told_why, self._told_s = why, now
            self._tell(f"{self._what} holds: {why}")


class Look(NamedTuple):
    """What an ``Album`` needs of a frame: its mark, the cells of two views, blocks that count."""

    mark: int
    views: List[np.ndarray]  # float32 (ROWS + 2, COLUMNS + 2): the whole picture, around the target
    counts: List[np.ndarray]  # bool (blocks,): not those in the middle of the target


def look_at(frame: AnyFrame, track: Optional[Track]) -> Look:
    """The ``Look`` of a frame. Without a box it has one view."""
    views, counts, (height, width) = [], [], frame.shape[:2]
    has_box = track is not None and all(map(math.isfinite, track.box))
    x, y, w, h = track.box if track is not None and has_box else (0.0,) * 4
    for around in (math.inf, AROUND)[: 1 + has_box]:
        sides = []
        for centre, side, limit, cells, blocks in (
            (y + h / 2, h, height, ROWS + 2, DOWN),
            (x + w / 2, w, width, COLUMNS + 2, ACROSS),
        ):
            reach = min(max(around * max(side, 1.0), LEAST_PX), limit)
            start = min(max(centre - reach / 2, 0.0), limit - reach)
            places = start + reach * (np.arange(cells * FINE) + 0.5) / (cells * FINE)
            middles = start + reach * (np.arange(blocks) + 0.5) / blocks
            sides.append((places.astype(np.intp), np.abs(middles - centre) < side / 2))
        (rows, is_row), (columns, is_column) = sides
        grey = brightness(frame, rows, columns)
        cells_of = grey.reshape(ROWS + 2, FINE, COLUMNS + 2, FINE)
        views.append(cells_of.mean(axis=(1, 3), dtype=np.float32))
        covered = np.outer(is_row, is_column)
        covered[:: DOWN - 1, :: ACROSS - 1] = False  # a target may fill the picture
        counts.append(~covered.ravel())
    return Look(picture_mark(frame), views, counts)


class Album:
    """What a camera showed in the last minute, with where it pointed then.

    Pictures are compared by the correlation of blocks. So brightness, contrast, a shift of a cell
    and an overlay on some blocks make no new picture of an old one.
    """

    def __init__(self) -> None:
        self._marks: OrderedDict[int, None] = OrderedDict()
        self._fine = np.zeros(
            (2, KEPT + 1, DOWN * ACROSS, ROWS * COLUMNS // DOWN // ACROSS), np.float32
        )
        self._rough = np.zeros((2, KEPT, ROWS * COLUMNS // 9), np.float32)
        self._where = np.full((KEPT, 5), np.inf)  # time, pitch, yaw, and their rates
        self._contrasts: List[float] = []
        self._path: Deque[Tuple[float, float, float]] = deque()
        self._added, self._new_s, self._last_s = 0, NEVER_S, NEVER_S
        self._weight_s = 0.0  # for how long pictures were no evidence, less half of the others
        self._doubt: Optional[str] = None

    def add(self, look: Look, now: float, pointing: Tuple[float, float]) -> Optional[str]:
        """Note a picture; returns why it is no evidence, or None.

        Args:
            look: result of ``look_at``.
            now: when it was taken, seconds.
            pointing: (pitch, yaw) of the camera then, degrees.
        """
        if look.mark not in self._marks:
            self._new_s = now
        self._marks[look.mark] = None
        self._marks.move_to_end(look.mark)
        while len(self._marks) > MARKS:
            self._marks.popitem(last=False)
        at = self._pointed(now, pointing)
        views = [_shifted(cells) for cells in look.views]
        rough = [_rough(cells) for cells in look.views]
        contrast = max(float(cells.std()) for cells in look.views)
        why = None
        if not 0.0 <= now - self._new_s <= STILL_S:
            why = "the picture stands still"
        elif self._was_seen(views, rough, look.counts, at):
            why = SEEN
        elif len(self._contrasts) > SURE and contrast < FADED * float(np.median(self._contrasts)):
            why = "the picture has faded"
        if why == SEEN:
            self._fine[0, KEPT] = views[0][4]
        self._weigh(why, max(0.0, min(LAG_S, now - self._last_s)))
        self._last_s = now
        if why is None and abs(now - self._where[self._added % KEPT - 1, 0]) >= EVERY_S:
            n, self._added = self._added % KEPT, self._added + 1
            self._where[n] = at
            self._contrasts = [*self._contrasts[1 - FADE :], contrast]
            self._fine[:, n] = self._rough[:, n] = 0.0
            for view, _ in enumerate(views):
                self._fine[view, n], self._rough[view, n] = views[view][4], rough[view]
        return self._doubt

    def _weigh(self, why: Optional[str], step_s: float) -> None:
        """Begin or end the doubt, when enough pictures say the same."""
        if self._doubt is None:
            self._weight_s = max(0.0, self._weight_s + (step_s if why else -step_s / 2))
            if self._weight_s >= SURE_S:
                self._doubt, self._weight_s = why, BACK_S
        else:
            self._weight_s = BACK_S if why else self._weight_s - step_s
            self._doubt = why or (self._doubt if self._weight_s > 0 else None)

    def _pointed(self, now: float, pointing: Tuple[float, float]) -> np.ndarray:
        """A row of ``_where``."""
        self._path.append((now, *pointing))
        while len(self._path) > 2 and not 0.0 <= now - self._path[0][0] <= LAG_S:
            self._path.popleft()
        since, pitch, yaw = self._path[0]
        step_s = max(now - since, 1e-3)
        rates = (pointing[0] - pitch) / step_s, (pointing[1] - yaw) / step_s
        return np.array((now, *pointing, *(rates if now > since else (0.0, 0.0))))

    def _was_seen(
        self, views: List[np.ndarray], rough: List[np.ndarray], counts: List[np.ndarray], at: Any
    ) -> bool:
        """Whether one of the views was seen while the camera pointed elsewhere."""
        where = self._where[: self._added]
        apart = where - at
        turned = (apart[:, 2] + 180.0) % 360.0 - 180.0
        turned *= math.cos(math.radians(at[1]))
        least = ELSEWHERE_DEG + LAG_S * np.hypot(apart[:, 3], apart[:, 4])
        is_elsewhere = np.hypot(apart[:, 1], turned) > least
        if self._doubt is None:  # what stopped once is compared for as long as it stands
            is_elsewhere &= np.abs(apart[:, 0]) < KEPT_S
        places = np.flatnonzero(is_elsewhere)
        for view, shifted in enumerate(views if len(places) else ()):
            alike = self._rough[view, places].dot(rough[view])
            nearest = places[np.argsort(alike)[-NEAREST:]]
            if view == 0 and self._doubt == SEEN:  # the last one too: old pictures may drift on
                nearest = np.append(nearest, KEPT)
            near = self._fine[view, nearest]
            found = np.einsum("sbc,kbc->ksb", shifted, near)
            shows = np.asarray(near.any(-1))[:, None] & np.asarray(shifted.any(-1))[None]
            shows = shows & counts[view]
            count = shows.sum(-1)
            ordered = np.sort(np.where(shows, found, np.inf))
            middle = np.take_along_axis(ordered, (np.maximum(count, 1)[..., None] - 1) // 2, -1)
            same = SAME[view] - (KEEP if self._doubt else 0.0)
            if ((count >= LEAST) & (middle[..., 0] > same)).any():
                return True
        return False


def _shifted(cells: np.ndarray) -> np.ndarray:
    """The blocks of a view at nine shifts of a cell, without mean and contrast; flat ones are 0."""
    parts = [cells[y : y + ROWS, x : x + COLUMNS] for y in range(3) for x in range(3)]
    shape = len(parts), DOWN, ROWS // DOWN, ACROSS, COLUMNS // ACROSS
    blocks = np.array(parts).reshape(shape).swapaxes(2, 3).reshape(9, DOWN * ACROSS, -1)
    blocks = blocks - blocks.mean(-1, keepdims=True)
    size = np.sqrt((blocks * blocks).sum(-1, keepdims=True))
    flat = size <= FLAT * math.sqrt(blocks.shape[-1])
    return np.where(flat, np.float32(0.0), blocks / np.maximum(size, 1e-6))


def _rough(cells: np.ndarray) -> np.ndarray:
    """The same of the whole view, coarse, by which the nearest pictures are found."""
    means = cells[1:-1, 1:-1].reshape(ROWS // 3, 3, COLUMNS // 3, 3).mean(axis=(1, 3)).ravel()
    means = means - means.mean()
    return np.asarray(means / max(float(np.sqrt(means.dot(means))), 1e-6))
