"""README's table is what the CSV of an evaluation says."""

import csv

from hotpath_lab import readme

COLUMNS = "tracker clip clips success success_low success_high ms difference difference_low".split()
ROWS = (
    ("kestrel-int8", "Biker", 1, 0.5, "", "", 3.0, "", ""),
    ("kestrel-int8", "mean", 8, 0.6124, 0.5, 0.70449, 2.5, "", ""),
    ("kestrel-int8", "mean of unseen", 3, 0.5996, "", "", 2.5, "", ""),
    ("TrackerNano", "mean", 8, 0.58, 0.49, 0.66, "", -0.0325, -0.1),
    ("TrackerNano", "mean of unseen", 3, 0.6, "", "", "", 0.0004, ""),
)


def means(tmp_path, more=()):
    with open(tmp_path / "table.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "difference_high", *more])
        writer.writerows([*row, 0.01 if row[-1] else "", *[0.0125 for _ in more]] for row in ROWS)
    return readme.read(tmp_path / "table.csv")


def test_each_cell_is_a_figure_of_the_csv(tmp_path):
    table = readme.table(means(tmp_path), {"TrackerNano": 4.9}).splitlines()
    assert table[0] == (
        "| tracker | AUC, 8 sequences | its 3 unseen, and the difference to the default | ms |"
    )
    assert table[2] == "| **`kestrel`, INT8, the default** | .612 [.500, .704] | .600 | 2.50 |"
    assert table[3] == "| OpenCV's TrackerNano | .580 [.490, .660] | .600, +.000 | 4.90 |"


def test_wrong_claims_have_a_column_where_they_were_measured(tmp_path):
    table = readme.table(means(tmp_path, [readme.DRIFT, readme.SILENT])).splitlines()
    assert table[0].endswith("| of the frames that show it: `tracked`; beside it | ms |")
    assert table[3].endswith("| 99 %; 1.2 % | – |")


def test_a_difference_has_its_sign_and_interval(tmp_path):
    whole = means(tmp_path)["TrackerNano"]["all"]
    assert readme.difference(whole) == ", −.033 [−.100, +.010]"
