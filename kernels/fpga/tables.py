"""python -m kernels.fpga.tables: the registers and commands of ``tables.toml``, for all users.

Read here: ``MAGIC``, ``REGISTERS`` (name -> byte offset), ``ACCESS`` (name -> "r", "w", "rw"),
``ERRORS``, ``REGIONS``, ``TARGETS``, ``OPCODES`` (name -> number) and ``FIELDS`` (command -> field
-> (word, lowest bit, bits)). Run, it writes ``rtl/tables.svh`` and ``TABLES.md`` from them.
"""

import pathlib
import struct
import sys
from collections import OrderedDict
from typing import Any, Dict, Tuple

from kernels.errors import HotpathError

try:
    import tomllib
except ImportError:  # before Python 3.11
    try:
        import tomli as tomllib
    except ImportError:  # a fresh board
        from kernels import small_toml as tomllib

FOLDER = pathlib.Path(__file__).resolve().parent
WRITTEN = ("rtl/tables.svh", "TABLES.md")
COMMAND_BYTES = 64
WORDS = COMMAND_BYTES // 4

Size = Dict[str, Any]  # a section of sizes.toml
Fields = Dict[str, int]  # a command's fields by name
Place = Tuple[int, int, int]  # of a field: word, lowest bit, bits

# bits that the texts of CONTROL and STATUS name
START, STOP = 1, 2
IS_BUSY, IS_DONE, IS_ERROR = 1, 2, 4


class BadTable(HotpathError):
    """A field or a value that a command does not have."""


def _toml(name: str) -> Dict[str, Any]:
    with open(str(FOLDER / name), "rb") as file:
        return tomllib.loads(file.read().decode("utf-8"))


TABLE = _toml("tables.toml")
MAGIC = TABLE["magic"]
REGISTERS = OrderedDict((entry["name"], entry["offset"]) for entry in TABLE["register"])
ACCESS = {entry["name"]: entry["access"] for entry in TABLE["register"]}
ERRORS, REGIONS = TABLE["errors"], TABLE["regions"]
TARGETS, OPCODES = TABLE["targets"], TABLE["opcodes"]


def _fields(command: str) -> "OrderedDict[str, Place]":
    together = OrderedDict(TABLE["command"]["ALL"])
    together.update(TABLE["command"].get(command, {}))
    return OrderedDict((name, (word, low, bits)) for name, (word, low, bits) in together.items())


FIELDS = OrderedDict((command, _fields(command)) for command in OPCODES)
NAMES = {number: command for command, number in OPCODES.items()}


def pack(command: str, **fields: int) -> bytes:
    """A command's 64 bytes.

    Args:
        command: name, as ``OPCODES`` has it.
        fields: unsigned values by name; 0 for those left out.

    Raises:
        BadTable: no such command or field, or a value that its bits can't hold.
    """
    if command not in FIELDS:
        raise BadTable("no command {!r}; there are: {}".format(command, ", ".join(FIELDS)))
    words = [0] * WORDS
    fields["opcode"] = OPCODES[command]
    for name, value in fields.items():
        if name not in FIELDS[command]:
            raise BadTable(
                "{} has no field {!r}; it has: {}".format(command, name, ", ".join(FIELDS[command]))
            )
        word, low, bits = FIELDS[command][name]
        value = int(value)
        if not 0 <= value < 1 << bits:
            raise BadTable(f"{command} {name} = {value}: not a number of {bits} bits")
        words[word] |= value << low
    return struct.pack("<16I", *words)


