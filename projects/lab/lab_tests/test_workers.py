"""Clips are shared out to processes that end with the command that started them."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from unittest.mock import Mock

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


def test_a_computer_whose_processes_share_no_memory_is_named(monkeypatch):
    fails = Mock(side_effect=OSError(38, "Function not implemented"))
    monkeypatch.setattr(type(multiprocessing.get_context("spawn")), "Lock", fails)
    monkeypatch.setattr(workers, "usable_cores", lambda: 2)
    with pytest.raises(BadRun, match="Function not implemented.*mount /dev/shm"):
        list(over_clips(time.localtime, [(clip, ()) for clip in CLIPS], 2))


def test_a_clip_that_fails_is_told_and_the_others_are_done():
    def function(number):
        if number == 1:
            raise BadRun("broken")

    done = list(over_clips(function, [(clip, (n,)) for n, clip in enumerate(CLIPS)], 1))
    assert [str(error or "") for _, error in done] == ["", "broken", "", "", ""]
