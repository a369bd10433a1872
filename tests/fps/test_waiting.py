"""The experiment on waiting runs every way that this process may take, and tells all of them."""

import mmap

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from runtime import load_tracker
from tests.fps import clips, waiting
from tests.support.tiny import write_network


def test_every_allowed_way_is_timed_in_every_round(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "LEARNING", 1)
    monkeypatch.setattr(waiting.Touching, "regions", [np.ones(4096, np.uint8)])
    tracker = load_tracker(write_network(tmp_path), engine="onnxruntime")
    flat_ms, results = waiting.measure(
        tracker, clips.film(12), 25, rounds=2, frames=3, say=lambda text: None
    )
    tracker.close()
    titles = [way.title for way in waiting.ways() if waiting.allowed(way)]
    assert [result["way"] for result in results] == titles and len(titles) >= 7
    assert all(len(result["total"]) == 6 and len(result["ratios"]) == 2 for result in results)
    lines = waiting.table(flat_ms, results).splitlines()
    assert len(lines) == 4 + len(titles)
    busy = next(r for r in results if "busily" in r["way"])
    asleep = next(r for r in results if r["way"].endswith("sleeps"))
    assert np.median(busy["processor"]) > np.median(asleep["processor"])


def test_memory_that_came_since_is_found_and_bounded():
    before = waiting.writable_memory()
    memory = mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    held = np.frombuffer(memory, np.uint8)
    regions = waiting.grown(before, waiting.writable_memory())
    start = held.ctypes.data
    assert any(r.ctypes.data <= start < r.ctypes.data + r.nbytes for r in regions)
    assert sum(r.nbytes for r in regions) <= waiting.MOST_TOUCHED_BYTES
