"""The experiment on waiting times every way in every round, and tells all of them."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from runtime import load_tracker
from tests.fps import clips, waiting
from tests.support.tiny import write_network


def test_every_way_is_timed_in_every_round(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "LEARNING", 1)
    tracker = load_tracker(write_network(tmp_path), engine="onnxruntime")
    flat_ms, results = waiting.measure(
        tracker, clips.film(12), 25, rounds=2, frames=3, say=lambda text: None
    )
    tracker.close()
    assert [result["way"] for result in results] == [way.title for way in waiting.WAYS]
    assert all(len(result["total"]) == 6 and len(result["ratios"]) == 2 for result in results)
    assert len(waiting.table(flat_ms, results).splitlines()) == 4 + len(waiting.WAYS)
    busy, asleep = (
        next(r["processor"] for r in results if word in r["way"]) for word in ("busily", "sleeps")
    )
    assert np.median(busy) > np.median(asleep)
