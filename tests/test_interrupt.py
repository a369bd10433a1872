"""Ctrl-C while a program of ours is still imported."""

import os
import subprocess
import sys

import pytest

from tests.support import ROOT

INTERRUPTS = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["AT"]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("words", [["-m", "hotpath.app"], ["-m", "hotpath", "track"]])
@pytest.mark.parametrize("at", ["numpy", "cv2", "hotpath.runtime.errors"])
def test_ctrl_c_while_a_program_is_imported_shows_no_traceback(tmp_path, at, words):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTS)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = dict(os.environ, PYTHONPATH=path, AT=at)
    command = [sys.executable, *words, "--video", "none.mp4"]
    done = subprocess.run(command, cwd=str(tmp_path), env=environment, stderr=subprocess.PIPE)
    assert done.returncode in (130, -2)
    assert b"Traceback" not in done.stderr and b"none.mp4" not in done.stderr
