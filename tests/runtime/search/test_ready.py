"""What a search needs is open before a target is lost."""

import shutil
import threading
import time

import numpy as np
import pytest

from hotpath import load_tracker
from hotpath.runtime.networks import canonical

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


def test_graphs_of_several_windows_are_opened_at_the_start(tmp_path, monkeypatch):
    defaults = (*canonical.load.__defaults__[:-1], str(tmp_path / "cache"))
    monkeypatch.setattr(canonical.load, "__defaults__", defaults)
    asked = dict(engine="onnxruntime", precision="fp32", recover=True, search_windows=3)
    picture = np.random.RandomState(1).randint(0, 255, (240, 320, 3)).astype(np.uint8)
    with load_tracker("kestrel_fast", **asked) as tracker:
        ends = time.monotonic() + 60
        while any(thread.name == "batches" for thread in threading.enumerate()):
            assert time.monotonic() < ends
            time.sleep(0.02)
        shutil.rmtree(str(tmp_path / "cache"))  # by whoever cleans caches
        tracker.init(picture, (100, 80, 60, 50))
        states = [tracker.update(np.zeros_like(picture)).state for _ in range(40)]
        assert states[-1] == "lost"
        assert tracker.search is not None and tracker.identity.gone_frames > 20
