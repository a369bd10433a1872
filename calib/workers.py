"""Score trials in this process, in several processes, or on the machines of a Ray cluster.

Each pool has ``scores(list of parameters)``, which keeps the order, and
``held(clips, list of parameters)``.
"""

import concurrent.futures
import contextlib

from calib.errors import BadRun, Missing


@contextlib.contextmanager
def open_pool(trial, workers, ray_address):
    """Open the pool that the options ask for."""
    if ray_address:
        with _ray(trial, ray_address, workers) as pool:
            yield pool
    elif workers > 1:
        with concurrent.futures.ProcessPoolExecutor(
            workers, initializer=_begin, initargs=(trial,)
        ) as executor:
            yield _Processes(executor)
    else:
        yield _Here(trial)


class _Here:
    def __init__(self, trial):
        self._trial = trial

    def scores(self, drawn):
        """Yield the scores one after the other."""
        return (self._trial.score(parameters) for parameters in drawn)

    def held(self, clips, drawn):
        """Return the scores on other clips."""
        return [self._trial.score(parameters, clips) for parameters in drawn]


_trial = None  # of a worker process, set once when it starts


def _begin(trial):
    global _trial
    _trial = trial


def _score(parameters, clips=None):
    return _trial.score(parameters, clips)


class _Processes:
    def __init__(self, executor):
        self._executor = executor

    def scores(self, drawn):
        """Yield the scores in their order, each as soon as it and those before it are there."""
        return self._executor.map(_score, drawn)

    def held(self, clips, drawn):
        """Return the scores on other clips."""
        return list(self._executor.map(_score, drawn, [clips] * len(drawn)))


class _Ray:
    def __init__(self, ray, actors):
        self._ray, self._actors = ray, actors

    def _run(self, drawn, clips):
        tasks = [
            self._actors[i % len(self._actors)].score.remote(parameters, clips)
            for i, parameters in enumerate(drawn)
        ]
        return (self._ray.get(task) for task in tasks)

    def scores(self, drawn):
        """Return the scores in their order."""
        return self._run(drawn, None)

    def held(self, clips, drawn):
        """Return the scores on other clips."""
        return list(self._run(drawn, clips))


@contextlib.contextmanager
def _ray(trial, address, workers):
    try:
        import ray
    except ImportError:
        raise Missing("--ray needs Ray; run `pip install ray==2.60.0`") from None
    try:
        ray.init(
            address=None if address == "local" else address,
            num_cpus=workers if address == "local" else None,
            include_dashboard=False if address == "local" else None,
            logging_level="warning",
            log_to_driver=False,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BadRun(
            f"no Ray cluster at {address}: {str(error).splitlines()[0]}; start one with `ray "
            "start --head`, or give "
            "--ray local"
        ) from None
    try:
        remote = ray.remote(num_cpus=1)(_RayWorker)
        yield _Ray(ray, [remote.remote(trial) for _ in range(workers)])
    finally:
        ray.shutdown()


class _RayWorker:
    """A process of a Ray cluster. It needs this repository and the clips at the same paths."""

    def __init__(self, trial):
        self._trial = trial

    def score(self, parameters, clips):
        """Return the score of one set of parameters."""
        return self._trial.score(parameters, clips)
