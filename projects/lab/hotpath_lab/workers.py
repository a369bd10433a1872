"""Run over clips, in this process or in several."""

import concurrent.futures
import errno
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

REDRAW_S = 0.3
NO_SHARED_MEMORY = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOSYS)  # as in a container
_done: Any = None  # frames that all processes have followed, a shared float


class Counted:
    """A clip whose frames move the bar of ``over_clips`` while somebody iterates over them.

    Args:
        clip: of frames, with any attributes.
        turns: how often its frames are given; each time counts as a part of them.
    """

    def __init__(self, clip: Any, turns: int) -> None:
        self._clip, self._turns = clip, turns

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clip, name)

    def __len__(self) -> int:
        return len(self._clip)

    def __iter__(self) -> Iterator[Any]:
        for frame in self._clip:
            yield frame
            if _done is not None:
                with _done.get_lock():
                    _done.value += 1 / self._turns


def over_clips(
    function: Callable[..., Any],
    todo: Sequence[tuple[Any, tuple[Any, ...]]],
    jobs: int,
    label: str | None = None,
) -> Iterator[tuple[Any, HotpathError | None]]:
    """Call a function for every (clip, arguments), with a progress bar of the clips' frames.

    The bar moves with each frame of a ``Counted`` clip, else with each clip. It names the clip.

    Args:
        jobs: processes; there are no more than cores and clips. They end with this one.

    Yields:
        (clip, error or None) as each is done.

    Raises:
        BadRun: processes can't share memory here.
    """
    global _done
    frames, whole = sum(len(clip) for clip, _ in todo), 0
    try:
        _done = multiprocessing.get_context("spawn").Value("d", 0.0)
    except OSError as missing:
        if missing.errno not in NO_SHARED_MEMORY:
            raise
        raise BadRun(
            f"processes can't share memory here ({missing}); mount /dev/shm, such as with "
            "`docker run --tmpfs /dev/shm`"
        ) from None
    with tqdm(total=frames, unit=" frames", disable=None, desc=label) as bar:
        ended = threading.Event()
        drawing = threading.Thread(target=_draw, args=(bar, _done, ended), daemon=True)
        drawing.start()
        try:
            for clip, call in _calls(function, todo, jobs):
                bar.set_postfix_str(str(getattr(clip, "name", "")), refresh=False)
                error = None
                try:
                    call()
                except HotpathError as caught:
                    error = caught
                whole += len(clip)
                _done.value = max(_done.value, whole)  # a clip that is not ``Counted``, or failed
                yield clip, error
        finally:
            ended.set()
            drawing.join()
            _show(bar, _done)


def _draw(bar: Any, done: Any, ended: threading.Event) -> None:
    """Move a bar until its work has ended."""
    while not ended.wait(REDRAW_S):
        _show(bar, done)


def _show(bar: Any, done: Any) -> None:
    if not bar.disable:
        bar.update(max(0, min(bar.total, int(done.value)) - bar.n))


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
    with concurrent.futures.ProcessPoolExecutor(jobs, fresh, _begin, (left, _done)) as pool:
        try:
            waiting = {pool.submit(function, *arguments): clip for clip, arguments in todo}
            for done in concurrent.futures.as_completed(waiting):
                yield waiting[done], done.result
        except BaseException:  # such as Ctrl-C: the pool would wait for all clips
            stays.close()
            raise


def _begin(left: Any, done: Any) -> None:
    """Set up a process of the pool: where it counts frames, and when it ends."""
    global _done
    _done = done
    _end_when(left)


def _end_when(left: Any) -> None:
    """End this process when the other end of a pipe is closed, or its process has ended."""

    def wait() -> None:
        left.poll(None)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
