"""What the commands of calib refuse before they work for hours."""

import subprocess
import sys

from hotpath.calib.command_line import check_out_path
from hotpath.calib.errors import BadRun
from tests.support import ROOT
from tests.support.errors import refusal


def test_a_path_that_can_not_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "boxes.json").write_text("")
    for good in (None, tmp_path, tmp_path / "new" / "folder", tmp_path / "boxes.json"):
        check_out_path(good if good is None else str(good))
    for bad, what in (
        (tmp_path / "file", "not a folder"),
        (tmp_path / "file" / "inside", "not a folder"),
        (tmp_path / ("a" * 300), "not written"),
    ):
        with refusal(BadRun, what):
            check_out_path(str(bad))


def test_a_command_says_at_once_that_its_out_can_not_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    words = ["--clips", tmp_path, "--network", "kestrel", "--out", tmp_path / "file" / "out"]
    command = [sys.executable, "-m", "hotpath", "int8", *map(str, words)]
    done = subprocess.run(command, cwd=str(ROOT), stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and done.stderr.startswith("hotpath int8: --out ")
