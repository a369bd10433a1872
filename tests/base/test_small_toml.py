"""The reader of TOML for fresh boards reads what the standard library reads."""

import math
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.base import small_toml, toml, toml_writer
from hotpath.base.errors import HotpathError
from tests.support.examples import examples

tomllib = pytest.importorskip("tomllib")

pytestmark = pytest.mark.pythons("Python 3.6 to 3.10 have no tomllib")

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FILES = [
    path
    for folder in ("hotpath", "tests", "docs")
    for path in sorted((ROOT / folder).rglob("*.toml"))
] + [ROOT / "pyproject.toml"]


@pytest.mark.parametrize("text", ["a = 1\n", "# é\r\n[b]\r\nc = 'ü'\r\n", "\n\na = []"])
def test_a_mark_of_utf_8_is_dropped_and_utf_16_is_named(tmp_path, text):
    path = tmp_path / "file.toml"
    path.write_bytes(text.encode("utf-8-sig"))
    assert toml.read(path, HotpathError) == tomllib.loads(text)
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        path.write_bytes(text.encode(encoding))
        with pytest.raises(HotpathError, match="UTF-16.*UTF-8"):
            toml.read(path, HotpathError)


def test_every_file_of_the_repository_is_read_as_by_the_library():
    several_lines = 0
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        if '"""' in text or "'''" in text:
            several_lines += 1
            continue
        assert small_toml.loads(text) == tomllib.loads(text), path
    assert several_lines < len(FILES)


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12)
values = st.one_of(st.booleans(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False), texts)
sections = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True),
    st.one_of(values, st.lists(st.integers(0, 9), max_size=4)),
    max_size=5,
)


@examples(150)
@given(sections, sections, st.lists(sections, min_size=1, max_size=3))
def test_what_is_written_is_read(top, section, repeated):
    table = dict(top, section=section, repeated=repeated)
    text = toml_writer.to_toml(table, "note")
    assert small_toml.loads(text) == tomllib.loads(text) == table


GOOD = [
    "a.b = 1\n[a.c]\nd = {e = 1, 'f g' = [1,\n # note\n 2,]}\n",
    "a = 0x1F\ne = 0o17\nf = 0b1_01\nb = 1_000\nc = -0.5e-3\nd = +inf\n",
    "a = '\\n'\nb = \"\\u00e9\\t\"\r\n",
    "[[a]]\nb = 1\n[a.c]\nd = 2\n[[a]]\nb = 3\n",
    "",
]
BAD = ["a", "a = ", "a = 1 2", "a = 1\na = 2", "[a]\n[a]", "a = [1", 'a = "x', "= 1", "a = 01"]
BAD += ["a = {b = 1", "a = tru", 'a = "\\q"', "[a", "a = 1.", "a = 2020-01-01", "a.b = 1\na = 2"]


@pytest.mark.parametrize("text", GOOD)
def test_forms_that_files_may_have(text):
    assert small_toml.loads(text) == tomllib.loads(text)


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_toml_names_its_line(text):
    with pytest.raises(ValueError, match="line [12]: "):
        small_toml.loads(text)


def test_not_a_number_is_a_number():
    assert math.isnan(small_toml.loads("a = nan")["a"])


@examples(200)
@given(st.text("ab=[]{}.,\"'\\#\n 01-_", max_size=20))
def test_any_text_is_read_or_refused_as_by_the_library(text):
    try:
        found = small_toml.loads(text)
    except ValueError:
        return
    try:
        assert found == tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        pass  # it forgives some mistakes
