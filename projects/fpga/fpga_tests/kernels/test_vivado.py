"""What Vivado is given: an RTL that a strict reader takes, and a command with all of its values.

Vivado itself has never run ``overlay.tcl``. tclsh does, with stand-ins of Vivado's commands.
"""

import json
import pathlib
import re
import shutil
import sys

import pytest

import hotpath_fpga as design
from hotpath_fpga import vivado
from hotpath_fpga.sim import hwh
from tests.support import run

BOARDS = sorted(design.sizes())
needs_tclsh = pytest.mark.skipif(shutil.which("tclsh") is None, reason="no tclsh; apt install tcl")


@pytest.mark.parametrize("board", BOARDS)
def test_a_strict_reader_of_systemverilog_takes_the_whole_design(board):
    """Yosys and Verilator forgive more than Vivado does."""
    pyslang = pytest.importorskip("pyslang")
    size = design.sizes()[board]
    names = [str(path) for path in design.rtl_files() + design.rtl_files(".v")]
    generics = [
        "-G{}={}".format(name.upper(), json.dumps(size[name]).replace('"', '\\"'))
        for name in design.PARAMETERS
    ]
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    words = ["slang", "-I", str(design.RTL), "--top", "hotpath_engine"] + generics + names
    assert driver.parseCommandLine(" ".join(words))
    assert driver.processOptions() and driver.parseAllSources()
    driver.reportCompilation(driver.createCompilation(), True)
    assert driver.reportDiagnostics(True)


@pytest.mark.parametrize("board", BOARDS)
def test_the_script_is_given_every_value_that_it_asks_for(board):
    words = vivado.command(board)
    given = words[words.index("-tclargs") + 1 :]
    values = dict(zip(given[::2], given[1::2]))
    script = vivado.SCRIPT.read_text(encoding="utf-8")
    parameters, others = (
        re.search(before + r" \{([\w ]+)\}", script).group(1).split()
        for before in ("set parameters", r"foreach name \[concat")
    )
    assert parameters == list(design.PARAMETERS) and {*parameters, *others} == set(values)
    assert int(values["address"], 0) == hwh.ADDRESS[hwh.family_of(values["part"])]


@pytest.mark.parametrize(
    "board, texts",
    [
        (
            "pynq_z2",
            [
                "no vivado on the PATH",
                "-source projects/fpga/hotpath_fpga/vivado/overlay.tcl",
                "part xc7z020clg400-1",
            ],
        ),
        ("jetson_nano", ["pynq_z2"]),
    ],
)
def test_without_vivado_or_fabric_one_sentence_says_what_to_do(tmp_path, board, texts):
    command = [sys.executable, "-m", "hotpath_fpga.vivado", board]
    done = run(command, cwd=str(design.ROOT), env={"PATH": str(tmp_path)})
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and all(text in done.stderr for text in texts)
    assert str(design.ROOT) not in done.stderr  # the line is for another computer


def run_script(board, tmp_path, mhz=None, slack=0.2, without=()):
    """Run ``overlay.tcl`` under tclsh; returns (the process, the folder of the files)."""
    words = vivado.command(board)
    values = dict(zip(*[iter(words[words.index("-tclargs") + 1 :])] * 2))
    values.update(work=str(tmp_path / "work"), out=str(tmp_path / "out"))
    given = [word for pair in values.items() if pair[0] not in without for word in pair]
    commands = str(pathlib.Path(__file__).with_name("vivado.tcl"))
    first = ["tclsh", commands, str(mhz or values["clock_mhz"]), str(slack), str(vivado.SCRIPT)]
    return run(first + given, cwd=str(design.ROOT)), tmp_path / "out"


@needs_tclsh
@pytest.mark.parametrize("board", BOARDS)
def test_the_script_runs_to_its_end_with_the_sizes_of_the_board(board, tmp_path):
    done, out = run_script(board, tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {"hotpath.bit", "hotpath.hwh"}
    size = design.sizes()[board]
    (built,) = [line for line in done.stdout.splitlines() if "CONFIG.LANES" in line]
    for name in design.PARAMETERS:
        assert f"CONFIG.{name.upper()} {size[name]}" in built
    assert "set_property top hotpath_wrapper" in done.stdout


@needs_tclsh
@pytest.mark.parametrize(
    "change, messages",
    [
        ({"slack": -0.5}, "Timing is not met"),
        ({"mhz": 900}, "The PS can't make"),
        ({"without": ["lanes"]}, "Argument lanes is missing"),
    ],
)
def test_the_script_makes_no_bitstream_that_would_not_hold(change, messages, tmp_path):
    done, out = run_script("pynq_z2", tmp_path, **change)
    assert done.returncode and messages in done.stderr
    assert not (out / "hotpath.bit").exists()