def unpack(data: bytes) -> Tuple[str, Fields]:
    """A command from its 64 bytes.

    Returns:
        (name, dict of its fields but the opcode).

    Raises:
        BadTable: not 64 bytes, or an unknown opcode.
    """
    if len(data) != COMMAND_BYTES:
        raise BadTable(f"a command has {COMMAND_BYTES} bytes, not {len(data)}")
    words = struct.unpack("<16I", bytes(data))
    word, low, bits = TABLE["command"]["ALL"]["opcode"]
    opcode = words[word] >> low & (1 << bits) - 1
    if opcode not in NAMES:
        raise BadTable(f"no command has opcode {opcode}")
    command = NAMES[opcode]
    fields = {
        name: words[word] >> low & (1 << bits) - 1
        for name, (word, low, bits) in FIELDS[command].items()
        if name != "opcode"
    }
    return command, fields


def size_register(size: Size) -> int:
    """The SIZE register of an engine.

    Args:
        size: dict of a section of ``sizes.toml``.
    """
    return (
        size["lanes"]
        | size["bus_bytes"] << 4
        | size["crop_lanes"] << 12
        | (size["map_words"].bit_length() - 1) << 16
        | (size["weight_tiles"].bit_length() - 1) << 24
        | (size["line_bytes"].bit_length() - 1) << 28
    )


def spelled(register: int) -> str:
    """The contents of a SIZE register in words."""
    lanes, bus, crop = register & 0xF, register >> 4 & 0xFF, register >> 12 & 0xF
    words, tiles = 1 << (register >> 16 & 0xFF), 1 << (register >> 24 & 0xF)
    return (
        f"{lanes} lanes, {bus} bytes a beat, {crop} crop lanes, {words} map words, {tiles} weight "
        f"tiles, lines of {1 << (register >> 28)} bytes"
    )


def sizes() -> Dict[str, Size]:
    """All sizes of ``sizes.toml``: dict of board -> dict."""
    return _toml("sizes.toml")


def parts() -> Dict[str, Dict[str, Any]]:
    """The FPGAs of ``parts.toml``: dict of board -> dict of title, part and what the part has."""
    return _toml("parts.toml")


def verilog() -> str:
    """The text of ``rtl/tables.svh``."""
    lines = ["// Written by `python -m kernels.fpga.tables` from tables.toml; change that.", ""]
    lines.append(f"localparam logic [31:0] MAGIC = 32'h{MAGIC:08X};")
    for title, prefix, numbers, bits in (
        ("registers, byte offsets", "REG", REGISTERS, 8),
        ("opcodes", "OP", OPCODES, 4),
        ("targets of LOAD", "TARGET", TARGETS, 4),
        ("regions", "REGION", REGIONS, 4),
        ("error codes", "ERROR", ERRORS, 4),
    ):
        lines += ["", "// " + title]
        for name, number in numbers.items():
            lines.append(f"localparam logic [{bits - 1}:0] {prefix}_{name} = {bits}'h{number:X};")
    lines += ["", "// commands: a field is command[LSB +: BITS]"]
    for command in ["ALL"] + list(FIELDS):
        for name, (word, low, bits) in TABLE["command"].get(command, {}).items():
            where = f"{command}_{name.upper()}"
            lines.append(f"localparam int {where}_LSB = {word * 32 + low};")
            lines.append(f"localparam int {where}_BITS = {bits};")
    return "\n".join(lines) + "\n"


def document() -> str:
    """The text of ``TABLES.md``."""
    lines = [
        "# Registers and commands of the engine",
        "",
        "Written by `python -m kernels.fpga.tables` from `tables.toml`; change that.",
        "",
        "## Registers (AXI4-Lite, 32 bits)",
        "",
        f"ID reads `0x{MAGIC:08X}`.",
        "",
        "| offset | name | access | what |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        "| 0x{offset:02X} | {name} | {access} | {text} |".format(**entry)
        for entry in TABLE["register"]
    ]
    for title, numbers in (
        ("Error codes", ERRORS),
        ("Regions", REGIONS),
        ("Targets of LOAD", TARGETS),
        ("Opcodes", OPCODES),
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
    for command in ["ALL"] + list(FIELDS):
        lines += ["", "### " + command, ""]
        places = TABLE["command"].get(command, {})
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
        print("wrote", FOLDER.name + "/" + name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
