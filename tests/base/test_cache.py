"""Two processes that write one file leave it whole."""

import os
import subprocess
import sys
import threading

import pytest

from hotpath.base import cache
from tests.support import ROOT

NOBODY = """import pwd
def no_entry(number):
    raise KeyError(number)
pwd.getpwuid = no_entry
"""
WITHOUT_HOME = [
    "import hotpath.base.cache, pathlib; pathlib.Path.home()",
    "from hotpath.deploy.bundles.engines import tensorrt; assert tensorrt.CACHE",
    "from hotpath.base import broken_libraries as b; assert b.why_broken('openvino') is None",
    "from hotpath.boards import detect, installed; installed.find_installed(detect.Root('/'))",
]


@pytest.mark.parametrize("code", WITHOUT_HOME)
def test_a_user_without_an_entry_and_a_home_is_served(tmp_path, code):
    (tmp_path / "sitecustomize.py").write_text(NOBODY)
    words = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=words, stderr=subprocess.PIPE, universal_newlines=True
    )
    assert done.returncode == 0, done.stderr


def test_writers_of_one_file_never_meet(tmp_path):
    path = tmp_path / "a.json"
    (tmp_path / "precious").write_text("kept")
    os.symlink(tmp_path / "precious", tmp_path / "a.json.part")
    failed = []

    def write(text):
        try:
            for _ in range(50):
                cache.write_text(path, text * 1000)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(set(path.read_text())) == 1
    assert (tmp_path / "precious").read_text() == "kept"
    assert not path.stat().st_mode & 0o111 and path.stat().st_mode & 0o400
