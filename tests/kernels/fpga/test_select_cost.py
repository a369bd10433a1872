"""The cost of select on a board's processor, as instructions counted in QEMU."""

import pathlib
import re
import shutil
import subprocess

import pytest

import boards
from kernels.fpga import design

ROOT = pathlib.Path(__file__).resolve().parents[3]
SOURCE = ROOT / "tests" / "fakes" / "fpga" / "select_cost.cpp"
FLAGS = ("-O3", "-ffp-contract=off", "-fno-math-errno", "-std=c++14", "-static")

CYCLES_AN_INSTRUCTION = 2.0  # assumed: both processors start up to two a cycle, and wait for sums
SHARE = 0.1  # of a frame
MACS, MULTIPLIERS = 98.7e6, 256  # of kestrel_small; of a lane: they bound a frame from below

# board -> compiler, its flags, emulator
PROCESSORS = {
    "pynq_z2": ("arm-linux-gnueabihf-g++", ("-mcpu=cortex-a9", "-mfpu=neon"), "qemu-arm"),
    "kv260": ("aarch64-linux-gnu-g++", ("-mcpu=cortex-a53",), "qemu-aarch64"),
}


def instructions(emulator, program, count, kind, folder):
    """Count the instructions of a run; the emulator writes a line for each."""
    log = folder / "log"
    subprocess.check_call(
        [emulator, "-singlestep", "-d", "nochain,exec", "-D", str(log), str(program)]
        + [str(count), str(kind)],
        stdout=subprocess.DEVNULL,
    )
    return len(re.findall("^Trace", log.read_text(), flags=re.M))


@pytest.mark.slow("an emulator writes a line for each instruction")
@pytest.mark.parametrize("board", sorted(PROCESSORS))
def test_select_takes_less_than_a_tenth_of_a_frame(board, tmp_path):
    """The frame is the fabric's, at its assumed clock. The map has one peak."""
    compiler, flags, emulator = PROCESSORS[board]
    for program in (compiler, emulator):
        if shutil.which(program) is None:
            pytest.skip("no " + program)
    program = tmp_path / "select"
    subprocess.check_call(
        [compiler, "-I", str(ROOT / "kernels" / "cpu"), "-o", str(program), str(SOURCE)]
        + list(FLAGS + flags)
    )
    once, twice = (instructions(emulator, program, count, 0, tmp_path) for count in (1, 2))
    size = design.sizes()[board]
    frame_s = MACS / MULTIPLIERS / size["lanes"] / (size["assumed_clock_mhz"] * 1e6)
    clock_hz = boards.load_board(board).cpu["clock_max_mhz"] * 1e6
    select_s = (twice - once) * CYCLES_AN_INSTRUCTION / clock_hz
    assert 1000 < twice - once
    assert select_s < SHARE * frame_s, f"{twice - once} instructions"
