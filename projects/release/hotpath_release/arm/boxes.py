"""Follow a target through frames and write the boxes, on whatever machine this runs.

    python -m hotpath_release.arm.boxes OUT.json FRAMES.npz KEY=VALUE...

FRAMES.npz holds ``frames``, decoded pixels, so that two machines see the same, and ``box``. Each
KEY=VALUE is an argument of ``hotpath.runtime.load_tracker``.
"""

import json
import sys

import numpy as np

from hotpath.runtime import load_tracker


def main(out, path, *words):
    tracker = load_tracker(**dict(word.split("=", 1) for word in words))
    with np.load(path) as clip:
        frames, box = clip["frames"], tuple(float(value) for value in clip["box"])
    tracker.init(frames[0], box)
    boxes = [[float(v) for v in tracker.update(frame).box] for frame in frames[1:]]
    with open(out, "w") as file:
        json.dump({"engine": tracker.engine.describe(), "boxes": boxes}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
