"""The ring of pairs, and the processes that fill it."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("openvino")

from hotpath_research.train.bank import build_bank
from hotpath_research.train.films import write_tracks
from hotpath_research.train.pairs import Drawer
from hotpath_research.train.ring import Ring, held_layout, learnt_pair, start_writers, stop_writers
from hotpath_research.train.teacher import Teacher
from research_tests.training import TEACHER, write_training
from tests.support import ROOT

WRITE = """
import json, sys
from hotpath_research.train import ring
ring.write_pairs(json.loads(sys.argv[1]), 0)
"""


def job_in(tmp_path):
    """(what a process is told, a ring that is full and used)."""
    write_training(tmp_path)
    bank, teacher = build_bank(tmp_path / "bank", [tmp_path / "images"], []), Teacher(TEACHER)
    write_tracks(bank, teacher, tmp_path / "bank" / "films.npz", 0)
    ring = Ring(tmp_path / "ring", 8, teacher.channels)
    ring.stamps[:] = range(1, 9)
    ring.used = 100
    job = {"teacher": TEACHER, "networks_dir": None, "size": 8, "reuse": 1.0, "boxes": False}
    job.update(bank=str(tmp_path / "bank"), ring=str(tmp_path / "ring"), workers=1, seed=0)
    return {**job, "parent": os.getpid()}, ring


def test_the_teacher_sees_crops_without_the_cameras_effects(tmp_path):
    write_training(tmp_path)
    bank, teacher = build_bank(tmp_path / "bank", [tmp_path / "images"], []), Teacher(TEACHER)
    drawer, worse = Drawer(bank), 0
    for number in range(1, 30):
        pair = drawer.pair(np.random.default_rng([0, number, False]))
        learnt = learnt_pair(drawer, teacher, 0, number)
        np.testing.assert_array_equal(learnt["search"], pair.search)
        _, features = teacher.exemplar(pair.clear_exemplar)
        np.testing.assert_array_equal(learnt["exemplar_features"], features)
        worse += not np.array_equal(learnt["exemplar"], pair.clear_exemplar)
    assert worse > 3
    held = learnt_pair(drawer, teacher, 0, -1)
    assert held.keys() == held_layout(teacher.channels).keys()


def test_a_pair_that_was_not_finished_is_drawn_first(tmp_path):
    job, ring = job_in(tmp_path)
    ring.stamps[0] = ring.used = 0  # no pair is due, but this one was begun
    (writer,) = writers = start_writers(job)
    limit = time.monotonic() + 120
    while ring.filled() < 8:
        assert writer.is_alive() and time.monotonic() < limit
        time.sleep(0.01)
    os.kill(writer.pid, signal.SIGINT)  # Ctrl-C is for the training, which then ends the process
    writer.join(1.0)
    assert writer.is_alive() and ring.stamps.max() == 9
    stop_writers(writers)
    assert not writer.is_alive()


def test_a_process_whose_parent_went_before_it_began_ends(tmp_path):
    job, ring = job_in(tmp_path)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    job["parent"] = gone.pid
    done = subprocess.run(
        [sys.executable, "-c", WRITE, json.dumps(job)], cwd=str(ROOT), timeout=120
    )
    assert done.returncode == 0 and ring.stamps.max() == 8
