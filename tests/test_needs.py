"""What tests need is installed by ``make test``, or a table names what brings it."""

import importlib.util
import pathlib
import re
import sys
from types import SimpleNamespace

import pytest

from tests.support import ROOT, needs

OTHERS = ("tests", "tomllib")  # a helper of the tests, and a part of Python 3.11
ASKED = re.compile(r'importorskip\(\s*"(\w+)')


@pytest.mark.skipif(
    pathlib.Path(sys.prefix) != ROOT / ".venv", reason="this environment is not that of make test"
)
def test_make_test_installs_all_libraries_but_the_large_ones():
    asked = set()
    for path in (ROOT / "tests").rglob("*.py"):
        asked.update(ASKED.findall(path.read_text(encoding="utf-8")))
    wanted = {name for name in asked if name not in needs.COMMANDS and name not in OTHERS}
    assert {"av", "aiohttp", "simplejpeg"} <= wanted
    assert not [name for name in sorted(wanted) if importlib.util.find_spec(name) is None]


def skipped(nodeid, reason):
    return SimpleNamespace(nodeid=nodeid, longrepr=("a.py", 1, "Skipped: " + reason))


def test_the_table_counts_waiting_tests_and_names_the_command():
    torch = "could not import 'torch': No module named 'torch'"
    reports = [
        skipped("tests/test_needs.py", torch),  # the whole file, as collected
        skipped("tests/a.py::test_a", torch),
        skipped("tests/a.py::test_b", needs.lacks("xdotool", "apt install xdotool")),
        skipped("tests/a.py::test_c", "an NVIDIA GPU"),
    ]
    rows = [re.split("  +", line.strip()) for line in needs.table(reports)]
    functions = len(re.findall("^def test_", pathlib.Path(__file__).read_text(), re.MULTILINE))
    assert rows[1:] == [
        [str(functions + 1), "torch", "make setup ALSO=research"],
        ["1", "xdotool", "apt install xdotool"],
        ["1", "an NVIDIA GPU"],
    ]


def test_a_missing_program_names_the_package_that_brings_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert needs.why_no_program("Xvfb") == needs.lacks("Xvfb", "apt install xvfb")
    assert "g++" in needs.why_no_compiler()
    with pytest.raises(pytest.skip.Exception, match="apt install openssh-server"):
        needs.needs_program("sshd")
