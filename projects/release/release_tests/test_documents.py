"""The documents: with links and figures that are there."""

import re
import sys

import pytest

from tests.support import ROOT, files

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="documents are read off a board")
DOCS = ROOT / "docs"
RESULTS = DOCS / "results"
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


def test_the_list_of_results_is_complete():
    listed = set(LINK.findall((RESULTS / "index.md").read_text(encoding="utf-8")))
    assert {path.name for path in RESULTS.glob("*.md")} - {"index.md"} <= listed
