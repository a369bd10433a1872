"""python -m hotpath_fpga.contract: write ``tables.toml`` for the RTL."""

import sys

from hotpath.kernels.fpga import tables
from hotpath_fpga import FOLDER

WRITTEN = FOLDER / "rtl" / "tables.svh"


def verilog() -> str:
    """The text of ``rtl/tables.svh``."""
    origin = "// Written by `python -m hotpath_fpga.contract` from tables.toml; change that."
    lines = [origin, "", f"localparam logic [31:0] MAGIC = 32'h{tables.MAGIC:08X};"]
    for title, prefix, numbers, bits in (
        ("registers, byte offsets", "REG", tables.REGISTERS, 8),
        ("opcodes", "OP", tables.OPCODES, 4),
        ("targets of LOAD", "TARGET", tables.TARGETS, 4),
        ("regions", "REGION", tables.REGIONS, 4),
        ("error codes", "ERROR", tables.ERRORS, 4),
    ):
        lines += ["", "// " + title]
        for name, number in numbers.items():
            lines.append(f"localparam logic [{bits - 1}:0] {prefix}_{name} = {bits}'h{number:X};")
    lines += ["", "// commands: a field is command[LSB +: BITS]"]
    for command in ["ALL"] + list(tables.FIELDS):
        for name, (word, low, bits) in tables.TABLE["command"].get(command, {}).items():
            where = f"{command}_{name.upper()}"
            lines.append(f"localparam int {where}_LSB = {word * 32 + low};")
            lines.append(f"localparam int {where}_BITS = {bits};")
    return "\n".join(lines) + "\n"


def main() -> int:
    WRITTEN.write_text(verilog(), encoding="utf-8")
    print("wrote", WRITTEN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
