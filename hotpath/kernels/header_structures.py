"""The structures of our C++ and CUDA headers as ``ctypes`` classes.

A structure that Python shares with compiled code is declared once: in a header. ``read`` makes its
class of the header's text. The compiled code tells its own sizes, which are compared with these
when it is loaded.
"""

import ctypes
import os
import re
from typing import Any, Dict, List, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS: Dict[str, Any] = {
    "double": ctypes.c_double,
    "float": ctypes.c_float,
    "i64": ctypes.c_int64,
    "int": ctypes.c_int,
    "int16_t": ctypes.c_int16,
    "uint8_t": ctypes.c_uint8,
    "uint16_t": ctypes.c_uint16,
    "unsigned long long": ctypes.c_uint64,
}
COMMENT = re.compile("//.*")
CONSTANT = re.compile(r"\b(HP_\w+) = (\d+)")
STRUCTURE = re.compile(r"^struct (hp_\w+) \{(.*?)\};", re.DOTALL | re.MULTILINE)
FIELDS = re.compile(r"(?:const )?(unsigned long long|\w+)(\*?) (.+)", re.DOTALL)  # of one type
NAME = re.compile(r"(\w+)((?:\[\w+\])*)")


def read(*headers: str) -> Dict[str, Any]:
    """Read the structures of headers: plain fields, pointers, arrays and inner structures.

    Args:
        headers: paths below this folder; those with inner structures come before their users.

    Returns:
        dict of the name of a structure -> its class, with the fields in their order. A pointer is
        a ``c_void_p``.

    Raises:
        ValueError: a field is of a type that is not known here.

    Example:
        >>> [name for name, _ in read("structures.h")["hp_bounds"]._fields_]
        ['min_size', 'clip', 'pixels']
    """
    kinds, found = dict(KINDS), {}
    constants: Dict[str, int] = {}
    for header in headers:
        with open(os.path.join(HERE, header), encoding="utf-8") as file:
            text = COMMENT.sub("", file.read())
        constants.update((name, int(value)) for name, value in CONSTANT.findall(text))
        for name, body in STRUCTURE.findall(text):
            fields = _fields(name, body, kinds, constants)
            found[name] = kinds[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    return found


def _fields(
    structure: str, body: str, kinds: Dict[str, Any], constants: Dict[str, int]
) -> List[Tuple[str, Any]]:
    """Return the fields of a structure as ``ctypes`` takes them."""
    fields = []
    for declaration in filter(None, map(str.strip, body.split(";"))):
        match = FIELDS.fullmatch(declaration)
        kind = None
        if match is not None:
            kind = ctypes.c_void_p if match.group(2) else kinds.get(match.group(1))
        if match is None or kind is None:
            raise ValueError(f"{structure} has {declaration!r}, of no type that is known here")
        for name, lengths in NAME.findall(match.group(3)):
            of_field = kind
            for length in reversed(re.findall(r"\w+", lengths)):
                of_field = of_field * (int(length) if length.isdigit() else constants[length])
            fields.append((name, of_field))
    return fields
