"""A run on a busy computer says so; on an idle one it says nothing."""

import os
import time

import pytest

from hotpath.app.cli import other_programs
from hotpath.app.cli.other_programs import OtherPrograms


@pytest.mark.skipif(not os.path.exists(other_programs.STAT), reason="Linux counts")
@pytest.mark.parametrize("share, says", [(0.0, False), (0.4, False), (1.0, True)])
def test_what_others_took_is_said_where_no_processor_was_left(tmp_path, share, says):
    path, ticks = tmp_path / "stat", os.sysconf("SC_CLK_TCK")
    path.write_text("cpu 1000 0 500 9000 0 0 0\n")
    others = OtherPrograms(str(path))
    others._began_s -= 10.0
    count = os.cpu_count()
    path.write_text(f"cpu {1000 + int(share * 10 * count * ticks)} 0 500 9000 0 0 0\n")
    text = others.text()
    assert bool(text) == says and (not says or f"of {count} processors busy" in text)


def test_without_counts_nothing_is_said(tmp_path):
    others = OtherPrograms(str(tmp_path / "none"))
    time.sleep(0.01)
    assert others.text() == ""
