"""The page of estimated times has what its command prints."""

import re

from hotpath.app.cli.networks.__main__ import main as networks
from hotpath_release import jetson
from tests.support import ROOT


def test_the_page_is_of_today(capsys):
    jetson.main()
    page = (ROOT / "docs/results/jetson.md").read_text(encoding="utf-8")
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(jetson.RATES) + 5 and all(line in page for line in printed)


def test_the_page_and_networks_show_count_the_same_kernels(capsys):
    assert networks(["show", "kestrel"]) == 0
    (count,) = re.findall(r"^kernels +about (\d+) a frame", capsys.readouterr().out, re.MULTILINE)
    page = (ROOT / "docs/results/jetson.md").read_text(encoding="utf-8")
    assert f"multiply-accumulates, {count} kernels." in page
