"""The registers and commands of ``tables.toml``, for all users.

Read here: ``MAGIC``, ``REGISTERS`` (name -> byte offset), ``ACCESS`` (name -> "r", "w", "rw"),
``ERRORS``, ``REGIONS``, ``TARGETS``, ``OPCODES`` (name -> number) and ``FIELDS`` (command -> field
-> (word, lowest bit, bits)).
"""

import pathlib
import struct
from typing import Any, Dict, Tuple

from hotpath.base import toml
from hotpath.base.errors import HotpathError

COMMAND_BYTES = 64
WORDS = COMMAND_BYTES // 4

Size = Dict[str, Any]  # a section of sizes.toml
Fields = Dict[str, int]  # a command's fields by name
Place = Tuple[int, int, int]  # of a field: word, lowest bit, bits

# bits that the texts of CONTROL and STATUS name
START, STOP = 1, 2
IS_BUSY, IS_DONE, IS_ERROR = 1, 2, 4


class BadCommandTable(HotpathError):
    """A field or a value that a command does not have."""


def read_toml(path: pathlib.Path) -> Dict[str, Any]:
    """The contents of a TOML file; raises ``BadCommandTable``."""
    return toml.read(path, BadCommandTable)


TABLE = read_toml(pathlib.Path(__file__).with_name("tables.toml"))
MAGIC = TABLE["magic"]
REGISTERS = {entry["name"]: entry["offset"] for entry in TABLE["register"]}
ACCESS = {entry["name"]: entry["access"] for entry in TABLE["register"]}
ERRORS, REGIONS = TABLE["errors"], TABLE["regions"]
TARGETS, OPCODES = TABLE["targets"], TABLE["opcodes"]


FIELDS: Dict[str, Dict[str, Place]] = {
    command: {
        name: (word, low, bits)
        for part in ("ALL", command)
        for name, (word, low, bits) in TABLE["command"].get(part, {}).items()
    }
    for command in OPCODES
}
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
        raise BadCommandTable(
            "no command {!r}; there are: {}".format(command, ", ".join(FIELDS)),
            what="unknown command",
        )
    words = [0] * WORDS
    fields["opcode"] = OPCODES[command]
    for name, value in fields.items():
        if name not in FIELDS[command]:
            raise BadCommandTable(
                "{} has no field {!r}; it has: {}".format(
                    command, name, ", ".join(FIELDS[command])
                ),
                what="unknown field",
            )
        word, low, bits = FIELDS[command][name]
        value = int(value)
        if not 0 <= value < 1 << bits:
            raise BadCommandTable(
                f"{command} {name} = {value}: not a number of {bits} bits", what="wrong value"
            )
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
        raise BadCommandTable(
            f"a command has {COMMAND_BYTES} bytes, not {len(data)}", what="wrong size"
        )
    words = struct.unpack("<16I", bytes(data))
    word, low, bits = TABLE["command"]["ALL"]["opcode"]
    opcode = words[word] >> low & (1 << bits) - 1
    if opcode not in NAMES:
        raise BadCommandTable(f"no command has opcode {opcode}", what="no command")
    command = NAMES[opcode]
    fields = {
        name: words[word] >> low & (1 << bits) - 1
        for name, (word, low, bits) in FIELDS[command].items()
        if name != "opcode"
    }
    return command, fields


def size_register(size: Size) -> int:
    """The SIZE register of an accelerator."""
    return (
        size["lanes"]
        | size["bus_bytes"] << 4
        | size["crop_lanes"] << 12
        | (size["map_words"].bit_length() - 1) << 16
        | (size["weight_tiles"].bit_length() - 1) << 24
        | (size["line_bytes"].bit_length() - 1) << 28
    )


def spell_size(register: int) -> str:
    """The contents of a SIZE register in words."""
    lanes, bus, crop = register & 0xF, register >> 4 & 0xFF, register >> 12 & 0xF
    words, tiles = 1 << (register >> 16 & 0xFF), 1 << (register >> 24 & 0xF)
    return (
        f"{lanes} lanes, {bus} bytes a beat, {crop} crop lanes, {words} map words, {tiles} weight "
        f"tiles, lines of {1 << (register >> 28)} bytes"
    )
