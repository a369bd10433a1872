"""How several trackers of one network take a frame: one after the other, or together.

Their devices say whether they go together (``Device.together``).
"""

from typing import Any, List, Optional, Sequence

from kernels.errors import GpuFailed, HotpathError, NotOnGpu
from runtime.devices.base import ELSEWHERE, Aim, Group
from runtime.pictures import AnyFrame
from runtime.tracker import Tracker
from runtime.types import Track


def schedule(trackers: Sequence[Tracker]) -> "Sequential":
    """The way in which these trackers of one engine, each with its target, take a frame."""
    devices = [tracker.device for tracker in trackers]
    if len(trackers) > 1:
        try:
            group = devices[0].together(devices)
            if group is not None:
                return Together(trackers, group)
        except (NotOnGpu, GpuFailed) as error:
            return Sequential(trackers, str(error))
    return Sequential(trackers)


class Sequential:
    """Trackers that take a frame one after the other.

    Args:
        trackers: any.
        sentence: what a user may want to know about it, such as why they are no group.
    """

    def __init__(self, trackers: Sequence[Tracker], sentence: str = "") -> None:
        self._trackers, self.sentence = trackers, sentence

    def update(self, frame: AnyFrame) -> List[Track]:
        """Find every target in the next frame; see ``Tracker.update``."""
        return [tracker.update(frame) for tracker in self._trackers]

    def rehearse(self, frame: AnyFrame) -> None:
        """See ``Tracker.rehearse``."""
        for tracker in self._trackers:
            tracker.rehearse(frame)

    def close(self) -> None:
        """Let the trackers go on without it."""


class Together(Sequential):
    """Trackers whose devices take a frame as one group.

    Args:
        trackers: of one engine, each with its target.
        group: of their devices.
    """

    def __init__(self, trackers: Sequence[Tracker], group: Group) -> None:
        super().__init__(trackers, group.sentence)
        self._group = group

    def update(self, frame: AnyFrame) -> List[Track]:
        """Find every target in the next frame; see ``Tracker.update``."""
        taken = [tracker.begin(frame) for tracker in self._trackers][0]
        aims = [self._aim(tracker, taken) for tracker in self._trackers]
        tracks, failure = [], None
        for tracker, aim, seen in zip(self._trackers, aims, self._group.take(taken, aims)):
            try:
                tracks.append(self._track(tracker, taken, aim, seen))
            except HotpathError as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return tracks

    def _aim(self, tracker: Tracker, frame: Any) -> Optional[Aim]:
        """The window of a target's search; None while it is followed."""
        if not tracker.searching:
            return None
        return tracker.aim(frame) if self._group.takes_aims else ELSEWHERE

    def _track(self, tracker: Tracker, frame: Any, aim: Optional[Aim], seen: Any) -> Track:
        """What a tracker says of what the group has seen of its target."""
        if isinstance(seen, HotpathError):
            raise seen
        if aim is ELSEWHERE:
            return tracker.search(frame)
        if aim is not None:
            return tracker.judge_window(frame, seen)
        track = tracker.judge(frame, seen)
        if tracker.searching and not self._group.takes_aims:
            track = tracker.search(frame, track)
        return track

    def rehearse(self, frame: AnyFrame) -> None:
        """See ``Tracker.rehearse``."""
        self._group.rehearse(frame)

    def close(self) -> None:
        """Let the trackers go on without it."""
        self._group.close()
