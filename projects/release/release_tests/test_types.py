"""README's and the pages' programs have the types that editors and type checkers see."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import venv

import pytest

from tests.support import ROOT
from tests.support.fences import blocks

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# a program that uses the package, and not the parts of it that a tutorial adds to
OWN = re.compile(r"^(import hotpath|from hotpath import)", re.MULTILINE)
EXAMPLE = ROOT / "docs" / "examples" / "drone.py"
# What a program may do with a track: one that a detector has to find may be None.
RIGHT = """\
import hotpath
from hotpath import Bearing, Box, Targets, Track, Tracker
from hotpath.interop import opencv


def middle(track: Track) -> float:
    box: Box = track.box
    return box.x + box.w / 2


def right(there: Bearing, tracker: Tracker, targets: Targets) -> float:
    tracker.suggest((1, 2, 30, 40))
    tracker.suggest([(1, 2, 30, 40), (5.5, 6, 30, 40)])
    tracker.confirm()
    targets.suggest(0, (1, 2, 30, 40))
    targets.confirm(0)
    return there.right + opencv.Tracker("kestrel").track.box.w


for frame, track in hotpath.track(0, point=(3, 4), threads=2):
    print(track.state, frame.bgr())
for frame, found in hotpath.track("a.mp4", detector="yolox_nano", classes=["person"]):
    print(found.box if found is not None else None)
"""
WRONG = """\
import hotpath

for frame, found in hotpath.track("a.mp4", detector="yolox_nano"):
    print(found.box)
hotpath.load_tracker("kestrel", thread=2)
hotpath.load_targets().speed()
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A folder with a file for each program; it lies outside of the clone."""
    folder = tmp_path_factory.mktemp("programs")
    for page in PAGES:
        name = "_".join(page.relative_to(ROOT).with_suffix("").parts).replace("-", "_")
        for number, (kind, _, text) in enumerate(blocks(page)):
            if kind in ("python", "py") and OWN.search(text):
                (folder / f"{name}_{number}.py").write_text(text)
    shutil.copy(str(EXAMPLE), str(folder / EXAMPLE.name))
    (folder / "right.py").write_text(RIGHT)
    (folder / "wrong.py").write_text(WRONG)
    (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT))
    return folder


# strict, but for what NumPy and cv2 do not say, and for values that a program only shows
UNKNOWN = ("Member", "Variable", "Argument", "Parameter")
PYRIGHT = {f"reportUnknown{what}Type": False for what in UNKNOWN}
PYRIGHT = {"strict": ["."], "reportMissingTypeStubs": False, **PYRIGHT}


def mypy(python, folder, names):
    pytest.importorskip("mypy")
    words = ["-m", "mypy", "--strict", "--no-incremental", "--show-traceback"]
    words += ["--python-executable", python, *names]
    return run([sys.executable, *words], folder)


def pyright(python, folder, names):
    """It needs node, which it does not bring."""
    pytest.importorskip("pyright")
    if shutil.which("node") is None:
        pytest.skip("no node: apt install nodejs")
    return run([sys.executable, "-m", "pyright", "--pythonpath", python, *names], folder)


def run(words, folder):
    words = list(map(str, words))
    done = subprocess.run(words, cwd=str(folder), stdout=-1, stderr=-1, universal_newlines=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow("mypy reads NumPy's types; `make lint` runs it")
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_every_program_has_the_types_that_it_needs(programs, checker):
    names = sorted(path.name for path in programs.glob("*.py") if path.name != "wrong.py")
    assert len(names) > 3
    code, messages = checker(sys.executable, programs, names)
    assert code == 0, messages


@pytest.mark.slow("as above")
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_wrong_program_is_noticed(programs, checker):
    code, messages = checker(sys.executable, programs, ["wrong.py"])
    assert code and all(word in messages for word in ("box", "thread", "speed")), messages


@pytest.mark.slow("builds a wheel")
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_wheel_tells_its_types_too(programs, checker, tmp_path):
    words = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT]
    code, messages = run(words, tmp_path)
    assert code == 0, messages
    home = tmp_path / "venv"
    venv.create(str(home), with_pip=False)
    (own,) = home.glob("lib/python*/site-packages")
    # NumPy and OpenCV of this environment, without the clone
    (theirs,) = {p for p in map(pathlib.Path, sys.path) if (p / "numpy").is_dir()}
    for name in ("numpy", "cv2", "typing_extensions.py"):
        (own / name).symlink_to(theirs / name)
    words = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", own]
    code, messages = run([*words, *tmp_path.glob("*.whl")], tmp_path)
    assert code == 0, messages
    names = ["README_2.py", "right.py", EXAMPLE.name]
    names = [name for name in names if (programs / name).exists()]
    code, messages = checker(home / "bin" / "python", programs, names)
    assert code == 0, messages
