"""Track frames and mark each step for the plugin that counts instructions (``count.c``).

    python -m tests.arm.frames FRAMES.npz KEY=VALUE...     our tracker, as in ``tests.arm.boxes``
    python -m tests.arm.frames FRAMES.npz BACKBONE HEAD    OpenCV's TrackerNano

A mark is a system call that the plugin writes down.
"""

import ctypes
import sys

import cv2
import numpy as np

from runtime import load_tracker

MARK = 0x4850  # of count.c
BEGIN, CROP, NETWORK, SELECT = range(4)
WARM_UP = 2  # frames
GETPRIORITY = ctypes.CDLL(None).getpriority


def main(path, *words):
    """See above."""
    with np.load(path) as clip:
        frames, box = clip["frames"], tuple(float(value) for value in clip["box"])
    cv2.setNumThreads(1)
    if "=" in words[0]:
        pairs = dict(word.split("=", 1) for word in words)
        _ours(load_tracker(threads=1, **pairs), frames, box)
    else:
        _opencv(words[0], words[1], frames, box)


def _ours(tracker, frames, box):
    """Take each frame's steps one by one, as ``Tracker.update`` does."""
    tracker.init(frames[0], box)
    engine = tracker.engine
    for number, frame in enumerate(frames[1:]):
        if number >= WARM_UP:
            mark(BEGIN)
        device, frame = tracker.device, tracker.begin(frame)
        scale = device.aim(frame, tracker.state, 1.0)
        if number >= WARM_UP:
            mark(CROP)
        maps = engine.search(device.features)
        if number >= WARM_UP:
            mark(NETWORK)
        tracker.judge(frame, device.select(maps, scale, engine.search_features))
        if number >= WARM_UP:
            mark(SELECT)


def _opencv(backbone, head, frames, box):
    parameters = cv2.TrackerNano_Params()
    parameters.backbone, parameters.neckhead = backbone, head
    tracker = cv2.TrackerNano_create(parameters)
    tracker.init(frames[0], tuple(int(round(value)) for value in box))
    for number, frame in enumerate(frames[1:]):
        if number >= WARM_UP:
            mark(BEGIN)
        tracker.update(frame)
        if number >= WARM_UP:
            mark(SELECT)


def mark(number):
    """Tell the plugin."""
    GETPRIORITY(MARK, number)


if __name__ == "__main__":
    main(*sys.argv[1:])
