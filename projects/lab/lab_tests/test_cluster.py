"""Clips are followed on a Dask cluster: the same boxes, whatever dies on the way."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from hotpath.runtime.options import Options
from hotpath.video.clips import find_clips
from hotpath_lab import cluster, evaluate, presence, runs, trackers
from hotpath_lab.longterm import films
from tests.support import tiny
from tests.support.clips import write_clip
from tests.support.needs import needs_processes
from tests.support.ports import free_port

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
pytest.importorskip("matplotlib")
slow = pytest.mark.slow("processes of a cluster load the libraries")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a tiny network, clips in two halves, and two long films of them."""
    folder = tmp_path_factory.mktemp("place")
    tiny.write_network(folder, tiny.watched(**tiny.LOSSY))
    pictures, boxes = tiny.film(70)
    for number, half in enumerate(("one", "one", "two", "two")):
        part = slice(number, number + 64)
        write_clip(folder / "clips" / half / f"clip{number}", pictures[part], boxes[part])
    halves = ["--development", folder / "clips/one", "--report", folder / "clips/two"]
    given = [*halves, "--count", 1, "--out", folder / "films.json"]
    assert films.main([str(word) for word in given]) == 0
    return folder


@contextlib.contextmanager
def local_cluster(count):
    """A cluster of so many workers on this computer, of which a task may kill two."""
    needs_processes()
    own = dict(n_workers=count, threads_per_worker=1, dashboard_address=None)
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        with distributed.LocalCluster(**own) as workers:
            yield workers


@pytest.fixture
def three():
    with local_cluster(3) as workers:
        yield workers


class Dask:
    """A scheduler and a worker that nothing starts again, as processes of their own."""

    def __init__(self, folder):
        port = free_port(socket.SOCK_STREAM)
        self.address = f"tcp://127.0.0.1:{port}"
        self.log = open(folder / "dask.log", "w")
        self.scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", str(port))
        more = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
        self.worker = self.start("worker", self.address, *more)

    def start(self, word, *more):
        words = [sys.executable, "-m", "dask", word, "--no-dashboard", *more]
        return subprocess.Popen(words, stdout=self.log, stderr=subprocess.STDOUT)


@pytest.fixture
def processes(tmp_path):
    started = Dask(tmp_path)
    with distributed.Client(started.address, timeout=60) as client:
        client.wait_for_workers(1, timeout=60)
    yield started
    for process in (started.worker, started.scheduler):
        process.kill()
        process.wait()
    started.log.close()


def run(place, out, *more, main=evaluate.main):
    toml = place / "tiny.toml"
    arguments = ["--clips", place / "clips", "--networks", f"{toml},{toml}:norecover"]
    return main([str(word) for word in (*arguments, "--out", out, *more)])


def kept(out):
    """File -> boxes and hash of all results below a folder."""
    files = sorted(out.glob("boxes/*/*.json"))
    results = {path.relative_to(out): json.loads(path.read_text()) for path in files}
    return {name: (result["boxes"], result["key"]) for name, result in results.items()}


