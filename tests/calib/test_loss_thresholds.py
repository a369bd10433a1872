"""Thresholds of lost targets: fitted on clips in a folder, told as JSON."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.calib import loss_thresholds
from hotpath.calib.vanishing import LENGTH
from tests.support import tiny
from tests.support.clips import write_clip

pytest.importorskip("onnxruntime")


def test_lost_targets_are_counted_where_they_were_made_to_go(tmp_path, capsys):
    toml, out = tiny.write_network(tmp_path), tmp_path / "out.json"
    write_clip(tmp_path / "clips" / "film", *tiny.film(100))
    toml.with_name(toml.stem + "-int8.toml").write_text("reading this form would fail")
    arguments = ["--clips", str(tmp_path / "clips"), "--networks", str(toml), "--json", str(out)]
    assert loss_thresholds.main(arguments) == 0
    (report,) = json.loads(out.read_text())
    assert report["network"] == toml.stem  # whatever form this processor prefers
    # in each of both made clips for so many frames, and at least while it is gone
    assert report["knowing"]["all"]["frames"] >= 2 * LENGTH
    assert "certainty" in capsys.readouterr().out


def test_a_clip_of_one_frame_is_one_sentence(tmp_path, capsys):
    toml = tiny.write_network(tmp_path)
    write_clip(tmp_path / "clips" / "still", *tiny.film(1))
    assert loss_thresholds.main(["--clips", str(tmp_path / "clips"), "--networks", str(toml)]) == 2
    assert "still: has one frame" in capsys.readouterr().err


def test_an_overlap_between_both_limits_is_neither_lost_nor_followed():
    clip = SimpleNamespace(name="clip", boxes=np.tile((0.0, 0.0, 10.0, 10.0), (4, 1)))
    rows = [((left, 0.0, 10.0, 10.0), 0.5, 0.5) for left in (0.0, 6.7, 20.0)]  # overlap 1, .2, 0
    run = loss_thresholds.judged(clip, rows)
    assert run.lost.tolist() == [False, False, True] and run.known.tolist() == [True, False, True]
