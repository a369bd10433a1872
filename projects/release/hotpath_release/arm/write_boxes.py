"""Follow targets through frames and write the boxes, on whatever machine this runs.

    python -m hotpath_release.arm.write_boxes OUT.json FRAMES.npz... KEY=VALUE...

FRAMES.npz holds ``frames``, decoded pixels, so that two machines see the same, and ``box``. Each
KEY=VALUE is an argument of ``hotpath.runtime.load_tracker``.
"""

import json
import pathlib
import sys

import numpy as np

from hotpath.runtime import load_tracker


def main(out, *words):
    tracker = load_tracker(**dict(word.split("=", 1) for word in words if "=" in word))
    rows = {}
    for path in [pathlib.Path(word) for word in words if "=" not in word]:
        with np.load(str(path)) as clip:
            frames, box = clip["frames"], tuple(float(value) for value in clip["box"])
        tracker.init(frames[0], box)
        tracks = [tracker.update(frame) for frame in frames[1:]]
        rows[path.stem] = [[float(v) for v in track.box] + [float(track.score)] for track in tracks]
    described = {"network": tracker.name, "engine": tracker.engine.describe(), "rows": rows}
    with open(out, "w") as file:
        json.dump(described, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
