"""README's and the pages' programs have the types that editors and type checkers see."""

import re
import shutil
import sys

import pytest

from tests.support import ROOT, run
from tests.support.fences import blocks

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# a program that uses the package, and not the parts of it that a tutorial adds to
OWN = re.compile(r"^(import hotpath|from hotpath import)", re.MULTILINE)
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
# What a program may do with a track: one that a detector has to find may be None.
RIGHT = """\
import hotpath
import numpy
from hotpath import Bearing, Box, HotpathError, Targets, Track, Tracker
from hotpath.interop import opencv


def follow(frame: numpy.ndarray) -> None:
    try:
        with hotpath.load_tracker() as tracker:
            track = tracker.init(frame, (1, 2, 30, 40))
            print(track.box.xyxy, hotpath.draw(frame, tracker.update(frame)).shape)
    except HotpathError as error:
        print(error)


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
# The other examples need no types of their own, as programs of users.
EASIER = """[mypy]
strict = True
ignore_missing_imports = True
[mypy-{}]
disallow_untyped_defs = False
disallow_untyped_calls = False
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
    for example in EXAMPLES:
        shutil.copy(str(example), str(folder / example.name))
    others = [example.stem for example in EXAMPLES if example.stem != "drone"]
    (folder / "mypy.ini").write_text(EASIER.format(",".join(others)))
    (folder / "right.py").write_text(RIGHT)
    (folder / "wrong.py").write_text(WRONG)
    return folder


def check(folder, names):
    """mypy's exit code for some programs, and what it says."""
    pytest.importorskip("mypy")
    words = [sys.executable, *"-m mypy --no-incremental --show-traceback".split(), *names]
    done = run(words, cwd=str(folder))
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow("mypy reads NumPy's types; `make lint` runs it")
def test_every_program_has_the_types_that_it_needs(programs):
    names = sorted(path.name for path in programs.glob("*.py") if path.name != "wrong.py")
    assert len(names) > 3
    code, messages = check(programs, names)
    assert code == 0, messages


@pytest.mark.slow("as above")
def test_a_wrong_program_is_noticed(programs):
    code, messages = check(programs, ["wrong.py"])
    assert code and all(word in messages for word in ("box", "thread", "speed")), messages
