"""Decide whether a gimbal or a PTZ camera may turn: the conditions are the same for both.

They move only on *fresh evidence*:

- the source is live, and the network can say "lost": ``check_run`` refuses a run without them;
- the newest frame was taken within ``FRESH_S``, and the target is steadily tracked (``Steady``),
  with a presence of ``SURE`` or more;
- the picture differs from the last one (``Still``).

Without it, ``Ramp`` brings every command to zero within ``RAMP_S`` and holds it there, and says
why. How fast they move, and what stops them besides, is in ``follow``.
At the end of a run each link sends its stop ``STOPS`` times before it closes, whatever ended it.
"""

import math
from collections import deque
from typing import Any, Callable, Deque, Dict, NamedTuple, Optional, Tuple

from hotpath.links import Context, Selection
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.frames.pictures import picture_mark
from hotpath.runtime.types import SURE, TRACKED, UNSURE, Track
from hotpath.video.base import TrackedFrame
from hotpath_vehicle.follow import Follow, Rates
from hotpath_vehicle.plug import GimbalOptions

FRESH_S = 0.5
RAMP_S = 0.3
STOPS, STOP_PAUSE_S = 3, 0.03  # how often a stop goes out at the end, and the time between two
AGAIN_S = 10.0  # the same reason is said as often
STILL = "the picture stands still"
STILL_S = 0.3  # since the last picture with a new mark
LATE = "pictures from before a stop still come"
PAUSE_S, USUAL, QUICK, AT_PACE = 0.3, 50, 0.6, 3  # see ``FramePace``
MOST_HELD_S = 30.0  # of pictures that something holds back during a stop
NEVER_S = -math.inf
RECENT = 9  # frames, of which most must be tracked

Velocity = Tuple[float, ...]


def check_run(context: Context) -> None:
    """Refuse a run that steers without a live source, or with a network that never says "lost".

    It is called before any link of the run is opened.

    Raises:
        BadOutput: with the option that is to be left out.
    """
    if context.options.of(GimbalOptions).name is None:
        return
    if not context.live:
        raise BadOutput(
            "--gimbal: a recording shows nothing of what is there now; name a live source",
            what="recording",
        )
    if not context.can_lose:
        raise BadOutput(
            f"--gimbal: the network {context.network} never says here that the target is lost; add "
            "--recover, or name another --network, such as kestrel",
            what="never lost",
        )


class Still:
    """Tells a picture that stands still, by ``picture_mark``."""

    def __init__(self) -> None:
        self._mark: Optional[int] = None
        self._new_s = NEVER_S

    def is_still(self, mark: int, at: float) -> bool:
        """Note the mark of a frame with that time stamp; whether none differed for a while."""
        if mark != self._mark:
            self._mark, self._new_s = mark, at
        return not 0.0 <= at - self._new_s <= STILL_S


class Steady:
    """Calls a target tracked only where it is tracked now and in most of the last frames.

    The links that steer, and what they report, take a target as this gives it. Else a target that
    is unsure in all frames but a few would keep a camera turning.
    """

    def __init__(self) -> None:
        self._recent: Deque[bool] = deque(maxlen=RECENT)
        self._acts = 0

    def track(self, track: Optional[Track], acts: int) -> Optional[Track]:
        """Note the target of a frame; returns it, unsure where it is not steadily tracked.

        Args:
            track: of the target, or None.
            acts: of ``Selection``; what was before somebody acted counts no more.
        """
        if acts != self._acts:
            self._acts = acts
            self._recent.clear()
        is_tracked = track is not None and track.state == TRACKED
        self._recent.append(is_tracked)
        if track is None or not is_tracked or 2 * sum(self._recent) > len(self._recent):
            return track
        return track._replace(state=UNSURE)


class Evidence(NamedTuple):
    """The state of the target to steer after. MAVLink's ``TargetView`` has the same attributes.

    Attributes:
        number, track: of the target that is selected, or None.
        captured_s: when the newest frame was taken, seconds of the monotonic clock.
        doubt: why its picture is no evidence, None if it is.
    """

    number: Optional[int]
    track: Optional[Track]
    captured_s: float
    doubt: Optional[str]


