"""Every figure of README stands in a stored file, and its table is made of one."""

import csv
import re

import pytest

from hotpath_release import figures


def test_readme_says_what_the_stored_files_say():
    said = "run `python -m hotpath_release.figures OUT/public/table.csv`, or correct readme.csv"
    assert figures.problems(figures.README.read_text(encoding="utf-8")) == [], said


def test_the_page_has_the_same_table_and_that_of_each_set():
    page = figures.PAGE.read_text(encoding="utf-8")
    for made in (
        figures.answer(),
        figures.rendered(),
        figures.of_sets(),
        figures.ahead(),
        figures.of_starts(),
    ):
        assert made in page
    for path, run in figures.RUNS.items():
        assert run.findall(page) == [figures.run_of(path)]


def edited():
    """README with one number more by one, once for each number that is no part of a name."""
    text = figures.README.read_text(encoding="utf-8")
    hidden = {
        index
        for pattern in (figures.CODE, figures.NAMES)
        for found in pattern.finditer(text)
        for index in range(*found.span())
    }
    for found in re.finditer(r"\d+", text):
        if found.start() not in hidden:
            number = str(int(found[0]) + 1).zfill(len(found[0]))
            yield text[: found.start()] + number + text[found.end() :], found


def test_each_number_that_is_edited_is_noticed():
    pages = list(edited())
    assert pages
    for text, found in pages:
        assert figures.problems(text), f"{found[0]} at {found.start()}"


@pytest.mark.parametrize("file", ["found.csv", "public-sequences.csv", "robustness.csv"])
def test_a_stored_file_that_is_edited_is_noticed(file, tmp_path, monkeypatch):
    for path in [*figures.RESULTS.glob("*.csv"), *figures.RESULTS.glob("*.json")]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name in ("RESULTS", "CLAIMS", "STORED"):
        place = getattr(figures, name)
        monkeypatch.setattr(figures, name, tmp_path / (place.name if place.suffix else ""))
    text = figures.README.read_text(encoding="utf-8")
    assert not figures.problems(text)
    with open(tmp_path / file, newline="") as opened:
        rows = list(csv.reader(opened))
    more = [[re.sub(r"^-?\d+\.\d+$", "0.12345", cell) for cell in row] for row in rows]
    with open(tmp_path / file, "w", newline="") as opened:
        csv.writer(opened).writerows(more)
    assert figures.problems(text)
