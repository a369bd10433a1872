"""python -m kernels.fpga.design.contract: writes ``rtl/tables.svh`` and ``TABLES.md``.

Both hold the registers and commands of ``kernels/fpga/tables.toml``.
"""

import sys
from collections import OrderedDict

from kernels.fpga import tables
from kernels.fpga.design import FOLDER

ORIGIN = "Written by `python -m kernels.fpga.design.contract` from `tables.toml`; change that."
WRITTEN = ("rtl/tables.svh", "TABLES.md")


def verilog() -> str:
    """The text of ``rtl/tables.svh``."""
    lines = [f"// {ORIGIN}", "", f"localparam logic [31:0] MAGIC = 32'h{tables.MAGIC:08X};"]
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


def document() -> str:
    """The text of ``TABLES.md``."""
    lines = [
        "# Registers and commands of the engine",
        "",
        ORIGIN,
        "",
        "## Registers (AXI4-Lite, 32 bits)",
        "",
        f"ID reads `0x{tables.MAGIC:08X}`.",
        "",
        "| offset | name | access | what |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        "| 0x{offset:02X} | {name} | {access} | {text} |".format(**entry)
        for entry in tables.TABLE["register"]
    ]
    for title, numbers in (
        ("Error codes", tables.ERRORS),
        ("Regions", tables.REGIONS),
        ("Targets of LOAD", tables.TARGETS),
        ("Opcodes", tables.OPCODES),
    ):
        lines += ["", "## " + title, "", "| number | name |", "| --- | --- |"]
        lines += [f"| {number} | {name} |" for name, number in numbers.items()]
    lines += [
        "",
        "## Commands",
        "",
        "64 bytes, sixteen 32-bit words, little-endian; fields are unsigned. A field of ALL is in",
        "every command.",
    ]
    for command in ["ALL"] + list(tables.FIELDS):
        lines += ["", "### " + command, ""]
        places = tables.TABLE["command"].get(command, {})
        if not places:
            lines.append("No fields of its own.")
            continue
        lines += ["| field | word | bits |", "| --- | --- | --- |"]
        for name, (word, low, bits) in places.items():
            span = str(low) if bits == 1 else f"{low + bits - 1}:{low}"
            lines.append(f"| {name} | {word} | {span} |")
    return "\n".join(lines) + "\n"


def texts() -> "OrderedDict[str, str]":
    """Path (relative to this folder) -> text of the files that are written."""
    return OrderedDict(zip(WRITTEN, (verilog(), document())))


def main() -> int:
    for name, text in texts().items():
        with open(str(FOLDER / name), "w") as file:
            file.write(text)
        print("wrote", "design/" + name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
