"""One tracker belongs to one thread at a time, and says so."""

import threading

import numpy as np
import pytest

from hotpath.runtime import load_targets, load_tracker
from hotpath.runtime.errors import NotReady
from tests.support import tiny


@pytest.fixture
def network(tmp_path):
    return str(tiny.write_network(tmp_path))


def overlapping(device, update, monkeypatch):
    """What a second thread gets while the first is in ``update``."""
    inside, may_go = threading.Event(), threading.Event()
    look = device.look

    def waits(frame, looks):
        inside.set()
        assert may_go.wait(10)
        return look(frame, looks)

    monkeypatch.setattr(device, "look", waits)
    frame = np.zeros((120, 160, 3), np.uint8)
    first = threading.Thread(target=update, args=(frame,))
    first.start()
    assert inside.wait(10)
    try:
        with pytest.raises(NotReady, match="another thread"):
            update(frame)
    finally:
        may_go.set()
        first.join()
    update(frame)  # afterwards all is well


def test_a_second_thread_on_a_tracker_is_refused(network, monkeypatch):
    with load_tracker(network=network) as tracker:
        tracker.init(np.zeros((120, 160, 3), np.uint8), (40, 40, 30, 30))
        overlapping(tracker.device, tracker.update, monkeypatch)


@pytest.mark.parametrize("count", [1, 2])
def test_a_second_thread_on_several_targets_is_refused(network, monkeypatch, count):
    targets = load_targets(network=network)
    try:
        for n in range(count):
            targets.add(np.zeros((120, 160, 3), np.uint8), (40 + n, 40, 30, 30))
        overlapping(targets.device, targets.update, monkeypatch)
    finally:
        targets.close()
