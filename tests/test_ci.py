"""What .ci/run says of tests that fail."""

import os
import subprocess

import pytest

from tests.support import ROOT

MAKE = """#!/bin/sh
echo run >>runs.txt
echo 'FAILED tests/a.py::test_busy - TimeoutError: 3 s'
exit {code}
"""


@pytest.mark.parametrize("target", ["test", "test-projects", "lint"])
@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_check_that_fails_fails_the_run_and_is_not_tried_again(tmp_path, target, code):
    text = (ROOT / ".ci" / "run").read_text()
    function = text[text.index("check() {") : text.index("export -f check")]
    (tmp_path / "make").write_text(MAKE.format(code=code))
    (tmp_path / "make").chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", f"{function} check {target}"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=str(tmp_path),
        stdout=-1,
    )
    assert done.returncode == code
    assert (b"failed: make" in done.stdout) == bool(code)
    assert (tmp_path / "runs.txt").read_text() == "run\n"
