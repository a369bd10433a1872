"""The page of estimated times is what its command prints."""

from tests.fps import jetson
from tests.support import ROOT


def test_the_page_is_of_today(capsys):
    jetson.main()
    assert capsys.readouterr().out == (ROOT / "docs/results/jetson.md").read_text(encoding="utf-8")
