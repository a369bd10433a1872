"""The buffer keeps all of the newest frames, every second older one, and frames that are held."""

import numpy as np

from runtime.links.frame_buffer import FrameBuffer
from runtime.types import TrackedFrame

FRAME = np.zeros((10, 10, 3), np.uint8)


def filled(count, most, held=()):
    """A buffer for ``most`` frames, after ``count`` frames were added; each held by itself."""
    buffer = FrameBuffer(most * FRAME.nbytes)
    for index in range(count):
        buffer.add(TrackedFrame(FRAME, index, None, {}))
        if index in held:
            buffer.hold(index, index)
    return buffer


def kept(buffer, count):
    return [index for index in range(count) if buffer.since(index)]


def test_memory_has_an_end_and_the_newest_frames_are_all_there():
    indices = kept(filled(1000, 40), 1000)
    assert len(indices) <= 40
    assert indices[-20:] == list(range(980, 1000))
    assert indices[0] < 960, "older ones are sparser, not gone"


def test_a_frame_that_is_held_stays_until_it_is_released():
    buffer = filled(1000, 40, held=[300])
    frames = buffer.since(300)
    assert frames[0].index == 300 and frames[-1].index == 999
    assert len(frames) <= 40
    buffer.hold(300, None)
    for index in range(1000, 2000):
        buffer.add(TrackedFrame(FRAME, index, None, {}))
    assert buffer.since(300) == []


def test_holding_all_of_them_does_not_fill_the_memory():
    assert len(kept(filled(500, 20, held=range(500)), 500)) <= 40


def test_a_frame_that_was_never_there_is_not_found():
    buffer = filled(10, 40)
    buffer.hold("hand", 77)
    assert buffer.since(77) == [] and buffer.since(-1) == []
    assert [tracked.index for tracked in buffer.since(8)] == [8, 9]


def test_large_frames_are_fewer_but_never_too_few_to_aim():
    large = np.zeros((2000, 2000, 3), np.uint8)
    buffer = FrameBuffer(1)
    for index in range(50):
        buffer.add(TrackedFrame(large, index, None, {}))
    assert len(kept(buffer, 50)) >= 5
