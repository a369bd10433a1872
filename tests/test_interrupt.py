"""Ctrl-C while a program of ours is still imported."""

import os
import sys

import pytest

from tests.support import ROOT, run

INTERRUPTS = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["AT"]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""


COMMAND = "import sys; sys.argv[0] = 'hotpath'; from hotpath.__main__ import main; sys.exit(main())"
HOOK = """
import sys
def reporter(kind, error, traceback):
    print("reported", kind.__name__)
sys.excepthook = reporter
"""


@pytest.mark.parametrize(
    "words", [["-m", "hotpath", "track"], ["-c", COMMAND, "track"]], ids=["module", "console"]
)
@pytest.mark.parametrize(
    "at", ["hotpath.app.command", "numpy", "cv2", "hotpath.app.option_records"]
)
def test_ctrl_c_while_a_program_is_imported_shows_no_traceback(tmp_path, at, words):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTS)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = dict(os.environ, PYTHONPATH=path, AT=at)
    command = [sys.executable, *words, "--video", "none.mp4"]
    done = run(command, cwd=str(tmp_path), env=environment)
    assert done.returncode in (130, -2)
    assert "Traceback" not in done.stderr and "none.mp4" not in done.stderr


@pytest.mark.parametrize("words", [["-m", "app"], ["app/__main__.py"], ["app/hotpath"]])
@pytest.mark.parametrize("fault", ["KeyboardInterrupt", "ValueError"])
def test_the_crash_reporter_of_a_users_program_stays(tmp_path, words, fault):
    (tmp_path / "app").mkdir()
    for name in ("__main__.py", "hotpath"):
        (tmp_path / "app" / name).write_text(HOOK + f"import hotpath\nraise {fault}\n")
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))
    done = run([sys.executable, *words], cwd=str(tmp_path), env=environment)
    assert done.stdout.split() == ["reported", fault], done.stderr


def test_our_own_program_asks_the_former_hook(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]))
    code = "import hotpath.__main__; raise ValueError"
    done = run([sys.executable, "-c", code], env=environment)
    assert done.stdout.split() == ["reported", "ValueError"]
