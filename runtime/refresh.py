"""When a second exemplar is refreshed while the target is followed: MixFormerV2, STARK-ST.

The rule is the authors', with the keys ``refresh_every``, ``refresh_above`` and ``refresh_from`` of
the TOML. What is an exemplar here knows its device only.
"""

from typing import Any, Callable, Optional

from hotpath.runtime.network import Network


class Refresh:
    """Says which exemplar is in use.

    Args:
        network: uses the keys above.
        first: the exemplar of the first frame, whose picture is both.

    Attributes:
        used: the exemplar that is in use.
    """

    def __init__(self, network: Network, first: Any) -> None:
        self._network, self._first, self.used = network, first, first
        self._next: Optional[Any] = None  # that is used when it is due
        self._frames = 0
        self._highest = network.refresh_above

    def follow(self, score: float, crop: Callable[[Any], Any]) -> None:
        """Take a frame in which the target was found.

        Args:
            score: score of the frame.
            crop: gives the frame's own exemplar beside the first one, which it takes.
        """
        network = self._network
        self._frames += 1
        is_due = self._frames % network.refresh_every == 0
        keeps_best = network.refresh_from == "best"
        if score > self._highest and (is_due or keeps_best):
            if self._next is not None:
                self._next.close()
            self._next, self._highest = crop(self._first), score
        if not is_due:
            return
        following = self._next or (self._first if keeps_best else self.used)
        if self.used not in (following, self._first):
            self.used.close()
        self.used = following
        self._next = None
        self._highest = network.refresh_above

    def close(self) -> None:
        """Release all exemplars."""
        for exemplar in (self._first, self._next, self.used):
            if exemplar is not None:
                exemplar.close()
