"""The table of README and of its page is made of the stored figures."""

import csv

import pytest

from hotpath_release import figures


@pytest.fixture(autouse=True)
def _copies(tmp_path, monkeypatch):
    for name in ("README", "PAGE", "STORED"):
        place = getattr(figures, name)
        (tmp_path / place.name).write_bytes(place.read_bytes())
        monkeypatch.setattr(figures, name, tmp_path / place.name)


def test_a_run_replaces_the_table_and_its_caption(tmp_path):
    table = tmp_path / "table.csv"
    first = next(csv.DictReader(figures.STORED.open()))["tracker"]
    table.write_text(figures.STORED.read_text().replace(f"{first},", "other,"))
    assert figures.main([str(table), "--commit", "0123456789"]) == 0
    text = figures.README.read_text(encoding="utf-8")
    assert "**`other`, the default**" in text and ", commit 01234567, " in text
    assert "**`other`, the default**" in figures.PAGE.read_text(encoding="utf-8")


def test_times_of_a_busy_computer_are_not_published(tmp_path):
    with figures.STORED.open(newline="") as file:
        rows = [dict(row, ms="34.6", ms_at_rest="", ms_in_fp32="") for row in csv.DictReader(file)]
    with (tmp_path / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    figures.main([str(tmp_path / "table.csv"), "--commit", "0123456789"])
    text = figures.README.read_text(encoding="utf-8")
    assert "34.6" not in text and "the default** | " in text and " | – |\n" in text
    assert "cores.\n" in text and "medians" not in text
