"""Run over clips, or score trials, in this process or in several."""

import concurrent.futures
import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from tqdm import tqdm

from runtime.errors import HotpathError


def over_clips(
    function: Callable[..., Any],
    todo: Sequence[tuple[Any, tuple[Any, ...]]],
    jobs: int,
    label: str | None = None,
) -> Iterator[tuple[Any, HotpathError | None]]:
    """Call a function for every (clip, arguments), with a progress bar of the clips' frames.

    Yields:
        (clip, error or None) as each is done.
    """
    frames = sum(len(clip) for clip, _ in todo)
    with tqdm(total=frames, unit=" frames", disable=None, desc=label) as bar:
        for clip, call in _calls(function, todo, jobs):
            error = None
            try:
                call()
            except HotpathError as caught:
                error = caught
            bar.update(len(clip))
            yield clip, error


def _calls(
    function: Callable[..., Any], todo: Sequence[tuple[Any, tuple[Any, ...]]], jobs: int
) -> Iterator[tuple[Any, Callable[[], Any]]]:
    if jobs <= 1:
        for clip, given in todo:
            yield clip, functools.partial(function, *given)
        return
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(function, *given): clip for clip, given in todo}
        for done in concurrent.futures.as_completed(waiting):
            yield waiting[done], done.result


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
