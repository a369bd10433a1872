"""The table of one-stream trackers, of a small network with the names of OSTrack."""

import re

import pytest

pytest.importorskip("torch")

from hotpath.calib.research.export import one_stream as exports
from tests.calib.research.export.test_one_stream import write_checkout
from tests.documents import one_stream


def test_a_network_gets_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "timm_library", lambda: None)  # the small network needs none
    folder, config, _ = write_checkout(tmp_path)
    code = f"code/../{config.name}"
    got = one_stream.measure("small", "ostrack", code, folder.parent, tmp_path, 1)
    assert got["parameters"] == pytest.approx((3 * 256 * 8 + 8 + 8 * 5 + 5) / 1e6, rel=0.02)
    assert got["mmac"] == pytest.approx(256 * 8 * (768 + 2 * 320 + 5) / 1e6, rel=0.02)
    assert set(got["times"]) == {"fp32", "int8"}
    costs = one_stream.rewritten("| small | 1 | 2 | 3 | 4 | 5 | 6 | — | 71.0 |", "small", got)
    assert re.match(r"\| small \| 0\.0 \| \d+ \|.* to \d+ \| — \| 71\.0 \|$", costs)
    for line in ("| small | 1 | 2 |", "| other | 1 | 2 | 3 | 4 | 5 | 6 | 7 |"):
        assert one_stream.rewritten(line, "small", got) == line
