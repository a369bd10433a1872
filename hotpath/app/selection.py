"""Remember which target somebody selected: a camera may follow only this one."""

from typing import Mapping, Optional

from hotpath.runtime.types import Track


class Selection:
    """The selected target of a run. Until somebody acts, it is the command line's first one.

    No other target takes the place of one that was dropped.

    Attributes:
        number: number of the selected target; None: nothing is steered.
        acts: how often somebody selected, dropped or confirmed a target.
    """

    def __init__(self) -> None:
        self.number: Optional[int] = None
        self.acts = 0

    def among(self, tracks: Mapping[int, Track]) -> Optional[int]:
        """The number of the selected target if it is among the tracks of a frame, else None."""
        if self.number is None and not self.acts:
            self.number = next(iter(tracks), None)
        return self.number if self.number in tracks else None

    def select(self, number: int, replaced: Optional[int] = None) -> None:
        """Somebody added a target. It is steered after unless another one is selected."""
        if self.number in (None, replaced):
            self.number = number
        self.acts += 1

    def drop(self, number: int) -> None:
        """Somebody dropped a target."""
        self.number = None if number == self.number else self.number
        self.acts += 1

    def confirm(self) -> None:
        """Somebody says that the selected target is the right one."""
        self.acts += 1
