"""Score trials in this process, or in several."""

import concurrent.futures
import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol


class Scorer(Protocol):
    """What is scored; it can be sent to another process."""

    def score(self, parameters: Any, clips: Sequence[Any] | None = None) -> Any:
        """Return the score of some parameters, on other clips than its own if any are given."""


Run = Callable[[Sequence[Any], Sequence[Any] | None], Iterable[Any]]
_scorer: Scorer | None = None  # of a worker process, set once when it starts


@contextlib.contextmanager
def open_pool(scorer: Scorer, workers: int) -> Iterator[Run]:
    """Give a function of (list of parameters, clips or None) that yields scores in their order."""
    if workers <= 1:
        yield lambda drawn, clips=None: (scorer.score(each, clips) for each in drawn)
        return
    with concurrent.futures.ProcessPoolExecutor(workers, None, _begin, (scorer,)) as executor:
        yield lambda drawn, clips=None: executor.map(functools.partial(_score, clips), drawn)


def _begin(scorer: Scorer) -> None:
    global _scorer
    _scorer = scorer


def _score(clips: Sequence[Any] | None, parameters: Any) -> Any:
    assert _scorer is not None
    return _scorer.score(parameters, clips)
