"""What the tutorials of boards say that a board prints, compared with what its stand-ins print."""

import re
import sys

import pytest

pytest.importorskip("onnxruntime")

from hotpath.deploy.bundles.engines import tensorrt
from hotpath.deploy.doctor.boards_command import main
from hotpath_nogpu.tensorrt import machine
from tests.support import ROOT, board_roots
from tests.support.fences import blocks

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="documents are read off a board")
STAND_IN = "a stand-in prints"
TUTORIALS = ROOT / "docs" / "tutorials"


def transcript(tutorial):
    """The lines that a board prints in a tutorial, as patterns: ``…`` is anything."""
    texts = [text for _, title, text in blocks(TUTORIALS / tutorial) if title == STAND_IN]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [re.escape(line).replace("…", ".*") for line in lines]


def missing(lines, printed):
    rows = [row.strip() for row in printed.splitlines()]
    return [line for line in lines if not any(re.fullmatch(line, row) for row in rows)]


def report(name, folder, capsys):
    """What the doctor prints on the board of a snapshot."""
    board = board_roots.BoardRoot(name, folder)
    main(["--root", str(board.folder)])
    return capsys.readouterr().out


def test_a_pynq_z2_prints_what_its_tutorial_says(tmp_path, capsys):
    lines = transcript("pynq.md")
    assert lines and not missing(lines, report("pynq_z2", tmp_path, capsys))


def test_an_orin_nano_prints_what_its_tutorial_says(tmp_path, capsys, monkeypatch):
    printed = ""
    for name in ("jetson_orin_nano_jp6", "jetson_orin_nano_jp7"):  # the second has held clocks
        printed += report(name, tmp_path / name, capsys)
    printed += (tmp_path / "jetson_orin_nano_jp6/etc/nv_tegra_release").read_text() + "\n"
    monkeypatch.setattr(tensorrt, "CACHE", tmp_path / "cache")
    played = machine.FakeBoard("10", capability="8.7")
    played.be("jetson_orin_nano")
    try:
        evidence = str(tmp_path / "bringup.json")
        main(["bringup", "--out", evidence, "--engines", str(tmp_path / "engines")])
    finally:
        played.leave()
    printed += capsys.readouterr().out
    lines = transcript("board.md")
    lacking = missing(lines, printed)  # JetPack's packages are not here
    assert lines and lacking == [re.escape("passed   software    nothing is missing")]
