"""The structures that Python fills in are those of the headers."""

import ctypes
import re

import pytest

from hotpath.kernels.cpu import jpeg, load, structures
from tests.support import ROOT
from tests.support.needs import needs_kernels

HEADERS = "".join(
    path.read_text() for path in sorted((ROOT / "hotpath" / "kernels" / "cpu").glob("*.h"))
)


def declared(name, until=""):
    """Names and lengths of the fields of a structure in a header."""
    body = re.search(r"struct %s \{(.*?)^\};" % name, HEADERS, re.DOTALL | re.MULTILINE).group(1)
    body = body[: body.index(until) + len(until)] if until else body
    found = []
    for line in re.sub(r"//.*", "", body).split(";"):
        for part in filter(str.strip, line.split(",")):
            word, length = re.search(r"(\w+)(?:\[(\d+)\])?\s*$", part).groups()
            found.append((word, int(length or 1)))
    return found


def flat(fields):
    """Double arrays of a header and of Python may be parted differently; the names count."""
    return [(name, getattr(kind, "_length_", 1)) for name, kind in fields]


def test_each_structure_measured_by_the_library_is_declared():
    measured = set(re.findall(r"HP_SIZE\((hp_\w+)\)", HEADERS))
    assert measured == {*structures.STRUCTURES, *structures.RECORDS}


@pytest.mark.parametrize("name", sorted(structures.STRUCTURES))
def test_fields_have_the_headers_names_and_order(name):
    assert flat(structures.STRUCTURES[name]._fields_) == declared(name)


def test_the_head_of_a_jpeg_is_the_beginning_of_its_structure():
    head = flat(jpeg.JpegHead._fields_)
    assert declared("hp_jpeg", "interval;") == head


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
