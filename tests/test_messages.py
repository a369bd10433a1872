"""Sentences of errors stand in one file, and tests look at what errors are about."""

import re

from tests.documents import messages
from tests.support import ROOT

MOST = 113  # regular expressions that tests match sentences with; lower it when there are fewer


def test_every_sentence_of_an_error_is_in_the_file():
    """After a new wording, run ``python -m tests.documents.messages`` and read the difference."""
    assert messages.FILE.read_text(encoding="utf-8").splitlines() == messages.render().splitlines()


def test_a_new_wording_changes_one_line_of_the_file(tmp_path):
    (tmp_path / "room").mkdir()
    path = tmp_path / "room" / "errors.py"
    path.write_text(
        "class HotpathError(Exception):\n    'Base.'\n"
        "class NoDoor(HotpathError):\n    'No way in.'\n"
        "HINT = 'look left'\n"
        "def door(name):\n    raise NoDoor(f'no door {name}; ' + HINT, what='closed')\n"
        "def key():\n    raise NoDoor('no key')\n"
    )
    before = messages.render(tmp_path, ["room"]).splitlines()
    path.write_text(path.read_text().replace("look left", "look right"))
    after = messages.render(tmp_path, ["room"]).splitlines()
    assert [pair for pair in zip(before, after) if pair[0] != pair[1]] == [
        ("  no door {name}; look left [closed]", "  no door {name}; look right [closed]")
    ]
    assert after[-1] == "  no key"


PROGRAMS = "python python3 make hotpath pip sudo rsync ssh ffmpeg export chmod apt git".split()


def test_backticks_in_a_sentence_hold_a_command():
    """``error.command`` is what stands between the first two."""
    lines = messages.FILE.read_text(encoding="utf-8").splitlines()
    sentences = [line for line in lines if line.startswith("  ") and "`" in line]
    first = [re.split("[ '}]", line.split("`")[1])[0] for line in sentences]
    assert len(first) > 80
    assert not [word for word in first if word not in PROGRAMS and not word.startswith("{")]


def test_few_tests_match_the_words_of_a_sentence():
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    assert sum(len(re.findall(r"\bmatch=", text)) for text in texts) <= MOST
