"""Follow clips on the workers of a Dask cluster: one task for each pair of tracker and clip.

Dask shares the tasks out, and tries those of a worker that died on another one. A worker is a
process with this version of Hotpath, which reads clips and networks at the paths that they have
here. Results are sent back.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import os
import pickle
import platform
import queue
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from hotpath import __version__
from hotpath.base.messages import error_text, missing_package_text
from hotpath.calib.command_line import say
from hotpath.calib.errors import BadRun, MissingLibrary
from hotpath.kernels import cpu
from hotpath.runtime.errors import HotpathError
from hotpath_lab.provenance import code_identity
from hotpath_lab.trackers import Spec, identified, loaded

ANSWER_S = 10  # until the scheduler answers
PATIENCE_S = 30  # without a worker, or without a sign of one
BROKE = "the connection broke"
GO_ON = "what is done is kept, and the same command goes on"

Pair = tuple[Spec, Any]
Outcome = tuple[Spec, Any, Any]  # the result, or a HotpathError


def over_pairs(
    address: str, pairs: Sequence[Pair], function: Callable[[Spec, Any], Any]
) -> Iterator[Outcome]:
    """Call a function for every pair of tracker and clip; yield each result when it is there.

    A pair whose workers died is tried again alone, since a neighbour may have killed them.

    Raises:
        Missing: Dask is not installed.
        BadRun: the scheduler or all workers are away, or a worker is not as this computer.
    """
    if not pairs:
        return
    distributed = library()
    with _connected(distributed, address) as client:
        _check_workers(client, address, list(dict.fromkeys(spec for spec, _ in pairs)))
        say(f"tracking on {address}; dashboard: {client.dashboard_link}")
        killed = []
        for pair, result in _round(distributed, client, address, pairs, function):
            if isinstance(result, distributed.KilledWorker):
                killed.append(pair)
            elif isinstance(result, BadRun) and result.what == "unfit worker":
                raise result  # Dask would give it the next pairs, too
            else:
                yield (*pair, result)
        for pair in killed:
            for (spec, clip), result in _round(distributed, client, address, [pair], function):
                if isinstance(result, distributed.KilledWorker):
                    count, last = result.allowed_failures + 1, result.last_worker.address
                    result = BadRun(
                        f"{clip.name}: all {count} workers that followed it with {spec.name} died, "
                        f"{last} the last; read its log",
                        what="workers died",
                    )
                yield spec, clip, result


def library() -> Any:
    """Dask's ``distributed``."""
    try:
        import distributed

        return distributed
    except ImportError as error:
        raise MissingLibrary(
            missing_package_text("--cluster", "distributed", error, "lab")
        ) from None


@contextlib.contextmanager
def _connected(distributed: Any, address: str) -> Iterator[Any]:
    """A client of the scheduler. Sentences of this command replace Dask's logs and warnings."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        asyncio.run(asyncio.wait_for(_greet(distributed, address), ANSWER_S))
    except Exception as error:  # whatever a stranger answers
        logger.setLevel(level)
        raise _away(address, error_text(error) or f"no answer within {ANSWER_S} s") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of versions: see ``condition``
        client = distributed.Client(address, set_as_default=False)
    try:
        yield client
    except (OSError, concurrent.futures.CancelledError):  # of the connection
        raise _away(address, BROKE) from None
    finally:
        client.close(timeout=1)
        logger.setLevel(level)


@contextlib.contextmanager
def _in_folder(folder: str) -> Iterator[None]:
    """Run in the folder of the command, from which relative paths begin."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


async def _greet(distributed: Any, address: str) -> None:
    """Ask a scheduler who it is: a ``Client`` of anything else waits for ever."""
    tls = distributed.Security().get_connection_args("client")
    async with distributed.rpc(address, timeout=ANSWER_S, connection_args=tls) as scheduler:
        kind = (await scheduler.identity())["type"]
        if kind != "Scheduler":
            raise ValueError(f"a {kind} is there")


def _away(address: str, why: str) -> BadRun:
    return BadRun(
        f"--cluster {address}: no Dask scheduler answers ({' '.join(why.split())}); "
        f"start `dask scheduler` there; {GO_ON}",
        what="no scheduler",
    )


def _no_worker(address: str) -> BadRun:
    return BadRun(
        f"--cluster {address}: the scheduler has had no worker for {PATIENCE_S} s; start some with "
        f"`dask worker {address} --nthreads 1`; {GO_ON}",
        what="no worker",
    )


# -- the requirement


@functools.cache
def condition(spec: Spec) -> dict[str, str]:
    """What the boxes of a tracker depend on besides the clip, in this process."""
    values = {
        "Python": platform.python_version(),
        "Hotpath": __version__,
        "Hotpath's code": code_identity()[:12],
        "kernels": cpu.load().name,
        "NumPy": np.__version__,
        "OpenCV": cv2.__version__,
        f"{spec.name}'s files and options": identified(spec).identity[:12],
    }
    if spec.options.network is not None:
        engine = loaded(spec).engine.describe()
        words = (str(engine[name]) for name in ("engine", "version", "precision"))
        values[f"{spec.name}'s engine"] = " ".join(words)
    return values


