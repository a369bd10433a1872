"""The structures of C++ and CUDA are those of the settings."""

import ctypes
from typing import NamedTuple

from hotpath.kernels import header, records


def test_the_header_is_that_of_the_settings():
    """After a change of kernels/settings.py, run ``python -m hotpath.kernels.header``."""
    with open(header.PATH) as file:
        assert file.read() == header.text()


def test_a_number_stands_where_its_type_says():
    class Settings(NamedTuple):
        cells: int
        share: float
        name: str = ""
        sides: tuple = ()

    kind = records.structure("settings", Settings, {})
    assert [name for name, _ in kind._fields_] == ["share", "cells", "name"]
    assert [kind.share.offset, kind.cells.offset, kind.name.offset] == [0, 8, 12]
    for structure in records.OF_SETTINGS.values():
        assert ctypes.sizeof(structure) % 8 == 0
