"""What targets and the finder of targets ask of each other. Only type checkers read it."""

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

if TYPE_CHECKING:
    from typing import Protocol

    import numpy as np

    from hotpath.runtime.pictures import AnyFrame
    from hotpath.runtime.types import Track
else:
    Protocol = object  # Python 3.6 and 3.7 have none


class Followed(Protocol):
    """The targets, for what finds more of them: ``hotpath.runtime.targets.targets.Targets``."""

    added: List[int]
    dropped: Dict[int, str]

    def __len__(self) -> int:
        """Return how many there are."""

    @property
    def numbers(self) -> Tuple[int, ...]:
        """Return the numbers of the targets."""

    def add(
        self,
        frame: "AnyFrame",
        box: Sequence[float],
        class_id: Optional[int] = None,
        class_name: str = "",
        time_s: Optional[float] = None,
    ) -> int:
        """Begin to follow; returns the number."""

    def classify(self, number: int, class_id: Optional[int], class_name: str) -> None:
        """Set the class of a target."""

    def suggest(self, number: int, boxes: "np.ndarray") -> None:
        """Name places where the search shall look first."""

    def restart(
        self, number: int, frame: "AnyFrame", box: Sequence[float], time_s: Optional[float] = None
    ) -> None:
        """Begin anew from a box."""

    def follow(self, number: int, frame: "AnyFrame", time_s: Optional[float] = None) -> "Track":
        """Follow one target alone."""

    def drop(self, number: int) -> None:
        """Follow it no longer."""


class Finder(Protocol):
    """What finds more targets: ``hotpath.runtime.targets.finding.TargetFinder``."""

    def step(
        self, frame: "AnyFrame", tracks: "Dict[int, Track]", time_s: Optional[float] = None
    ) -> "Dict[int, Track]":
        """Update the targets after a tracked frame."""

    def close(self) -> Any:
        """Wait for the detector."""
