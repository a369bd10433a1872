"""python -m hotpath_release.figures: keep the figures of a run, and write README's table from them.

    hotpath evaluate --benchmark public --data DIR --out OUT
    python -m hotpath_release.figures OUT/public/table.csv

It writes docs/results/public-sequences.csv, and what is made of it in README and in the page. With
--published and --starts it also keeps the figures of a run with --compare and of one with --starts
6. docs/results/readme.csv has every other figure of README: the words with {} in its place, the
value, and the cell of a stored file that has it. ``problems`` names each figure of README that no
stored file has.
"""

import argparse
import csv
import datetime
import json
import os
import re

from hotpath_lab import provenance, readme
from tests.support import ROOT

README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results"
PAGE = RESULTS / "public-sequences.md"
CLAIMS = RESULTS / "readme.csv"
STORED = RESULTS / "public-sequences.csv"
PUBLISHED = RESULTS / "published.csv"
STARTS = RESULTS / "starts.csv"
SETS = {"otb100": "OTB100", "uav123_10fps": "UAV123@10fps", "dtb70": "DTB70"}
BEST = 8  # published trackers of a set in the page
OF_SETS = re.compile(r"^\| tracker, by set \|.*\n(\|.*\n)+", re.MULTILINE)
TABLE = re.compile(r"^\| tracker \|.*\n(\|.*\n)+", re.MULTILINE)
CAPTION = re.compile(r"^Measured on 20\d\d-.*", re.MULTILINE)  # below README's table
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`|\]\([^)]*\)", re.MULTILINE | re.DOTALL)
# names of things with a digit, and versions of what a user needs
NAMES = re.compile(
    r"x86-64|Python 3\.\d+|Pi 4 and 5|image 3\.1\.2|ROS 2|Apache-2\.0|BY 4\.0|"
    r"[A-Za-z_]+-?\d+(@\d+\w+)?"
)
RUNS = {  # what stands before the date, commit and machine of a file's figures in the page
    path: re.compile(rf"(?<={words} )20\d\d-.*?cores")
    for path, words in ((PUBLISHED, "judged"), (STARTS, "nanotrack_v2`\\."))
}
DEFINITION = "definition"  # the source of a figure that nobody measured


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m hotpath_release.figures")
    parser.add_argument("table", help="table.csv of `hotpath evaluate --benchmark public`")
    parser.add_argument("--published", metavar="TABLE", help="the same, of published boxes")
    parser.add_argument("--starts", metavar="TABLE", help="the same, from six starts")
    parser.add_argument("--commit", default=provenance.commit(), help="that ran (default: this)")
    options = parser.parse_args(arguments)
    tables = {STORED: options.table, PUBLISHED: options.published, STARTS: options.starts}
    for place, table in tables.items():
        if table:
            store(table, place, options.commit, only_means=place != STORED)
    for path in (README, PAGE):
        text = path.read_text(encoding="utf-8")
        text = TABLE.sub(lambda _: rendered(), text, count=1)
        text = CAPTION.sub(lambda _: caption(), text)
        path.write_text(text, encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    text = OF_SETS.sub(lambda _: of_sets(), text)
    text = re.sub(r"^Of each sequence from six.*", lambda _: of_starts(), text, flags=re.MULTILINE)
    text = re.sub(
        r"^20\d\d-.*?(?=, one thread)", lambda _: run_of(STORED), text, flags=re.MULTILINE
    )
    text = re.sub(r"^Published boxes with a larger.*", lambda _: ahead(), text, flags=re.MULTILINE)
    for path in (PUBLISHED, STARTS):
        text = RUNS[path].sub(lambda _, path=path: run_of(path), text)
    question, _, rest = text.split("\n\n", 2)
    PAGE.write_text("\n\n".join([question, answer(), rest]), encoding="utf-8")
    return 0


def run_of(path):
    """Date, commit and machine of stored figures, for the page."""
    with open(path, newline="") as file:
        row = next(csv.DictReader(file))
    date, commit = row["made"].split()
    return f"{date}, commit {commit}, {row['machine']}"


def answer():
    """The page's answer in one sentence."""
    first, *_ = readme.read(STORED).values()
    whole, unseen = first[readme.ALL], first[readme.UNSEEN]
    return (
        f"On {whole['clips']} public sequences the box of `kestrel` in INT8 has an AUC of "
        f"{readme.figure(whole, 'success')}{readme.between(whole, 'success')}, and on the "
        f"{unseen['clips']} unseen ones {readme.figure(unseen, 'success')}."
    )


def ahead():
    """A sentence with the published trackers whose AUC is larger than the default's."""
    ours, theirs = next(iter(readme.read(STORED).values())), readme.read(PUBLISHED)
    told = []
    for key, title in SETS.items():
        for part, where in ((key, title), (f"{key} unseen", "unseen")):
            aucs = {name: float(of[part]["success"]) for name, of in theirs.items() if part in of}
            more = sorted(name for name, auc in aucs.items() if auc > float(ours[part]["success"]))
            told.append(
                f"{where} {len(more)} of {len(aucs)}" + f" ({', '.join(more)})" * bool(more)
            )
    return f"Published boxes with a larger AUC than `kestrel`'s: {', '.join(told)}."


def of_starts():
    """A sentence on the figures from six starts."""
    told = []
    for name, groups in readme.read(STARTS).items():
        whole, unseen = groups[readme.ALL], groups[readme.UNSEEN]
        told.append(
            f"{readme.shown(name)} {readme.figure(whole, 'success')}"
            f"{readme.between(whole, 'success')}, unseen {readme.figure(unseen, 'success')}"
            f"{readme.difference(unseen)}"
        )
    return f"Of each sequence from six starts: {'; '.join(told)}."


def store(path, kept_as, commit, only_means):
    """Keep the figures of a table.csv, with the date, the commit and the machine."""
    made = f"{datetime.date.today().isoformat()} {(commit or 'unknown')[:8]}"
    machine = f"{provenance.processor()}, {os.cpu_count()} cores"
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["success"]]
    if only_means:
        rows = [row for row in rows if row["clip"].startswith("mean")]
    kept = [key for key in rows[0] if any(row[key] for row in rows)]
    with open(kept_as, "w", newline="") as file:
        writer = csv.DictWriter(file, [*kept, "made", "machine"], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            cells = {key: rounded(row[key]) for key in kept}
            writer.writerow(dict(cells, made=made, machine=machine))


def rounded(value):
    """A number with five digits after the point; anything else as it is."""
    return f"{float(value):.5f}" if re.fullmatch(r"-?\d*\.\d+(e-?\d+)?", value) else value


def rendered():
    """README's table, from the stored figures."""
    return readme.table(readme.read(STORED)) + "\n"


def caption():
    """The sentence below README's table: when, at which commit and on which machine it was made."""
    times = "The times are medians of a frame on one core; the trackers ran in turns"
    return f"Measured on {run_of(STORED)}. {times}."


def of_sets():
    """The page's table: AUC and precision on each set and its unseen part, with published boxes."""
    ours, theirs = readme.read(STORED), readme.read(PUBLISHED)
    parts = [part for key in SETS for part in (key, f"{key} unseen")]
    first = next(iter(ours.values()))
    titles = [f"{SETS.get(part, 'unseen')}, {first[part]['clips']}" for part in parts]
    best = set()
    for key in SETS:
        whole = [name for name, of in theirs.items() if of.get(key, {}).get("success")]
        best |= set(sorted(whole, key=lambda name: -float(theirs[name][key]["success"]))[:BEST])
    named = {readme.shown(name): of for name, of in ours.items()}
    named.update({f"{name}, published boxes": theirs[name] for name in sorted(best)})
    lines = [["tracker, by set", *titles], ["---"] * (1 + len(titles))]
    for name, of in named.items():
        lines.append([name, *(pair(of.get(part, {})) for part in parts)])
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def pair(row):
    """AUC, and precision in brackets; empty where a tracker has none."""
    if not row.get("success"):
        return ""
    return f"{readme.figure(row, 'success')} ({readme.figure(row, 'precision')})"


def has(source, values):
    """Whether the cells that a source names, FILE|KEY|...|COLUMN,COLUMN, have these values."""
    name, *keys, columns = source.split("|")
    text = (RESULTS / name).read_text(encoding="utf-8")
    rows = json.loads(text)["rows"] if name.endswith(".json") else csv.DictReader(text.splitlines())
    for row in rows:
        cells = {**(row["ms"] if isinstance(row.get("ms"), dict) else {}), **row}
        if set(keys) <= {str(cell) for cell in cells.values()}:
            return [written(cells[c], v) for c, v in zip(columns.split(","), values)] == values
    return False


def written(cell, value):
    """A cell as a document writes it, with the digits of ``value`` and without its sign."""
    text = f"{abs(float(cell)):.{len(value.partition('.')[2])}f}"
    return text.lstrip("0") if value.startswith(".") else text


def problems(text):
    """A sentence for each figure of README's text that no stored file has."""
    left, wrong = text.replace(rendered(), ""), []
    if left == text:
        wrong.append("the table is not of public-sequences.csv")
    if caption() not in left:
        wrong.append(f"below the table README does not say: {caption()}")
    left = left.replace(caption(), "")
    with open(CLAIMS, newline="", encoding="utf-8") as file:
        claims = list(csv.DictReader(file))
    for row in claims:
        values = row["value"].split(";")
        claim = row["claim"].format(*values)
        if claim not in left:
            wrong.append(f"README does not say: {claim}")
        elif row["source"] != DEFINITION and not has(row["source"], values):
            wrong.append(f"{row['source']} does not have {row['value']}")
        left = left.replace(claim, "", 1)
    left = NAMES.sub("", CODE.sub("", left))
    return wrong + [f"no file has: {line}" for line in left.splitlines() if re.search(r"\d", line)]


if __name__ == "__main__":
    raise SystemExit(main())