def unfit(folder: str, spec: Spec, here: dict[str, str], dask_worker: Any) -> str:
    """Why this worker can't follow clips for another computer; "" if it can."""
    before, threads = f"worker {dask_worker.address} ", dask_worker.state.nthreads
    if threads > 1:
        return before + f"runs {threads} tasks at once; start it with --nthreads 1"
    try:
        with _in_folder(folder):
            there = condition(spec)
    except (OSError, HotpathError) as error:
        return before + f"is not ready: {error}"
    for name, value in here.items():
        if there.get(name) != value:
            return (
                before + f"has {name} {there.get(name)}, and this computer {value}; make them the "
                "same, and start the worker again"
            )
    return ""


def _check_workers(client: Any, address: str, specs: Sequence[Spec]) -> None:
    """Refuse workers that would give other boxes than this computer, before the first task."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except (TimeoutError, asyncio.TimeoutError):  # two classes before Python 3.11
        raise _no_worker(address) from None
    for spec in specs:
        answers = client.run(unfit, os.getcwd(), spec, condition(spec), on_error="return")
        for worker, answer in answers.items():
            if isinstance(answer, Exception):
                answer = f"worker {worker} can't answer ({answer}); its log says more"
            if answer:
                raise BadRun(f"--cluster {address}: {answer}", what="unfit worker")


# -- the tasks


def run_pair(packed: bytes) -> Any:
    """Run a pair in a worker; returns the result or a ``HotpathError``."""
    from distributed import get_worker

    function, folder, spec, clip, here = pickle.loads(zlib.decompress(packed))
    why = unfit(folder, spec, here, get_worker())  # it may have come later
    if why:
        return BadRun(why, what="unfit worker")
    try:
        with _in_folder(folder):
            return function(spec, clip)
    except HotpathError as error:
        return error
    except OSError as error:
        return BadRun(f"{clip.name}: {error}; all workers must see the clips", what="not read")


def _round(
    distributed: Any,
    client: Any,
    address: str,
    pairs: Sequence[Pair],
    function: Callable[[Spec, Any], Any],
) -> Iterator[tuple[Pair, Any]]:
    """Yield (pair, result or error) as Dask has them."""
    packed = [
        zlib.compress(pickle.dumps((function, os.getcwd(), spec, clip, condition(spec))))
        for spec, clip in pairs
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a large graph: many clips
        futures = client.map(run_pair, packed, pure=False)
    waiting = {future.key: pair for future, pair in zip(futures, pairs)}
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for future in futures:
        future.add_done_callback(ended.put)
    silence = Silence(client)
    for _ in tqdm(pairs, unit=" tracks", disable=None, desc="tracking"):
        done = _next(client, address, ended, silence)
        error = done.exception()
        killed = isinstance(error, distributed.KilledWorker)
        yield waiting.pop(done.key), error if killed else done.result()
        done.release()


class Silence:
    """Takes the tasks of workers that give no sign for ``PATIENCE_S``, such as stopped ones.

    Dask itself waits for minutes, because the connection of a stopped process stays open.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._signs: dict[str, tuple[float, float]] = {}  # worker -> its last sign, our time of it
        self._looked_s = 0.0

    def check(self) -> None:
        """Look for such workers, at most once a second."""
        now_s = time.monotonic()
        if now_s - self._looked_s < 1.0:
            return
        self._looked_s = now_s
        for worker, facts in self._client.scheduler_info(n_workers=-1)["workers"].items():
            sign = facts["last_seen"]
            if self._signs.get(worker, (None,))[0] != sign:
                self._signs[worker] = sign, now_s
            elif now_s - self._signs[worker][1] > PATIENCE_S:
                del self._signs[worker]
                say(f"worker {worker} gives no sign for {PATIENCE_S} s; others follow its clips")
                self._client.run_on_scheduler(_remove, worker=worker)


async def _remove(dask_scheduler: Any, worker: str) -> None:
    """In the scheduler: give the tasks of a worker to others."""
    await dask_scheduler.remove_worker(worker, stimulus_id="no sign", close=False)


def _next(client: Any, address: str, ended: "queue.SimpleQueue[Any]", silence: Silence) -> Any:
    """The next future that is done.

    Raises:
        BadRun: the scheduler is away, or has had no worker for ``PATIENCE_S``.
    """
    idle = 0
    while idle < PATIENCE_S:
        silence.check()
        try:
            return ended.get(timeout=1)
        except queue.Empty:
            if client.status != "running":
                raise _away(address, BROKE) from None
            idle = 0 if client.scheduler_info(n_workers=-1)["workers"] else idle + 1
    raise _no_worker(address)
