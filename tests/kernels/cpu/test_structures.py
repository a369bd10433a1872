"""The structures that Python fills in are those of the compiled library."""

import ctypes
import re

import pytest

from hotpath.kernels import records
from hotpath.kernels.cpu import load, structures
from tests.support import ROOT
from tests.support.needs import needs_kernels

FOLDER = ROOT / "hotpath" / "kernels" / "cpu"


def test_the_library_measures_each_structure():
    measured = set(re.findall(r"HP_SIZE\((hp_\w+)\)", (FOLDER / "sizes.h").read_text()))
    assert measured == {*structures.STRUCTURES, *records.STRUCTURES}


def test_a_structure_of_another_size_is_refused(monkeypatch):
    needs_kernels()
    kernels = load()
    structures.check(kernels.handle)

    class Wrong(ctypes.Structure):
        _fields_ = structures.CropJob._fields_[:-1]

    monkeypatch.setitem(structures.STRUCTURES, "hp_crop_job", Wrong)
    with pytest.raises(RuntimeError, match="hp_crop_job.* 192 .* 184"):
        structures.check(kernels.handle)
    assert kernels.handle.hp_size_of(b"no such structure") == 0
