"""Every program and every command of a page exists: programs run, and commands are parsed.

A program is a block of Python. It runs in a folder with a film, and with a camera. A command is
read by the parser of its own program, which ends there; ``make`` says what it would do. Beside
that, ``test_pages`` and ``tests/test_readme.py`` run the commands of blocks. A
command in a sentence that lacks what its program requires ends with an ellipsis, or is the name of
the program alone.
"""

import functools
import os
import re
import shlex
import subprocess
import sys

import pytest

from release_tests.test_documents import CODE, documents
from release_tests.test_examples import scene
from tests.support import ROOMS, ROOT, run, tiny
from tests.support.checkout import readers
from tests.support.fences import blocks, commands
from tests.support.needs import COMPILER, lacks, why_no_module, why_no_program
from tests.support.streams.camera import FakeCamera, compiler

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="documents are read off a board")
OWN = ("hotpath", *ROOMS, "tests")
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)( in a checkout of commit)?")
NOT_RUN = {  # blocks of Python
    "station.py": "test_pages runs it beside the camera of a drone",
    "split.py": "test_pages runs it behind the command that writes its boxes",
}
NOT_PARSED = {  # modules without options, which would do their work
    "tests.support.shipped": "it writes tests/shipped.json",
    "venv": "it is Python's own",
}
AT_ONCE = {  # commands with an option that does its work while it is parsed
    "python -m hotpath_research.train --plot RUN...": "it draws the curves of a run",
}
PROGRAM = re.compile(r"(?:^|[\s'(])(hotpath [a-z]+(?:\s.*)?$|python3? -m [\w.]+.*)")
MAKE = re.compile(r"make [a-zA-Z].*")
MISSING = re.compile(r"(?:No module named '|needs the package |needs projects/)(\w+)")
LACKS = re.compile("required: |expected (one|at least one) argument")


def pages():
    return [path for path in documents() if path.name != "CHANGELOG.md"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what the programs of the pages open."""
    folder = tmp_path_factory.mktemp("calls")
    tiny.write_video(folder / "drone.mp4", [scene()] * 4)
    (folder / ".cache").mkdir()
    film = tiny.film(4, width=1280, height=720, side=120)[0]
    tiny.write_video(folder / ".cache" / "bigbuckbunny.mp4", film)
    return folder


def programs():
    """(page, title, text) of each block of Python."""
    several = [(path, *block) for path in pages() for block in blocks(path)]
    return [
        pytest.param(text, title, id=f"{path.relative_to(ROOT)} {title or number}")
        for number, (path, kind, title, text) in enumerate(several)
        if kind in ("python", "py") and title not in NOT_RUN
    ]


@pytest.mark.parametrize("text, title", programs())
def test_every_program_of_a_page_runs(text, title, place, tmp_path):
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    if "cam0" in text:  # a driver of V4L2 that the program loads in place of the kernel's
        if compiler() is None:
            pytest.skip(lacks(*COMPILER))
        environment.update(FakeCamera(tmp_path, [scene()] * 2, number=0).environment())
    words = [sys.executable, "-u", "-c", text]
    program = subprocess.Popen(words, cwd=str(place), env=environment, stdout=subprocess.PIPE)
    try:
        if "cam0" in text:  # which has no end
            for _ in range(5):
                assert program.stdout.readline().startswith(b"Box(x=")
        else:
            program.communicate(timeout=120)
            assert program.returncode == 0
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def inline(path):
    """The inline code of a page, but for commands of older commits."""
    text = CODE.sub("", path.read_text(encoding="utf-8"))
    return [" ".join(code.split()) for code, is_older in INLINE.findall(text) if not is_older]


@functools.lru_cache(maxsize=1)
def lines():
    """{line: page} of the commands of all blocks and in all sentences."""
    found = {}
    for path in pages():
        several = [text for kind, _, text in blocks(path) if kind in ("", "sh")]
        told = [line for text in several for line in commands(text)] + inline(path)
        values = dict(re.findall(r'^(\w+)="(.*)"$', "\n".join(several), re.MULTILINE))
        for line in told:
            for name, value in values.items():
                line = line.replace(f'"${name}"', shlex.quote(value)).replace(f"${name}", value)
            found.setdefault(line, str(path.relative_to(ROOT)))
    return found


def words_of(command):
    """The words of a command, without an ellipsis and what follows a pipe; N is a number."""
    plain = re.split(r"\s[|>&]|\)", re.sub(r"…|\.\.\.", "", command))[0]
    if plain.count("'") % 2:  # the end of what a quote before it began
        plain = plain[: plain.rindex("'")]
    words = ["9" if word == "N" else word for word in shlex.split(plain)]
    return words if words[0] in ("hotpath", "make") else words[2:]


def is_name(words):
    """Whether a command is the name of a program, or of a part of one."""
    return all(re.fullmatch(r"[a-z_][\w.]*", word) for word in words)


def asked():
    """(line, words) of each command that is parsed."""
    found = [(line, words_of(one)) for line in lines() for one in PROGRAM.findall(line)]
    assert set(AT_ONCE) <= {line for line, _ in found}
    return [
        pytest.param(line, words, id=" ".join(words[:4]))
        for line, words in found
        if words[0] not in NOT_PARSED and words != ["hotpath"] and line not in AT_ONCE
    ]


@pytest.mark.parametrize("line, words", asked())
def test_every_command_of_a_page_is_understood_by_its_program(line, words, tmp_path):
    folders = [ROOT, *(path.parent for path in ROOT.glob("projects/*/pyproject.toml"))]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, folders)))
    command = [sys.executable, "-m", "release_tests.parsed", *words]
    done = run(command, cwd=str(tmp_path), env=environment)
    messages = done.stdout + done.stderr
    missing = re.search(MISSING, messages)
    if missing and not missing[1].startswith(OWN):
        pytest.skip(why_no_module("torch" if missing[1] == "research" else missing[1]))
    is_part = is_name(words) or "…" in line or "..." in line
    lacks_more = is_part and LACKS.search(messages)
    assert not done.returncode or lacks_more, f"{lines()[line]}: {line}: {messages}"


@pytest.mark.skipif(bool(why_no_program("make")), reason=why_no_program("make"))
def test_every_target_of_make_that_a_page_names_exists():
    wrong = []
    for line, page in lines().items():
        for command in MAKE.findall(line) if line.startswith("make ") else ():
            words = ["make", "-n", "--no-print-directory", *words_of(command)[1:]]
            done = run(words, cwd=str(ROOT), env=readers())
            if done.returncode:
                wrong.append(f"{page}: {line}: {done.stderr}")
    assert not wrong, "\n".join(wrong)
