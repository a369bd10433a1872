"""The hardware description (.hwh) and an empty .bit of a board's overlay, for the simulated board.

PYNQ learns from the .hwh which cells an overlay has and at which addresses. A built overlay comes
with Vivado's own; ``zynq.hwh`` and ``zynqmp.hwh`` say the same about what the driver uses: the cell
of the engine, its address, the processor's ports and clocks. They name no registers: the driver
goes by offsets.
"""

import hashlib
import pathlib
import string
import struct

from hotpath.kernels.fpga.fabric import CELL

ADDRESS = {"zynq": 0x40000000, "zynqmp": 0xA0000000}
RANGE = 0x10000
# what the processor's PLL for the fabric runs at under PYNQ's images
PLL_MHZ = {"zynq": 1000, "zynqmp": 1500}


def family_of(part: str) -> str:
    """ "zynq" (7000) or "zynqmp", from a part's name."""
    return "zynq" if part.startswith("xc7z") else "zynqmp"


def describe(family: str, clock_mhz: float) -> str:
    """The text of a .hwh.

    Args:
        family: "zynq" or "zynqmp".
        clock_mhz: clock of the fabric.
    """
    ratio, base = PLL_MHZ[family] / clock_mhz, ADDRESS[family]
    # two integer divisors with the smallest product >= ratio
    pairs = [(a * b, a, b) for a in range(1, 64) for b in range(1, 64) if a * b >= ratio]
    product, first, second = min(pairs)
    template = pathlib.Path(__file__).with_name(family + ".hwh").read_text(encoding="utf-8")
    return string.Template(template).substitute(
        cell=CELL,
        base=f"0x{base:08X}",
        high=f"0x{base + RANGE - 1:08X}",
        range=RANGE,
        first=first,
        second=second,
        mhz=PLL_MHZ[family] / product,
    )


def empty_bit(part: str, text: str) -> bytes:
    """A .bit with a valid header and no configuration in it.

    Args:
        part: such as "xc7z020clg400-1".
        text: what its bytes are to depend on: PYNQ keeps what it knows of an overlay by them.
    """
    payload = b"\xff" * 32 + hashlib.sha256(text.encode()).digest()
    fields = (b"a", "hotpath;UserID=0XFFFFFFFF"), (b"b", part[2:]), (b"c", "-"), (b"d", "-")
    header = struct.pack(">h", 9) + b"\x0f\xf0" * 4 + b"\0" + b"\0\1"
    for key, value in fields:
        header += key + struct.pack(">h", len(value) + 1) + value.encode() + b"\0"
    return header + b"e" + struct.pack(">i", len(payload)) + payload


def write(folder: pathlib.Path, name: str, part: str, clock_mhz: float) -> pathlib.Path:
    """Write NAME.bit and NAME.hwh; returns the .bit's path.

    Args:
        folder: ``pathlib.Path`` of a folder that is there.
        name: name of the files.
        part: the FPGA's.
        clock_mhz: clock of the fabric.
    """
    text = describe(family_of(part), clock_mhz)
    (folder / (name + ".hwh")).write_text(text)
    bit = folder / (name + ".bit")
    bit.write_bytes(empty_bit(part, str(folder) + text))
    return bit