def in_thread(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


def signal_one(workers, number, reached):
    """Send a signal to the first worker that has a task; its process is added to a list."""
    while not reached:
        for nanny in list(workers.workers.values()):
            state = workers.scheduler.workers.get(nanny.worker_address)
            if state is not None and state.processing:
                os.kill(nanny.pid, number)
                reached.append(nanny.pid)
                return
        time.sleep(0.001)


def kill_after_a_result(out, process):
    while not kept(out):
        time.sleep(0.01)
    process.kill()


@slow
def test_a_killed_worker_changes_no_box(three, place, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    assert run(place, here) == 0
    in_thread(signal_one, three, signal.SIGKILL, [])
    assert run(place, there, "--cluster", three.scheduler_address) == 0
    assert kept(there) == kept(here) and len(kept(here)) == 8
    assert three.scheduler.task_prefixes["run_pair"].suspicious >= 1  # it had a task


@slow
def test_the_tasks_of_a_stopped_worker_are_done_by_others(
    three, place, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(cluster, "PATIENCE_S", 4)
    here, there, stopped = tmp_path / "here", tmp_path / "there", []
    assert run(place, here) == 0
    in_thread(signal_one, three, signal.SIGSTOP, stopped)
    began_s = time.monotonic()
    try:
        assert run(place, there, "--cluster", three.scheduler_address) == 0
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)
    assert kept(there) == kept(here) and len(kept(here)) == 8 and stopped
    assert time.monotonic() - began_s < 60
    assert "gives no sign for 4 s; others follow its clips" in "".join(capsys.readouterr())


@slow
def test_long_films_are_judged_as_on_one_computer(three, place, tmp_path, capsys):
    results = []
    for more in ([], ["--cluster", three.scheduler_address]):
        out = tmp_path / str(len(more))
        more = ["--films", place / "films.json", *more]
        assert run(place, out, *more, main=presence.main) == 0
        tables = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
        results.append((tables, kept(out / "development")))
    assert results[0] == results[1] and len(results[0][1]) == 2


class Deadly:
    """A clip that kills every process that reads it."""

    name, sha256 = "deadly", "0"

    def in_memory(self, most_bytes):
        os.kill(os.getpid(), signal.SIGKILL)


class BrokenWorker(Deadly):
    name = "broken"

    def in_memory(self, most_bytes):
        raise OSError("no such disk")


@slow
def test_a_clip_that_kills_every_worker_costs_no_other_clip(place, tmp_path):
    """On one worker, where the next clip waits while the first kills it, and is blamed at first."""
    specs = trackers.specs([str(place / "tiny.toml")], Options(threads=1))
    clips = find_clips([place / "clips"])
    (changed,) = find_clips([write_clip(tmp_path / "changed", *tiny.film(9))])
    assert changed.sha256  # of the pictures as they are now
    changed.paths[3].write_bytes(changed.paths[4].read_bytes())
    given = [Deadly(), *clips, BrokenWorker(), changed]
    with local_cluster(1) as workers:
        address = workers.scheduler_address
        failures = dict(runs.run_missing(specs, given, tmp_path, 1, address))
    assert set(failures) == {"deadly", "broken", "changed"} and len(kept(tmp_path)) == 4
    assert "all 2 workers that followed it with tiny died" in failures["deadly"]
    assert "no such disk" in failures["broken"]
    assert "other files" in failures["changed"]


@slow
@pytest.mark.parametrize(
    "dies, messages", [("worker", "no worker"), ("scheduler", "no Dask scheduler")]
)
def test_what_is_done_is_kept_when_the_cluster_dies(
    processes, dies, messages, place, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(cluster, "PATIENCE_S", 3)
    in_thread(kill_after_a_result, tmp_path, getattr(processes, dies))
    assert run(place, tmp_path, "--cluster", processes.address) == 2
    *before, sentence = capsys.readouterr().err.splitlines()
    assert messages in sentence and "the same command goes on" in sentence and len(before) == 1
    done = kept(tmp_path)
    assert 1 <= len(done) < 8
    assert run(place, tmp_path) == 0
    assert len(kept(tmp_path)) == 8 and kept(tmp_path).items() >= done.items()


@pytest.fixture
def worker():
    """The address of a cluster whose one worker is a thread here."""

    def start(threads=1):
        own = dict(n_workers=1, threads_per_worker=threads, processes=False)
        started.append(distributed.LocalCluster(**own, dashboard_address=None))
        return started[-1].scheduler_address

    started = []
    yield start
    for each in started:
        each.close()


def test_a_worker_that_is_not_as_this_computer_gets_no_task(
    worker, place, tmp_path, capsys, monkeypatch
):
    """Nor does one that comes later, which each task asks."""
    address, condition = worker(), cluster.condition

    def here(spec):  # of the thread, since the worker is in this process
        return {**condition(spec), "Hotpath": threading.current_thread().name[:4]}

    monkeypatch.setattr(cluster, "condition", here)
    for _ in range(2):
        assert run(place, tmp_path, "--cluster", address) == 2
        assert ", and this computer Main; make them the same" in capsys.readouterr().err
        monkeypatch.setattr(cluster, "_check_workers", lambda *given: None)
    assert not kept(tmp_path)


def test_a_worker_that_runs_several_tasks_at_once_is_refused(worker, place, tmp_path, capsys):
    assert run(place, tmp_path, "--cluster", worker(threads=2)) == 2
    assert "runs 2 tasks at once; start it with --nthreads 1" in capsys.readouterr().err


@pytest.mark.parametrize("stranger", [True, False])
def test_an_address_without_a_scheduler_is_said_soon(
    stranger, place, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(cluster, "ANSWER_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not stranger:
            server.close()
        assert run(place, tmp_path, "--cluster", f"tcp://127.0.0.1:{port}") == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "no Dask scheduler answers" in sentence and "start `dask scheduler`" in sentence


def test_without_dask_a_sentence_names_the_extra(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert run(place, tmp_path, "--cluster", "tcp://127.0.0.1:9") == 2
    assert "lab" in capsys.readouterr().err.split("run `")[1]
