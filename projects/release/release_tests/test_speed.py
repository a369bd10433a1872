"""What the page on speed compares, and that its figures come from both trackers."""

from types import SimpleNamespace

import cv2
import pytest

from hotpath.runtime.networks import load_network
from hotpath_release import speed
from tests.support import tiny

pytestmark = pytest.mark.skipif(
    not hasattr(cv2, "TrackerNano_create"), reason="this OpenCV has no TrackerNano"
)


def test_opencv_runs_the_same_files_where_it_can(networks_dir):
    usual = "nanotrack_v2"
    for name, runs in ("nanotrack_v1", "nanotrack_v1"), ("kestrel", usual), ("nanotrack_v3", usual):
        assert speed.OpenCvNano(load_network(name), str(networks_dir)).runs == runs


def test_a_row_has_the_steps_of_a_frame_and_the_ratio_to_opencv(networks_dir, tmp_path):
    video = str(tiny.write_pictures(tmp_path, tiny.film(30)[0]))
    options = SimpleNamespace(
        video=video, box="96,72,40,40", networks_dir=str(networks_dir), frames=20
    )
    found = speed.row("nanotrack_v2", "fp32", [speed.once(options, "nanotrack_v2", "fp32")])
    steps = sum(found["ms"][step] for step in speed.STEPS)
    assert 0 < steps <= found["ms"]["total"] * 1.1
    assert found["ratios"] == [pytest.approx(found["opencv_ms"] / found["ms"]["total"], abs=0.02)]
    assert "nanotrack_v2" in speed.line(found)


def test_a_busy_computer_is_refused_and_the_page_stays(monkeypatch, capsys):
    before = (speed.OUT / "speed.md").read_text()
    monkeypatch.setattr(speed.os, "getloadavg", lambda: (1.4, 0.2, 0.1))
    assert speed.main(["--video", "v", "--box", "1,2,3,4", "--networks-dir", "d"]) == 2
    assert "a load of 1.4" in capsys.readouterr().out
    assert (speed.OUT / "speed.md").read_text() == before
