"""The copy of a network for boards without onnx."""

import pytest

pytest.importorskip("onnx")

from hotpath.deploy.bundles import prepared
from hotpath_research.train import ship


def test_the_copy_for_boards_is_prepared_anew(tmp_path):
    (tmp_path / "kestrel").mkdir()
    (tmp_path / "kestrel" / "old.onnx").write_bytes(b"old")
    assert ship.main(["kestrel", "--out", str(tmp_path)]) == 0
    kept = prepared.read(tmp_path / "kestrel")
    assert "whole-search0.onnx" in kept["files"]
    assert not (tmp_path / "kestrel" / "old.onnx").exists()
    assert not [name for name in kept["files"] if not name.startswith(("whole-", "cut-"))]
