"""Run over clips, in this process or in several."""

import concurrent.futures
import functools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tqdm import tqdm

from hotpath.calib.errors import BadRun
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.options import usable_cores


def over_clips(
    function: Callable[..., Any],
    todo: Sequence[tuple[Any, tuple[Any, ...]]],
    jobs: int,
    label: str | None = None,
) -> Iterator[tuple[Any, HotpathError | None]]:
    """Call a function for every (clip, arguments), with a progress bar of the clips' frames.

    Args:
        jobs: processes; there are no more than cores and clips. They end with this one.

    Yields:
        (clip, error or None) as each is done.

    Raises:
        BadRun: processes can't share memory here.
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
    jobs = min(jobs, usable_cores(), len(todo))
    if jobs <= 1:
        for clip, arguments in todo:
            yield clip, functools.partial(function, *arguments)
        return
    # a forked process can wait forever for a lock that a thread of an engine held here
    fresh = multiprocessing.get_context("spawn")
    left, stays = fresh.Pipe(duplex=False)
    try:
        pool = concurrent.futures.ProcessPoolExecutor(jobs, fresh, _end_when, (left,))
    except OSError as missing:  # as in a container
        raise BadRun(
            f"processes can't share memory here ({missing}); mount /dev/shm, such as with "
            "`docker run --tmpfs /dev/shm`"
        ) from None
    with pool:
        try:
            waiting = {pool.submit(function, *arguments): clip for clip, arguments in todo}
            for done in concurrent.futures.as_completed(waiting):
                yield waiting[done], done.result
        except BaseException:  # such as Ctrl-C: the pool would wait for all clips
            stays.close()
            raise


def _end_when(left: Any) -> None:
    """End this process when the other end of a pipe is closed, or its process has ended."""

    def wait() -> None:
        left.poll(None)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
