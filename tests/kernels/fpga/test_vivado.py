"""What Vivado is given: an RTL that a strict reader takes, and a command with all of its values.

Vivado itself has never run ``overlay.tcl``.
"""

import json
import re
import subprocess
import sys

import pytest

from hotpath.kernels.fpga import design
from hotpath.kernels.fpga.design import vivado
from hotpath.kernels.fpga.design.sim import hwh

BOARDS = sorted(design.sizes())


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
        ("pynq_z2", ["`vivado`", "overlay.tcl", "part xc7z020clg400-1", "clock_mhz 125"]),
        ("jetson_nano", ["pynq_z2"]),
    ],
)
def test_without_vivado_or_fabric_one_sentence_says_what_to_do(tmp_path, board, texts):
    command = [sys.executable, "-m", "hotpath.kernels.fpga.design.vivado", board]
    done = subprocess.run(
        command, cwd=str(design.ROOT), env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and all(text in done.stderr for text in texts)
