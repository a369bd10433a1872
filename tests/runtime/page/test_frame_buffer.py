"""The frames that are kept: the newest all, the older sparser, one that is held for good."""

import numpy as np

from runtime.page.control import Shot
from runtime.page.frame_buffer import Ring

FRAME = np.zeros((10, 10, 3), np.uint8)


def filled(count, most, held=None):
    """A ring of so many frames at most, through which ``count`` frames went."""
    ring = Ring(most * FRAME.nbytes)
    for index in range(count):
        ring.add(Shot(FRAME, index, None, {}))
        if index == held:
            ring.hold("hand", index)
    return ring


def kept(ring, count):
    return [index for index in range(count) if ring.since(index)]


def test_memory_has_an_end_and_the_newest_frames_are_all_there():
    indices = kept(filled(1000, 40), 1000)
    assert len(indices) <= 40
    assert indices[-20:] == list(range(980, 1000))
    assert indices[0] < 960, "older ones are sparser, not gone"


def test_a_frame_that_is_held_stays_until_it_is_let_go():
    ring = filled(1000, 40, held=300)
    shots = ring.since(300)
    assert shots[0].index == 300 and shots[-1].index == 999
    assert len(shots) <= 40
    ring.hold("hand", None)
    for index in range(1000, 2000):
        ring.add(Shot(FRAME, index, None, {}))
    assert ring.since(300) == []


def test_holding_all_of_them_does_not_fill_the_memory():
    ring = Ring(20 * FRAME.nbytes)
    for index in range(500):
        ring.add(Shot(FRAME, index, None, {}))
        ring.hold(index, index)
    assert len(kept(ring, 500)) <= 40


def test_a_frame_that_was_never_there_is_not_found():
    ring = filled(10, 40)
    ring.hold("hand", 77)
    assert ring.since(77) == [] and ring.since(-1) == []
    assert [shot.index for shot in ring.since(8)] == [8, 9]


def test_large_frames_are_fewer_but_never_too_few_to_aim():
    large = np.zeros((2000, 2000, 3), np.uint8)
    ring = Ring(1)
    for index in range(50):
        ring.add(Shot(large, index, None, {}))
    assert len(kept(ring, 50)) >= 5
