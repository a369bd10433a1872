"""The page of estimated times has what its command prints."""

from hotpath_release import jetson
from tests.support import ROOT


def test_the_page_is_of_today(capsys):
    jetson.main()
    page = (ROOT / "docs/results/jetson.md").read_text(encoding="utf-8")
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(jetson.RATES) + 5 and all(line in page for line in printed)
