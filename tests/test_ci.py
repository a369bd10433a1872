"""What .ci/run says of tests that fail."""

import datetime
import os
import subprocess

import pytest

from tests.support import ROOT

MAKE = """#!/bin/sh
case "$PYTEST_ADDOPTS" in
*last-failed*) {again} ;;
*) echo 'FAILED tests/a.py::test_busy[1 - 2] - TimeoutError: 3 s'
   echo 'FAILED tests/a.py::test_broken - AssertionError'
   echo 'ERROR tests/b.py::test_port'; exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    "again, names, status",
    [
        ("echo 3 passed", ["a.py::test_broken", "a.py::test_busy[1 - 2]", "b.py::test_port"], 0),
        (
            "echo FAILED tests/a.py::test_broken - no; exit 1",
            ["a.py::test_busy[1 - 2]", "b.py::test_port"],
            1,
        ),
        ("echo no tests; exit 2", [], 1),
    ],
)
def test_a_test_that_passes_alone_is_written_down_with_its_date(tmp_path, again, names, status):
    text = (ROOT / ".ci" / "run").read_text()
    functions = text[text.index("failures() {") : text.index("export -f check")]
    (tmp_path / "make").write_text(MAKE.format(again=again))
    (tmp_path / "make").chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", functions + "check test >/dev/null && exit 0 || exit 1"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "unsteady": "unsteady.txt"},
        cwd=str(tmp_path),
    )
    assert done.returncode == status
    path = tmp_path / "unsteady.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    today = datetime.date.today().isoformat()
    assert lines == [f"{today} tests/{name}" for name in names]
