"""The commands and the program of README.md run as written, in a fresh checkout."""

import csv
import os
import sys

import pytest

from tests import support
from tests.support import ROOT, tiny
from tests.support.checkout import copy_to, run, set_up
from tests.support.fences import blocks

pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.skipif(sys.version_info < (3, 10), reason="make needs Python 3.10"),
]
FRAMES = 12
ACTIVATED = 'PATH="$PWD/.venv/bin:$PATH"; '
NEEDS = ("cam0", "make engine", "make test", "ALSO=")  # a camera, a board, minutes, the network


def written(language):
    """The code blocks of one language; that of commands is empty."""
    return [text for kind, _, text in blocks(ROOT / "README.md") if kind == language]


@pytest.fixture(
    scope="module",
    params=["set up", pytest.param("fresh", marks=pytest.mark.slow("it installs 500 MB"))],
)
def checkout(request, tmp_path_factory):
    """A copy of the files that git knows, with a video and a network of the user's own.

    It is fresh, or set up already: then it has this Python's libraries.
    """
    folder = tmp_path_factory.mktemp("readme")
    copy_to(folder)
    tiny.write_video(folder / "drone.mp4", tiny.film(FRAMES, width=640, height=480, side=90)[0])
    for name in ("kestrel.toml", "kestrel_exemplar.onnx", "kestrel_search.onnx"):
        own = folder / name.replace("kestrel.toml", "mine.toml")
        own.write_bytes((ROOT / "hotpath" / "runtime" / "networks" / name).read_bytes())
    if request.param == "set up":
        set_up(folder)
    return folder


def test_every_command_runs_as_it_is_written(checkout):
    lines = "".join(written("")).splitlines()
    ran = [
        line
        for line in lines
        if line and "pip install" not in line and not any(need in line for need in NEEDS)
    ]
    assert ran[0] == "make track"
    for command in ran:
        messages = run(checkout, ACTIVATED + command)
        if command == "make track":  # the rabbit's clip
            assert all(name in messages for name in ("out/track.csv", "out/track.mp4"))
            assert messages.splitlines()[-1].startswith("Next: make track VIDEO=")
            with open(str(checkout / "out" / "track.csv")) as file:
                rows = list(csv.DictReader(file))
            assert len(rows) == 132
            assert (checkout / "out" / "track.mp4").stat().st_size > 50000
    assert len((checkout / "boxes.csv").read_text().splitlines()) == FRAMES + 1


def test_the_program_prints_a_box_for_each_frame(checkout):
    (program,) = written("python")
    (checkout / "own.py").write_text(program)
    printed = run(checkout, ".venv/bin/python own.py").splitlines()
    states = ("tracked", "unsure", "lost")
    assert sum(line.endswith(states) for line in printed) == FRAMES


@pytest.mark.slow("it installs into the environment")
def test_the_page_extra_keeps_the_install_editable(checkout):
    if (checkout / ".venv" / "lib").is_symlink():
        pytest.skip("this environment is another checkout's")
    run(checkout, "make setup ALSO=page")
    code = "import hotpath, aiohttp, os; print(os.path.realpath(hotpath.__file__))"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = support.run([checkout / ".venv/bin/python", "-c", code], cwd="/", env=environment)
    assert done.stdout.strip() == str(checkout / "hotpath" / "__init__.py")
