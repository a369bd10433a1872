"""The hardware description (.hwh) and an empty .bit of a board's overlay, for the simulated board.

PYNQ learns from the .hwh which cells an overlay has and at which addresses. A built overlay comes
with Vivado's own; this one says the same about what the driver uses: the cell of the engine, its
address, the processor's ports and clocks. It names no registers: the driver goes by offsets.
"""

import hashlib
import pathlib
import struct
from typing import Any, Dict, Tuple
from xml.sax.saxutils import quoteattr

from hotpath.kernels.fpga.fabric import CELL

TYPE = "xilinx.com:module_ref:hotpath_engine:1.0"
AXI = "xilinx.com:interface:aximm:1.0"
ADDRESS = {"zynq": 0x40000000, "zynqmp": 0xA0000000}
RANGE = 0x10000
CLOCKS = 4  # of the processor, for the fabric

# what the processor's PLL for the fabric runs at under PYNQ's images
PLL_MHZ = {"zynq": 1000, "zynqmp": 1500}

# processor: its module, port to the registers, and parameters of clock {0}
PROCESSORS: Dict[str, Dict[str, Any]] = {
    "zynq": {
        "arch": "zynq",
        "module": "processing_system7",
        "version": "5.5",
        "port": "M_AXI_GP0",
        "enable": "PCW_FPGA_FCLK{0}_ENABLE",
        "source": "PCW_FCLK{0}_PERIPHERAL_CLKSRC",
        "divisors": "PCW_FCLK{0}_PERIPHERAL_DIVISOR{1}",
        "pll": "IO PLL",
        "others": {"PCW_USE_S_AXI_HP0": 1, "PCW_S_AXI_HP0_DATA_WIDTH": 64},
    },
    "zynqmp": {
        "arch": "zynquplus",
        "module": "zynq_ultra_ps_e",
        "version": "3.5",
        "port": "M_AXI_HPM0_FPD",
        "enable": "PSU__FPGA_PL{0}_ENABLE",
        "source": "PSU__CRL_APB__PL{0}_REF_CTRL__SRCSEL",
        "divisors": "PSU__CRL_APB__PL{0}_REF_CTRL__DIVISOR{1}",
        "pll": "IOPLL",
        "others": {"PSU__USE__S_AXI_GP2": 1, "C_SAXIGP2_DATA_WIDTH": 128},
    },
}
FREQUENCY = "PSU__CRL_APB__PL{0}_REF_CTRL__ACT_FREQMHZ"  # a Zynq-7000's .hwh has no such number


def family_of(part: str) -> str:
    """ "zynq" (7000) or "zynqmp", from a part's name."""
    return "zynq" if part.startswith("xc7z") else "zynqmp"


def describe(family: str, clock_mhz: float) -> str:
    """The text of a .hwh.

    Args:
        family: "zynq" or "zynqmp".
        clock_mhz: clock of the fabric.
    """
    processor = PROCESSORS[family]
    modules = _tag("MODULES", _processor(family, processor, clock_mhz) + _accelerator())
    system = _tag("SYSTEMINFO", ARCH=processor["arch"], NAME="hotpath")
    inside = system + _tag("EXTERNALPORTS") + _tag("EXTERNALINTERFACES") + modules
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _tag("EDKSYSTEM", inside, EDWVERSION=1.2)


def _processor(family: str, processor: Dict[str, Any], clock_mhz: float) -> str:
    parameters = dict(processor["others"])
    first, second = _divisors(PLL_MHZ[family] / clock_mhz)
    for index in range(CLOCKS):
        parameters[processor["enable"].format(index)] = int(index == 0)
        parameters[processor["source"].format(index)] = processor["pll"]
        parameters[processor["divisors"].format(index, 0)] = first
        parameters[processor["divisors"].format(index, 1)] = second
        if family == "zynqmp":
            parameters[FREQUENCY.format(index)] = PLL_MHZ[family] / first / second
    base, port = ADDRESS[family], processor["port"]
    place = _tag(
        "MEMRANGE",
        ADDRESSBLOCK="reg0",
        BASENAME="C_BASEADDR",
        BASEVALUE=f"0x{base:08X}",
        HIGHNAME="C_HIGHADDR",
        HIGHVALUE=f"0x{base + RANGE - 1:08X}",
        INSTANCE=CELL,
        IS_DATA="TRUE",
        MASTERBUSINTERFACE=port,
        MEMTYPE="REGISTER",
        SLAVEBUSINTERFACE="s_axil",
    )
    kind = processor["module"]
    vlnv = f"xilinx.com:ip:{kind}:{processor['version']}"
    bus = _tag("BUSINTERFACE", _tag("PORTMAPS"), NAME=port, TYPE="MASTER", VLNV=AXI)
    return _module("ps", kind, vlnv, parameters, _tag("MEMORYMAP", place), bus)


def _divisors(ratio: float) -> Tuple[int, int]:
    """Two whole divisors whose product is the least that is no smaller than the ratio."""
    pairs = [(a * b, a, b) for a in range(1, 64) for b in range(1, 64) if a * b >= ratio]
    return min(pairs)[1:]


def _accelerator() -> str:
    place = {"NAME": "reg0", "INTERFACE": "s_axil", "RANGE": RANGE, "USAGE": "register"}
    block = _tag("ADDRESSBLOCK", _tag("REGISTERS"), ACCESS="read-write", **place)
    bus = _tag("BUSINTERFACE", _tag("PORTMAPS"), NAME="s_axil", TYPE="SLAVE", VLNV=AXI)
    return _module(CELL, "hotpath_engine", TYPE, {}, _tag("ADDRESSBLOCKS", block), bus)


def _module(
    name: str, kind: str, vlnv: str, parameters: Dict[str, Any], inside: str, bus: str
) -> str:
    listed = "".join(
        _tag("PARAMETER", NAME=key, VALUE=value) for key, value in sorted(parameters.items())
    )
    inside = _tag("PARAMETERS", listed) + inside + _tag("PORTS") + _tag("BUSINTERFACES", bus)
    return _tag("MODULE", inside, FULLNAME="/" + name, INSTANCE=name, MODTYPE=kind, VLNV=vlnv)


def _tag(tag: str, inside: str = "", **attributes: Any) -> str:
    """An element of XML."""
    pairs = "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items())
    return f"<{tag}{pairs}>{inside}</{tag}>"


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
