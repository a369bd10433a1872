"""Follow a target through frames and write the boxes, on whatever machine this runs.

    python -m tests.arm.boxes FRAMES.npz OUT.json KEY=VALUE...

FRAMES.npz holds ``frames``, (count, H, W, 3) uint8 BGR, and ``box``. They are decoded pixels, so
that two machines see the same. Each KEY=VALUE is an argument of ``runtime.load_tracker``. OUT.json
gets the names of network and engine, and for each frame after the first (x, y,
w, h, score).
"""

import json
import sys

import numpy as np

from runtime import load_tracker


def main(path, out, *pairs):
    """See above."""
    with np.load(path) as clip:
        frames, box = clip["frames"], tuple(float(value) for value in clip["box"])
    tracker = load_tracker(**dict(pair.split("=", 1) for pair in pairs))
    tracker.init(frames[0], box)
    tracks = [tracker.update(frame) for frame in frames[1:]]
    rows = [[float(value) for value in track.box] + [float(track.score)] for track in tracks]
    with open(out, "w") as file:
        described = {"network": tracker.name, "engine": tracker.engine.describe()}
        json.dump(dict(described, rows=rows), file)


if __name__ == "__main__":
    main(*sys.argv[1:])
