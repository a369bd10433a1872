"""The documents: with links, commands and figures that are there."""

import csv
import json
import re
import sys

import pytest

from tests.support import ROOT, files

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="documents are read off a board")
DOCS = ROOT / "docs"
RESULTS = DOCS / "results"
# tests hold these to the design, so they are of this commit
OF_TODAY = {"fpga", "jetson"}
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def documents():
    """Every Markdown file of the sources."""
    return [ROOT / name for name in files() if name.endswith(".md")]


def prose(path):
    """The text of a document without its code blocks."""
    return CODE.sub("", path.read_text(encoding="utf-8"))


def anchors(path):
    """The anchors of a document's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_link_and_picture_leads_to_a_file_and_a_heading():
    broken = []
    for path in documents():
        for target in LINK.findall(prose(path)):
            name, _, anchor = target.partition("#")
            there = (path.parent / name).resolve() if name else path
            if re.match("https?:", target):
                continue
            missing = not there.exists() or (
                anchor and there.suffix == ".md" and anchor not in anchors(there)
            )
            if missing:
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert not broken


def test_a_result_is_a_question_an_answer_a_table_and_a_source():
    for path in sorted(RESULTS.glob("*.md")):
        if path.name == "index.md":
            continue
        text = path.read_text(encoding="utf-8")
        question, answer = text.split("\n\n")[:2]
        assert re.fullmatch(r"# .+\?", question), f"{path.name} opens with no question"
        assert re.fullmatch(r"[^|\n]+\.(\*\*)?", answer), f"{path.name} has no answer"
        opening, table = text.split("\n## ")[0], text.find("\n|--")
        assert table > 0 or "\n| ---" in text, f"{path.name} has no table"
        made = re.search(r"^(Made by|The scripts are run by) .*`", opening, re.MULTILINE)
        assert made, f"{path.name} names no command"
        assert re.search("hotpath |python3? -m |make ", made[0]), path.name
        if path.stem in OF_TODAY:
            continue
        assert re.search(r"20\d\d-\d\d-\d\d", opening[made.end() :]), f"{path.name} has no date"
        assert re.search(r"commits? [0-9a-f]{7}", opening), f"{path.name} names no commit"


def test_a_section_of_a_result_that_asks_is_answered_at_once():
    for path in sorted(RESULTS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for section in re.findall(r"^## .*\?\n.*", text.replace("\n\n", "\n"), re.MULTILINE):
            answer = section.split("\n")[1]
            assert re.fullmatch(r"[\w`][^|]*[.:]", answer), f"{path.name}: {section}"


def test_the_list_of_results_is_complete():
    listed = set(LINK.findall((RESULTS / "index.md").read_text(encoding="utf-8")))
    assert {path.name for path in RESULTS.glob("*.md")} - {"index.md"} <= listed


def test_the_list_of_clips_is_that_of_the_program():
    page = (RESULTS / "index.md").read_text(encoding="utf-8")
    listed = ROOT / "projects" / "lab" / "hotpath_lab" / "clips.csv"
    with open(listed, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for part in ("eleven", "ten"):
        names = ", ".join(row["name"] for row in rows if row["part"] == part)
        assert re.search(re.escape(f"| *{part} clips* | {names}") + r"(\.| \|)", page), part
    assert f"{sum(int(row['frames']) for row in rows):,} frames" in page


def test_raw_figures_can_be_read():
    for path in RESULTS.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
    for path in RESULTS.rglob("*.csv"):
        rows = path.read_text(encoding="utf-8").splitlines()
        assert len(rows) > 1, path
