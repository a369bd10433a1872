"""Structures are read from the headers that declare them."""

import ctypes

import pytest

from hotpath.kernels import header_structures, setting_structures

HEADER = """
enum { HP_MANY = 4 };  // a comment; with a mark
struct hp_inner { i64 cell; float share; };  // of a part
struct hp_outer {
  const double* places;     // (n, 4)
  unsigned long long at, size;
  float mean[3], scale[3];  // of each channel
  double box[HP_MANY][2];
  hp_inner first;
};
"""


def test_fields_have_the_names_types_and_order_of_the_header(tmp_path):
    (tmp_path / "a.h").write_text(HEADER)
    outer = header_structures.read(str(tmp_path / "a.h"))["hp_outer"]
    expected = [
        ("places", ctypes.c_void_p),
        *[("at", ctypes.c_uint64), ("size", ctypes.c_uint64)],
        *[("mean", ctypes.c_float * 3), ("scale", ctypes.c_float * 3)],
        ("box", (ctypes.c_double * 2) * 4),
    ]
    assert outer._fields_[:-1] == expected
    name, inner = outer._fields_[-1]
    assert name == "first" and [field for field, _ in inner._fields_] == ["cell", "share"]
    assert ctypes.sizeof(outer) == 8 + 16 + 24 + 64 + 16


@pytest.mark.parametrize("wrong", ["short side", "hp_unknown part", "int"])
def test_a_field_of_an_unknown_type_is_refused(tmp_path, wrong):
    (tmp_path / "a.h").write_text(f"struct hp_a {{\n  {wrong};\n}};\n")
    with pytest.raises(ValueError, match=wrong):
        header_structures.read(str(tmp_path / "a.h"))


@pytest.mark.parametrize("settings", setting_structures.OF_SETTINGS, ids=lambda kind: kind.__name__)
def test_each_number_of_the_settings_has_a_place_of_its_type(settings):
    fields = dict(setting_structures.OF_SETTINGS[settings]._fields_)
    assert fields.keys() == settings.__annotations__.keys()
    kinds = {float: ctypes.c_double, **setting_structures.OF_SETTINGS}
    for name, kind in settings.__annotations__.items():
        assert fields[name] is kinds.get(kind, ctypes.c_int), name
    assert ctypes.sizeof(setting_structures.OF_SETTINGS[settings]) % 8 == 0
