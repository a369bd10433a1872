"""What a link asks of a run. The ``Controller`` of the frame loop carries it out."""

from concurrent.futures import Future
from typing import Any, Callable, Dict, Optional

from hotpath.app.selection import Selection
from hotpath.video.base import TrackedFrame

CONFIRM = "confirm the target"  # a reason of ``holds`` that ends so waits for somebody


class Run:
    """A run, as a link sees it.

    ``call`` may be used from any thread. The loop carries the function out between two frames, so
    that only functions that it calls use ``add_target``, ``drop_target`` and ``record``.

    Attributes:
        newest: the newest tracked frame; None before the first.
        selection: which target is steered after.
        can_record: whether the command line named files to record to.
        recording_since: since when they are written, seconds of the monotonic clock, or None.
        holds: steered device that stopped for lack of evidence -> reason.

    Example:
        >>> def lose_target(run, number):
        ...     return run.call(run.drop_target, number)
    """

    newest: Optional[TrackedFrame]
    selection: Selection
    can_record: bool
    recording_since: Optional[float]
    holds: Dict[str, str]
    add_target: Callable[..., int]  # as of ``Controller``

    @property
    def fps(self) -> Optional[float]:
        """Frames a second over the last frames; None while the run is paused."""
        raise NotImplementedError

    @property
    def finds_at_points(self) -> bool:
        """Whether the network's head finds the object at a point."""
        raise NotImplementedError

    def frame_at(self, seen_s: float) -> Optional[TrackedFrame]:
        """The frame that was newest at a time of the monotonic clock, else the newest one."""
        raise NotImplementedError

    def call(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Have the frame loop call a function; its result, or its ``HotpathError``, comes later."""
        raise NotImplementedError

    def drop_target(self, number: int) -> None:
        """Stop tracking that target."""
        raise NotImplementedError

    def record(self, on: bool) -> None:
        """Start or stop writing to the files that the command line named."""
        raise NotImplementedError
