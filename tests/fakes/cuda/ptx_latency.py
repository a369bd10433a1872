"""How long a kernel's slowest warp takes, from the published times of dependent instructions.

Each warp starts one instruction a cycle, in order, when what it needs is there. Copies between
registers and changes of a sign cost nothing, since the assembler removes them. Global memory lies
in the L2 cache; what was read before lies in the L1 cache, on a Nano only what is read as constant.
Left out are the assembler's better order, and warps that share a unit.

Times: Arafa and others, "Low Overhead Instruction Latency Characterization for NVIDIA GPGPUs", HPEC
2019, arXiv 1905.08778, with its tables for Maxwell (lanl/PPT) and the TITAN RTX
(NMSU-PEARL/GPUs-ISA-Latencies). A Nano is a Maxwell. An Orin has two units for doubles in each
multiprocessor, as Turing has, which are busy with a warp for 16 cycles; a Nano's four are for 8.
They have no time for a barrier; it is taken as that of shared memory, and so is a shuffle's. An
operation on 64-bit whole numbers is taken as two, a product as four.
"""

import numpy as np

#          short: 32-bit sums, comparisons; fast: approximate functions of floats
TABLES = {
    "nano": {
        "short": 6, "product": 13, "divide": 150, "float": 6, "fast": 47, "divide_float": 450,
        "double": 48, "divide_double": 709, "root_double": 360, "inverse_double": 347,
        "shared": 24, "global": 225, "cached": 82, "param": 20, "busy": 8,
    },
    "orin": {
        "short": 4, "product": 4, "divide": 79, "float": 4, "fast": 38, "divide_float": 335,
        "double": 45, "divide_double": 1165, "root_double": 366, "inverse_double": 251,
        "shared": 30, "global": 231, "cached": 30, "param": 8, "busy": 16,
    },
}  # fmt: skip  # a row of kinds is read as a table
COPIES = ("mov", "cvta", "neg", "abs")
WORDS = {"div": "divide", "rcp": "inverse", "sqrt": "root"}


def _what(instruction):
    """Key of the tables, and how many times its time an instruction takes."""
    name, kind = instruction.name, instruction.kind
    if name[0] in ("ld", "st"):
        return name[1] if name[1] in ("shared", "param") else "global", 1
    if name[0] == "shfl":
        return "shared", 1
    if "f64" in name and "approx" not in name and name[0] != "selp":
        return WORDS.get(name[0], "") + "_" * (name[0] in WORDS) + "double", 1
    if kind is not None and kind.kind == "f" and name[0] != "selp":
        slow = "approx" not in name and name[0] in WORDS
        fast = "approx" in name
        return ("divide_float" if slow else "fast" if fast else "float"), 1
    if name[0] in ("div", "rem"):
        return "divide", 1
    if name[0] in ("mul", "mad"):
        return "product", 4 if kind.itemsize == 8 else 1
    return "short", 2 if kind is not None and kind.itemsize == 8 and name[0] not in (
        "cvt",
        "selp",
    ) else 1


class Latency:
    """Times of one GPU, for ``Machine``.

    Args:
        board: a key of TABLES.
    """

    def __init__(self, board):
        self.table = TABLES[board]

    def clock(self, run):
        """A ``Clock`` of one launch."""
        return Clock(self.table, run)


class Clock:
    """Cycles of each warp of a launch, and what each has issued.

    Attributes:
        cycles: when each warp can issue next.
        issued, doubles: instructions of each warp; those on doubles.
    """

    def __init__(self, table, run):
        self.table, self.ready = table, {}
        self.sectors, self.hit = set(), False  # of 32 bytes that were read
        self.cycles, self.issued, self.doubles = np.zeros((3, -(-run.count // 32)), np.int64)

    def issue(self, instruction, threads):
        """Let the warps of some threads issue an instruction."""
        warps = np.unique(threads // 32)
        key, times = _what(instruction)
        if key == "global" and self.hit and ("nc" in instruction.name or self.table["cached"] < 50):
            key = "cached"
        copy = instruction.name[0] in COPIES
        start = self.cycles[warps]
        for register in instruction.sources:
            if register in self.ready:
                start = np.maximum(start, self.ready[register][warps])
        self.issued[warps] += 1
        self.doubles[warps] += key.endswith("double")
        if not copy:
            self.cycles[warps] = start + (self.table["busy"] if key.endswith("double") else 1)
        for register in instruction.targets:
            if register not in self.ready:
                self.ready[register] = np.zeros(len(self.cycles), np.int64)
            self.ready[register][warps] = start + (0 if copy else self.table[key] * times)

    def touch(self, addresses):
        """Note which global memory an access reaches, and whether all of it was read before."""
        sectors = set((addresses // 32).tolist())
        self.hit = sectors <= self.sectors
        self.sectors |= sectors

    def meet(self):
        """Let all warps wait for the slowest one."""
        self.cycles[:] = self.cycles.max() + self.table["shared"]
