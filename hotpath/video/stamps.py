"""The times of the frames of a recording or a bag, which its stamps tell but for odd ones."""

from typing import Callable, Optional

LONGEST_S = 3.0  # between two frames; more is a pause, a stray stamp or another clock


class Stamps:
    """The times of frames that come one after another, each later than the one before.

    A stamp is a stray one if it is far off and the frame after it goes on from the one before. A
    clock that goes back begins anew there, as where recordings were joined, and the time goes on.
    A clock that steps ahead is a pause.

    Args:
        step_s: seconds from frame to frame at the rate that is stated.
        strays: how many odd stamps there were before.

    Attributes:
        strays: how many odd stamps there were, stray ones and those where a clock begins anew.
    """

    def __init__(self, step_s: float, strays: int = 0) -> None:
        self._step_s, self.strays = step_s, strays
        self._last_s: Optional[float] = None
        self._offset_s = 0.0  # that is added to the stamps

    def time_of(self, stamp_s: float, following: Callable[[], Optional[float]]) -> float:
        """The time of the next frame, later than that of the last one.

        Args:
            stamp_s: its own stamp.
            following: function that returns the stamp of the frame after it, or None where there
                is none. It is called only in doubt.
        """
        time_s = stamp_s + self._offset_s
        if self._last_s is not None and not 0 < time_s - self._last_s <= LONGEST_S:
            time_s = self._doubted(time_s, following())
        self._last_s = time_s
        return time_s

    def _doubted(self, time_s: float, following_s: Optional[float]) -> float:
        """The time of a frame whose stamp is not soon after that of the last one."""
        assert self._last_s is not None, "the first frame has no doubt"
        is_far = abs(time_s - self._last_s) > LONGEST_S
        goes_back = time_s <= self._last_s
        next_s = time_s if following_s is None else following_s + self._offset_s
        if 0 < next_s - self._last_s <= LONGEST_S and (goes_back or next_s < time_s):
            self.strays += is_far
            return (self._last_s + next_s) / 2
        if not goes_back:
            return time_s
        self.strays += is_far
        due_s = self._last_s + self._step_s
        self._offset_s += due_s - time_s
        return due_s