def missing(seen: Any, now: float) -> Optional[str]:
    """Return why nothing may be steered, or None if there is fresh evidence.

    Args:
        seen: ``Evidence``, or a ``TargetView``, of the newest frame; None if there was none yet.
        now: seconds of the monotonic clock.
    """
    if seen is None or seen.track is None:
        return "no target"
    if not 0.0 <= now - seen.captured_s <= FRESH_S:
        return "no new picture"
    if seen.track.state != TRACKED or seen.track.lost:
        return f"the target is {seen.track.state}"
    if seen.track.presence is not None and not seen.track.presence >= SURE:
        return f"the presence is below {SURE:g}"
    return seen.doubt if all(map(math.isfinite, seen.track.box)) else "the box is not a number"


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
        self._what = what
        self._tell = tell
        self._zero = (0.0,) * values
        self._holds = {} if holds is None else holds
        self._last = self._zero  # the last command that had evidence
        self._last_s = NEVER_S  # when it was given
        self._why: Optional[str] = None
        self._why_s = NEVER_S  # since when
        self._told_why = ""
        self._told_s = NEVER_S

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
            self._last = tuple(wanted())
            self._last_s = now
            self._holds.pop(self._what, None)
            return self._last
        # whoever slept since has no time left to ramp
        gone_s = now - self._last_s
        share = 1.0 - gone_s / RAMP_S if 0.0 <= gone_s < RAMP_S else 0.0
        command = tuple(share * value for value in self._last)
        self._last = self._last if share else self._zero  # a clock may come there again
        if not share and not 0.0 <= now - self._why_s < RAMP_S:  # not of a state of one frame
            self.hold(now, why)
        return command

    def steer(self, now: float, aim: Follow, seen: Any, size: Tuple[int, int]) -> Rates:
        """The rates (right, up) to send now, which ``aim`` computes where there is evidence.

        Args:
            now: seconds of the monotonic clock.
            aim: notes the rates.
            seen: as of ``missing``.
            size: (width, height) of the frame, pixels.
        """
        why = missing(seen, now) or aim.why
        if aim.note:
            self._tell(f"{self._what} {aim.note}")
            aim.note = None
        rates = self.command(
            now, why, lambda: aim.rates(now, seen.captured_s, seen.track.box, size)
        )
        if why:
            aim.ease(now, rates)
        return aim.sent(now, (rates[0], rates[1]))

    def stop(self) -> None:
        """Zero was commanded past the ramp: there is nothing to ramp down from."""
        self._last = self._zero
        self._holds.pop(self._what, None)

    def hold(self, now: float, why: str) -> None:
        """Nothing is commanded, for that reason: it is shown, and said every ``AGAIN_S``."""
        self._holds[self._what] = why
        if why != self._told_why or not 0.0 <= now - self._told_s < AGAIN_S:
            self._told_why, self._told_s = why, now
            self._tell(f"{self._what} holds: {why}")


class FramePace:
    """Tells frames that lay somewhere during a stop from fresh ones, by their pace.

    After a pause, frames that come faster than usual were taken before. They are old until some
    come at the usual pace. The pace is a new one where more have come than the pause can have held
    back, or where one pause follows another.
    """

    def __init__(self) -> None:
        self._at = NEVER_S
        self._steps: Deque[float] = deque(maxlen=USUAL)
        self._held_s, self._quick = 0.0, 0  # since the last frame at its pace; frames in it
        self._begin()

    def _begin(self) -> None:
        """The next frames say what the pace is."""
        self._steps.clear()
        self._at_pace, self._pauses = AT_PACE, 0

    def is_late(self, at: float) -> bool:
        """Note a frame with that time stamp; whether it is older than the stamp says."""
        step, self._at = at - self._at, at
        usual = sorted(self._steps)[len(self._steps) // 2] if self._steps else math.inf
        if not 0.0 <= step <= max(PAUSE_S, 4 * usual if self._steps else 0.0):
            self._pauses += 1
            self._held_s += max(0.0, step)
            self._at_pace = 0
            if not self._steps or self._pauses > AT_PACE:
                self._begin()
        elif step < QUICK * usual and self._at_pace < AT_PACE:
            self._at_pace = self._pauses = 0
            self._held_s += step
            self._quick += 1
            if (self._quick - AT_PACE) * usual > min(self._held_s, MOST_HELD_S):
                self._begin()
        else:
            self._at_pace += 1
            self._pauses = 0
            self._steps.append(step)
        if self._at_pace >= AT_PACE:
            self._held_s, self._quick = 0.0, 0
        return self._at_pace < AT_PACE


class Watch:
    """Says of each frame of a run what evidence it is; called by the frame loop alone.

    Args:
        selection: which target is followed.
        has_marks: whether a picture that stands still is looked for, which costs a little.
    """

    def __init__(self, selection: Selection, has_marks: bool = True) -> None:
        self._selection, self._has_marks = selection, has_marks
        self._still, self._pace, self._steady = Still(), FramePace(), Steady()

    def evidence(self, tracked: TrackedFrame) -> Evidence:
        """Note a frame."""
        number, at_s = self._selection.among(tracked.tracks), tracked.captured_s
        track = None if number is None else tracked.tracks[number]
        track = self._steady.track(track, self._selection.acts)
        is_late, doubt = self._pace.is_late(at_s), None
        if self._has_marks and self._still.is_still(picture_mark(tracked.frame), at_s):
            doubt = STILL
        return Evidence(number, track, at_s, LATE if is_late else doubt)
