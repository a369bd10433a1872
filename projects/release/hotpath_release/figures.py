"""python -m hotpath_release.figures: keep the figures of a run, and write README's table from them.

    python -m hotpath_lab.readme --data DIR --out OUT
    python -m hotpath_release.figures OUT/public/table.csv

With ``hotpath_lab.readme --accuracy docs/results/public-sequences.csv`` the times alone are new.

It writes docs/results/public-sequences.csv, and the table and its caption in README and in
docs/results/public-sequences.md. Correct the sentences of both pages yourself.
"""

import argparse
import csv
import datetime
import os
import re

from hotpath_lab import evaluation_report, provenance
from tests.support import ROOT

README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results"
PAGE = RESULTS / "public-sequences.md"
STORED = RESULTS / "public-sequences.csv"
TABLE = re.compile(r"^\| tracker \|.*\n(\|.*\n)+", re.MULTILINE)
CAPTION = re.compile(r"^Measured on 20\d\d-.*", re.MULTILINE)  # below README's table


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m hotpath_release.figures")
    parser.add_argument("table", help="table.csv of hotpath_lab.readme")
    parser.add_argument("--commit", default=provenance.commit(), help="that ran (default: this)")
    options = parser.parse_args(arguments)
    store(options.table, options.commit)
    for path in (README, PAGE):
        table = rendered(path == PAGE)
        text = TABLE.sub(table.replace("\\", r"\\"), path.read_text(encoding="utf-8"), count=1)
        path.write_text(CAPTION.sub(lambda _: caption(), text), encoding="utf-8")
    return 0


def store(path, commit):
    """Keep the figures of a table.csv, with the date, the commit and the machine."""
    made = f"{datetime.date.today().isoformat()} {(commit or 'unknown')[:8]}"
    machine = f"{provenance.processor()}, {os.cpu_count()} cores"
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["success"]]
    # without times at rest their column stays empty: those of a busy computer say nothing
    kept = [
        key for key in rows[0] if key == evaluation_report.AT_REST or any(row[key] for row in rows)
    ]
    kept = [key for key in kept if key not in ("made", "machine")]  # of an earlier table
    with open(STORED, "w", newline="") as file:
        writer = csv.DictWriter(file, [*kept, "made", "machine"], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            cells = {key: rounded(row[key]) for key in kept}
            writer.writerow(dict(cells, made=made, machine=machine))


def rounded(value):
    """A number with five digits after the point; anything else as it is."""
    return f"{float(value):.5f}" if re.fullmatch(r"-?\d*\.\d+(e-?\d+)?", value) else value


def rendered(intervals=False):
    """The table from the stored figures: that of README, or with intervals that of its page."""
    return evaluation_report.readme_table(evaluation_report.read_means(STORED), intervals) + "\n"


def caption():
    """The sentence below README's table: when, at which commit and on which machine it was made."""
    with open(STORED, newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["clip"] == "mean")
    date, commit = row["made"].split()
    measured = f"Measured on {date}, commit {commit}, {row['machine']}."
    if not row.get(evaluation_report.AT_REST):
        return measured
    return measured + " The times are medians of a frame on one core; the trackers ran in turns."


if __name__ == "__main__":
    raise SystemExit(main())
