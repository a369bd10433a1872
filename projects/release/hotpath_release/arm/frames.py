"""Track frames and mark each step for the plugin that counts instructions (``count.c``).

    python -m hotpath_release.arm.frames FRAMES.npz KEY=VALUE...     our tracker, as in ``boxes``
    python -m hotpath_release.arm.frames FRAMES.npz BACKBONE HEAD    OpenCV's TrackerNano

A mark is a system call that the plugin writes down.
"""

import ctypes
import sys

import cv2
import numpy as np

from hotpath.runtime import load_tracker

MARK = 0x4850  # of count.c
BEGIN, CROP, NETWORK, SELECT = range(4)
WARM_UP = 2  # frames
GETPRIORITY = ctypes.CDLL(None).getpriority


def main(path, *words):
    with np.load(path) as clip:
        frames, box = clip["frames"], tuple(float(value) for value in clip["box"])
    cv2.setNumThreads(1)
    if "=" in words[0]:
        pairs = dict(word.split("=", 1) for word in words)
        recover = False if pairs.pop("recover", None) == "no" else None
        _ours(load_tracker(threads=1, recover=recover, **pairs), frames, box)
    else:
        _opencv(words[0], words[1], frames, box)


def _ours(tracker, frames, box):
    """Mark the network's call within each frame; what comes before it is the crop."""
    search = tracker.engine.search

    def marked(features):
        mark(CROP)
        maps = search(features)
        mark(NETWORK)
        return maps

    counted = warmed_up(tracker, frames, box)
    tracker.engine.search = marked
    for frame in counted:
        mark(BEGIN)
        tracker.update(frame)
        mark(SELECT)


def _opencv(backbone, head, frames, box):
    parameters = cv2.TrackerNano_Params()
    parameters.backbone, parameters.neckhead = backbone, head
    tracker = cv2.TrackerNano_create(parameters)
    for frame in warmed_up(tracker, frames, tuple(int(round(value)) for value in box)):
        mark(BEGIN)
        tracker.update(frame)
        mark(SELECT)


def warmed_up(tracker, frames, box):
    """Start a tracker on the first frames; returns those that count."""
    tracker.init(frames[0], box)
    for frame in frames[1 : 1 + WARM_UP]:
        tracker.update(frame)
    return frames[1 + WARM_UP :]


def mark(number):
    GETPRIORITY(MARK, number)


if __name__ == "__main__":
    main(*sys.argv[1:])
