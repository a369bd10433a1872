"""What tests need is installed by ``make test``, or a table names what brings it."""

import importlib.util
import pathlib
import re
import sys

import pytest

from tests.support import ROOT, needs, thorough

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


def test_what_make_test_leaves_out_is_there():
    for name in thorough.names():
        path, function = name.partition("[")[0].split("::")
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), name
