"""The commands and the program of README.md run as written, in a fresh checkout."""

import csv
import os
import re
import subprocess
import sys

import pytest

from tests.support import ROOT, tiny
from tests.support.checkout import copy_to, run, set_up

pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.skipif(sys.version_info < (3, 10), reason="make needs Python 3.10"),
]
NEEDS = ("cam0", "python3 -m boards", "make engine", "ALSO=")  # a camera, a board, the network


def blocks(language):
    """The code blocks of one language; that of commands is empty."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for kind, block in found if kind == language]


def commands():
    """The commands of the code blocks."""
    return [line for block in blocks("") for line in block.splitlines() if line]


@pytest.fixture(
    scope="module",
    params=["set up", pytest.param("fresh", marks=pytest.mark.slow("it installs 1 GB"))],
)
def checkout(request, tmp_path_factory):
    """A copy of the files that git knows, with a video and a network of the user's own.

    It is fresh, or set up already: then it has this Python's libraries.
    """
    folder = tmp_path_factory.mktemp("readme")
    copy_to(folder)
    video = pytest.importorskip("tests.runtime.test_track").write_video
    pictures, _ = tiny.film(30, width=1280, height=720, side=90)
    video(folder / "drone.mp4", pictures)
    for name in ("kestrel.toml", "kestrel_exemplar.onnx", "kestrel_search.onnx"):
        own = folder / name.replace("kestrel.toml", "mine.toml")
        own.write_bytes((ROOT / "runtime" / "networks" / name).read_bytes())
    if request.param == "set up":
        set_up(folder)
    return folder


def test_every_command_runs_as_it_is_written(checkout):
    ran = [line for line in commands() if not any(need in line for need in NEEDS)]
    assert len(ran) >= 5 and ran[0] == "make track"
    for command in ran:
        run(checkout, command)
        if command == "make track":  # the face's clip
            with open(str(checkout / "out" / "track.csv")) as file:
                rows = list(csv.DictReader(file))
            assert len(rows) == 120
            assert (checkout / "out" / "track.mp4").stat().st_size > 50000
    assert len((checkout / "boxes.csv").read_text().splitlines()) == 31


def test_the_program_prints_a_box_for_each_frame(checkout):
    (program,) = blocks("python")
    assert sum(bool(line.strip()) for line in program.splitlines()) <= 8
    (checkout / "own.py").write_text(program)
    printed = run(checkout, ".venv/bin/python own.py").splitlines()
    states = ("tracked", "unsure", "lost", "found")
    assert sum(line.endswith(states) for line in printed) == 29


def test_a_video_with_a_quote_and_a_blank_in_its_name_is_tracked(checkout):
    os.rename(str(checkout / "drone.mp4"), str(checkout / "it's a drone.mp4"))
    run(checkout, 'make track VIDEO="it\'s a drone.mp4" BOX=40%,30%,10%,20%')


@pytest.mark.slow("it installs into the environment")
def test_the_page_extra_keeps_the_install_editable(checkout):
    if (checkout / ".venv" / "lib").is_symlink():
        pytest.skip("this environment is another checkout's")
    run(checkout, "make setup ALSO=page")
    code = "import runtime, aiohttp; print(runtime.__file__)"
    done = subprocess.run(
        [str(checkout / ".venv/bin/python"), "-c", code],
        cwd="/",
        stdout=subprocess.PIPE,
        universal_newlines=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )
    assert done.stdout.strip() == str(checkout / "runtime" / "__init__.py")
