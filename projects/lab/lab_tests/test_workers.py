"""Clips are shared out to processes that end with the command that started them."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from hotpath.calib.errors import BadRun
from hotpath_lab import workers
from hotpath_lab.workers import over_clips
from tests.support import ROOT
from tests.support.needs import needs_processes

CLIPS = [["frame"] * 3] * 5


@pytest.fixture(autouse=True)
def processes():
    needs_processes()


def test_there_are_no_more_processes_than_cores_and_clips():
    cores = len(os.sched_getaffinity(0))
    todo = [(clip, ()) for clip in CLIPS]
    most = 0
    for _, error in over_clips(time.localtime, todo, 99999):
        assert error is None
        most = max(most, len(spawned()))
    assert most <= min(cores, len(CLIPS)) and (most or cores == 1)


def spawned():
    """The processes that this one has started by multiprocessing, without its tracker."""
    children = psutil.Process().children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


CODE = """
import os, time
os.sched_getaffinity = lambda _: {0, 1}
from hotpath_lab.workers import over_clips
print("ready", flush=True)
list(over_clips(time.sleep, [(["frame"], (60,))] * 2, 2))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_processes_end_with_the_command(number):
    command = subprocess.Popen([sys.executable, "-c", CODE], cwd=str(ROOT), stdout=subprocess.PIPE)
    command.stdout.readline()
    parent, deadline = psutil.Process(command.pid), time.monotonic() + 20
    while len(parent.children()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = parent.children()
    command.send_signal(number)
    command.wait(30)  # not for the clips
    assert psutil.wait_procs(workers, 5)[1] == []
    command.stdout.close()


def two_turns(clip):
    """Follow a clip twice, as two trackers do, and tell how far the bar is then."""
    counted = workers.Counted(clip, 2)
    seen = []
    for _ in range(2):
        seen += [workers._done.value for _ in counted]
    assert len(seen) == 2 * len(clip)
    assert seen[-1] == seen[0] + len(clip) - 0.5


def test_a_computer_whose_processes_share_no_memory_is_named(monkeypatch):
    def fails(*_):
        raise OSError(38, "Function not implemented")

    context = workers.multiprocessing.get_context("spawn")
    monkeypatch.setattr(type(context), "Value", fails)
    with pytest.raises(BadRun, match="Function not implemented.*mount /dev/shm"):
        list(over_clips(time.localtime, [(CLIPS[0], ())], 2))


def test_the_bar_moves_with_each_frame_of_each_tracker(monkeypatch):
    shown = []
    monkeypatch.setattr(workers, "_show", lambda bar, done: shown.append(done.value))
    monkeypatch.setattr(workers, "REDRAW_S", 0.001)
    todo = [(range(40), (range(40),)), (range(20), (range(20),))]
    done = list(over_clips(two_turns, todo, 1))
    assert [error for _, error in done] == [None, None]
    assert shown[-1] == 60
    assert sorted(shown) == shown


def test_frames_of_other_processes_move_the_bar(monkeypatch):
    shown = []
    monkeypatch.setattr(workers, "_show", lambda bar, done: shown.append(done.value))
    todo = [(range(5), (range(5),))] * 2
    assert len(list(over_clips(_counted, todo, 2))) == 2
    assert shown[-1] == 10


def _counted(clip):
    assert workers._done is not None, "the process has no counter"
    assert len(list(workers.Counted(clip, 1))) == 5
