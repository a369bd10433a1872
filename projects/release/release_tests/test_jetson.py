"""The page of estimated times has what its command prints."""

import re

from hotpath_release import jetson
from tests.support import ROOT


def test_the_page_is_of_today(capsys):
    jetson.main()
    page = (ROOT / "docs/results/jetson.md").read_text(encoding="utf-8")
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(jetson.RATES) + 5 and all(line in page for line in printed)


def test_the_tutorial_of_a_jetson_has_the_same_estimates(capsys):
    jetson.main()
    printed = capsys.readouterr().out
    tutorial = (ROOT / "docs/tutorials/board.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w ]+) \| ([\d.]+) to ([\d.]+) \|$", tutorial, re.MULTILINE)
    assert len(rows) == 3
    for title, low, high in rows:
        name = "jetson_" + title.lower().replace(" ", "_")
        (frame,) = re.findall(rf"^\| `{name}` \| [^|]+ \| ([^|]+) \|", printed, re.MULTILINE)
        assert [f"{float(end):.1f}" for end in frame.split(" to ")] == [low, high]
