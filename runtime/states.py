"""The states of a target, and the rules that lead from one to another.

    tracked   the box holds the target
    unsure    the box is followed, but nothing is learnt from it
    lost      no box is claimed; the last place is reported
    found     the first frame in which a lost target is claimed again

The certainty (``runtime.loss``) decides, by ``lost_below`` and ``unsure_below`` of the network's
TOML. Where lost targets are searched for (``runtime.search``) the evidence decides in its place,
and a target stays lost until it is found.
"""

from typing import Optional

TRACKED, UNSURE, LOST, FOUND = "tracked", "unsure", "lost", "found"
STATES = (TRACKED, UNSURE, LOST, FOUND)


class StateMachine:
    """The state of one target.

    Args:
        unsure_below: certainty below which a target that is not lost is ``unsure``.

    Attributes:
        state: one of ``STATES``.
        lost_frames: for how many frames the target has been lost.
    """

    def __init__(self, unsure_below: float) -> None:
        self._unsure_below = unsure_below
        self.begin()

    def begin(self) -> None:
        """Take a new target."""
        self.state, self.lost_frames = TRACKED, 0

    def step(self, lost: bool, certainty: Optional[float]) -> str:
        """Take the judgement of a frame; returns the state.

        Args:
            lost: whether the target is lost, as the loss monitor or the search says.
            certainty: smoothed, 0 to 1; None where nothing watches the target.
        """
        if lost:
            self.state = LOST
            self.lost_frames += 1
            return self.state
        self.lost_frames = 0
        if self.state == LOST:
            self.state = FOUND
        elif certainty is not None and certainty < self._unsure_below:
            self.state = UNSURE
        else:
            self.state = TRACKED
        return self.state
