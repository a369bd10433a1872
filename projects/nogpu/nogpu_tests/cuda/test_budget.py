"""The kernels compile for every Jetson's GPU by each CUDA, and no thread spills its registers."""

import re

import pytest

from hotpath.kernels.cuda import compile as compiler
from hotpath_nogpu.cuda import build, nvrtc

SLOW = pytest.mark.slow("the same kernels; `make compilers` gets the CUDAs before and after")
# CUDA, as in nvrtc.py, and the compute capabilities that its NVRTC makes PTX for
MATRIX = {
    nvrtc.OLDEST: (52,),
    "-11.8": (53, 72),
    "": (53, 62, 72, 75, 86, 87, 89, 90),
    "-13.2": (87, 110, 120),
}
COMPILED = [(cuda, number) for cuda, numbers in MATRIX.items() for number in numbers]
FIRST = [("", 53), ("", 87)]
# Of a thread: with 64, two blocks of 256 threads run at a time even on a Nano, whose block has
# 32768. The choice of the peaks has one block a window.
REGISTERS = {"hp_peaks": 96}
USUAL_REGISTERS = 64
PTXAS = re.compile(
    r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, "
    r"(\d+) bytes spill loads.*?Used (\d+) registers",
    re.S,
)


@pytest.mark.parametrize(
    "cuda, capability",
    FIRST + [pytest.param(*each, marks=SLOW) for each in COMPILED if each not in FIRST],
)
@pytest.mark.parametrize("name", compiler.SOURCES)
def test_kernels_keep_all_that_a_thread_needs_in_registers(name, cuda, capability):
    target = 53 if cuda == nvrtc.OLDEST else capability  # a Nano assembles what is made for 5.2
    printed = nvrtc.assemble(nvrtc.ptx(cuda, name, capability), target, cuda)
    found = PTXAS.findall(printed)
    assert sorted(row[0] for row in found) == sorted(build.kernel_names(compiler.source(name)))
    for kernel, stack, stores, loads, registers in found:
        assert (stack, stores, loads) == ("0", "0", "0"), kernel
        assert int(registers) <= REGISTERS.get(kernel, USUAL_REGISTERS), (kernel, registers)
