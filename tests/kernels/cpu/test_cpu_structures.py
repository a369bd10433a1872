"""The structures that Python fills in are those of the compiled library."""

import ctypes
import re

import pytest

from hotpath.kernels import setting_structures
from hotpath.kernels.cpu import cpu_structures, load
from tests.support import ROOT
from tests.support.needs import needs_kernels

FOLDER = ROOT / "hotpath" / "kernels" / "cpu"


def test_the_library_measures_each_structure():
    measured = set(re.findall(r"HP_SIZE\((hp_\w+)\)", (FOLDER / "sizes.h").read_text()))
    assert measured == {*cpu_structures.STRUCTURES, *setting_structures.STRUCTURES}


def test_a_structure_of_another_size_is_refused(monkeypatch):
    needs_kernels()
    kernels = load()
    cpu_structures.check(kernels.handle)

    class Wrong(ctypes.Structure):
        _fields_ = cpu_structures.CropJob._fields_[:-1]

    monkeypatch.setitem(cpu_structures.STRUCTURES, "hp_crop_job", Wrong)
    with pytest.raises(RuntimeError, match="hp_crop_job.* 192 .* 184"):
        cpu_structures.check(kernels.handle)
    assert kernels.handle.hp_size_of(b"no such structure") == 0
