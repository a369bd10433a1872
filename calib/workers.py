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


_scorer: Any = None  # of a worker process, set once when it starts


@contextlib.contextmanager
def open_pool(scorer: Scorer, workers: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """Give a function of (list of parameters, clips or None) that yields scores in their order."""
    if workers <= 1:
        yield functools.partial(_scores, scorer)
        return
    with concurrent.futures.ProcessPoolExecutor(workers, None, _begin, (scorer,)) as executor:
        yield functools.partial(_mapped, executor)


def _scores(
    scorer: Scorer, drawn: Sequence[Any], clips: Sequence[Any] | None = None
) -> Iterator[Any]:
    return (scorer.score(each, clips) for each in drawn)


def _mapped(
    executor: concurrent.futures.Executor, drawn: Sequence[Any], clips: Sequence[Any] | None = None
) -> Iterator[Any]:
    return executor.map(functools.partial(_score, clips), drawn)


def _begin(scorer: Scorer) -> None:
    global _scorer
    _scorer = scorer


def _score(clips: Sequence[Any] | None, parameters: Any) -> Any:
    return _scorer.score(parameters, clips)
