"""The windows in which to search for a lost target. ``redetector.py`` chooses their order.

here    the usual window at the last followed place; the box there is still followed
wide    a wider window around a place with the target's colours, or one of the grid over the picture
check   the usual window around the best place of a wide window
"""

from typing import NamedTuple

import numpy as np

from hotpath.kernels.settings import ARGMAX, SelectionPrior

HERE, WIDE, CHECK = "here", "wide", "check"
# In a window f times as wide, boxes come out sqrt(f) times as large as the target is, and the size
# that is expected is the better one. In the usual window the network's is better.
PRIORS = {
    HERE: ARGMAX,
    WIDE: SelectionPrior(size_lr=0.0, influence=0.0, most=3, share=0.5, apart=3),
    CHECK: SelectionPrior(size_lr=1.0),
}
NEAR = 2.0  # side of the grid's widest windows, and of the second look at a followed target
COLOURED = 1.5  # side of the windows at the places that have the target's colours
REMEMBERED = 12  # of these places, the last ones are not searched again


class SearchRegion(NamedTuple):
    """A window of the picture that is searched.

    Attributes:
        kind: HERE, WIDE or CHECK.
        state: float64 [cx, cy, w, h], frame pixels: the window's centre, the target's expected
            size.
        factor: its sides relative to those of the usual window.
    """

    kind: str
    state: np.ndarray
    factor: float

    @property
    def prior(self) -> SelectionPrior:
        """The places that the window proposes."""
        return PRIORS[self.kind]
