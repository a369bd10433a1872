"""The tutorials, executed from their own text in a checkout that is set up."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from tests.support import ROOT
from tests.support.checkout import CLIP, copy_to, readers, run, set_up
from tests.support.fences import blocks
from tests.support.needs import skip

FOLDER = ROOT / "docs" / "tutorials"
NOT_RUN = {"on the board", "on the vehicle", "with Vivado", "with your clips", "once"}
NOT_RUN.add("from your computer")
BOX_LINE = re.compile(r"(\d+ ){4}(tracked|unsure|lost)")
NEAR_PX = 3  # boxes differ by precision and processor
STAND_IN = "a stand-in prints"  # checked in test_transcripts.py
NEEDS = {  # tutorial: what its commands need beside the libraries of `make setup`
    "new-board": "pnnx",
    "drone": "pymavlink",
    "pynq": "hotpath_fpga",
}
NETWORK = ("make track", "make setup")  # they download; tests/test_readme.py runs them
pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.skipif(sys.version_info < (3, 10), reason="make needs Python 3.10"),
]
TUTORIALS = sorted(path.stem for path in FOLDER.glob("*.md"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    if not (ROOT / CLIP).exists():
        skip(CLIP, "make track")
    folder = tmp_path_factory.mktemp("tutorials")
    copy_to(folder)
    set_up(folder)
    return folder


def shape(line):
    """A line without its numbers and its runs of blanks."""
    return re.sub(r"[\d.]+", "#", " ".join(line.split()))


def agrees(line, printed):
    """Whether a printed line is the tutorial's: the same words, and boxes within ``NEAR_PX``."""
    if shape(line) not in shape(printed):
        return False
    if not BOX_LINE.fullmatch(line.strip()):
        return True
    pairs = zip(line.split()[:4], printed.split()[:4])
    return all(abs(float(one) - float(other)) <= NEAR_PX for one, other in pairs)


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_says_which_commands_are_not_run(name):
    for kind, title, _ in blocks(FOLDER / f"{name}.md"):
        assert kind in ("sh", "python", "toml", "text")
        if kind == "sh" and title:
            assert title in NOT_RUN | {"first terminal"}


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_does_what_it_says(name, checkout):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    printed = ""
    others = []
    try:
        for kind, title, text in blocks(FOLDER / f"{name}.md"):
            if kind == "text" and title:
                assert title == STAND_IN or title.startswith("such as")
            elif kind == "text":
                for line in text.splitlines():
                    lines = printed.splitlines()
                    assert any(agrees(line, there) for there in lines), f"{line}\n{printed}"
            elif kind != "sh":
                (checkout / title).write_text(text, encoding="utf-8")
            elif title == "first terminal":
                command = ["bash", "-c", "exec " + text]
                others.append(subprocess.Popen(command, cwd=checkout, env=readers()))
            elif not title:
                told = "\n".join(one for one in text.splitlines() if not one.startswith(NETWORK))
                printed = run(checkout, told)
    finally:
        for process in others:
            os.kill(process.pid, signal.SIGINT)
            process.wait(60)
        shutil.rmtree(checkout / "engines", ignore_errors=True)
