"""README's table is what the CSV of an evaluation says."""

import csv
import time

import numpy as np
import pytest

from hotpath.calib.errors import BadRun
from hotpath_lab import evaluation_report, readme

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
    return evaluation_report.read_means(tmp_path / "table.csv")


def test_each_cell_is_a_figure_of_the_csv(tmp_path):
    short = evaluation_report.readme_table(means(tmp_path)).splitlines()
    assert short[2] == "| **`kestrel`, INT8, the default** | .612 | .600 | 2.50 |"
    table = evaluation_report.readme_table(means(tmp_path), intervals=True).splitlines()
    assert table[0] == "| tracker | AUC | AUC (unseen) | ms a frame |"
    assert table[2] == "| **`kestrel`, INT8, the default** | .612 [.500, .704] | .600 | 2.50 |"
    assert table[3] == "| OpenCV's TrackerNano | .580 [.490, .660] | .600, +.000 | – |"


def test_a_pair_is_shown_with_its_witness():
    names = ("lightfc-int8+kestrel-int8", "lightfc-int8", "lightfc+kestrel", "TrackerVit")
    assert [evaluation_report.shown(name) for name in names] == [
        "`lightfc` with the witness `kestrel`, INT8",
        "`lightfc`, INT8",
        "`lightfc` with the witness `kestrel`",
        "OpenCV's TrackerVit",
    ]


def test_milliseconds_at_rest_come_before_those_of_the_evaluation(tmp_path):
    of_runs = means(tmp_path)
    assert evaluation_report.readme_table(of_runs).splitlines()[2].endswith("| 2.50 |")
    for _ in range(2):  # a second time they replace the first
        readme.add_times(tmp_path / "table.csv", {"kestrel-int8": 1.25, "kestrel": 3})
    table = evaluation_report.readme_table(
        evaluation_report.read_means(tmp_path / "table.csv")
    ).splitlines()
    assert table[0].endswith("| ms a frame | ms in fp32 |")
    assert table[2].endswith("| 1.25 | 3.00 |") and table[3].endswith("| – | – |")


class Sleeper:
    """A tracker whose frames take a known time."""

    def __init__(self, ms):
        self.ms, self.seen = ms, []

    def init(self, frame, box):
        self.seen = [frame]

    def update(self, frame):
        self.seen.append(frame)
        time.sleep(self.ms / 1e3)


def test_trackers_take_turns_on_blocks_of_the_same_frames():
    running = {"slow": Sleeper(6), "fast": Sleeper(2)}
    frames = list(range(2 * readme.BLOCK + 1))
    taken = readme.in_turns(running, frames, (0, 0, 9, 9))
    assert all(tracker.seen == frames for tracker in running.values())
    assert [len(taken[name]) for name in running] == [2 * readme.BLOCK - 2] * 2
    assert 6 <= np.median(taken["slow"]) and 2 <= np.median(taken["fast"]) < 6


def test_times_are_refused_on_a_busy_computer(monkeypatch, tmp_path):
    monkeypatch.setattr(readme.os, "getloadavg", lambda: (3.0, 3.0, 3.0))
    options = readme.parser().parse_args(["--data", str(tmp_path)])
    with pytest.raises(BadRun, match="load of 3.0"):
        readme.milliseconds(options)


def test_wrong_claims_have_a_column_where_they_were_measured(tmp_path):
    table = evaluation_report.readme_table(
        means(tmp_path, [evaluation_report.DRIFT, evaluation_report.SILENT])
    ).splitlines()
    assert table[0].endswith(
        f"| {evaluation_report.SHARES[0]} | {evaluation_report.SHARES[1]} | ms a frame |"
    )
    assert table[3].endswith("| 99 | 1.3 | – |")


def test_a_difference_has_its_sign_and_interval(tmp_path):
    whole = means(tmp_path)["TrackerNano"]["all"]
    assert evaluation_report.difference(whole) == ", −.033 [−.100, +.010]"


def test_times_are_written_beside_accuracies_that_stand(tmp_path, monkeypatch):
    stored = tmp_path / "stored.csv"
    row = dict.fromkeys(("success", "success_low", "success_high", "precision"), "0.5")
    row.update(tracker="kestrel-int8", clip="mean", clips="72")
    with open(stored, "w", newline="") as file:
        writer = csv.DictWriter(file, [*row, evaluation_report.AT_REST, evaluation_report.IN_FP32])
        writer.writeheader()
        writer.writerow(row)
    monkeypatch.setattr(readme, "milliseconds", lambda options: {"kestrel-int8": 1.25})
    monkeypatch.setattr(evaluation_report, "readme_table", lambda means, intervals: "")
    out = tmp_path / "a" / "new" / "folder"
    words = ["--data", str(tmp_path), "--accuracy", str(stored), "--out", str(out)]
    assert readme.main(words) == 0
    with open(out / "public" / "table.csv", newline="") as file:
        assert next(csv.DictReader(file))[evaluation_report.AT_REST] == "1.250"
