"""How good is a target that starts with a point? On annotated clips, against the truth.

    python -m tests.drone.points CLIPS [--detector yolox_nano --networks-dir DIR] [--class person]

Each start is a frame of a clip, with one click on the target's centre and one somewhere in its
middle half. The box is found as ``runtime.links.mavlink`` finds it, without the detector and with
it. Two figures: the overlap (IoU) of that first box, and the mean overlap over the next frames.
"""

import argparse
import pathlib

import cv2
import numpy as np

from runtime import load_targets
from runtime.detect import load_detector
from runtime.links.mavlink.point import find_box, settled_boxes
from tests.drone.conversation import Clip, overlap

OFF_CENTRE = {"centre": 0.0, "middle": 0.25}  # farthest from it, shares of the target's sides
SMALLEST_PX = 6
FEWEST_FRAMES = 20  # after a start


class Judge:
    """Finds boxes at points, and follows them.

    Args:
        network: name, or None for the default.
        frames: to follow after the first.
    """

    def __init__(self, network, frames):
        self.frames = frames
        self.targets = load_targets(network)

    def box_at(self, frame, point, detector=None):
        """As a click finds it, without a limit of time."""

        def settle(boxes):
            return settled_boxes(self.targets, frame, boxes, 60.0)

        return find_box(frame, point, settle, detector)

    def followed(self, clip, start, frame, box):
        """(overlap of the box, mean overlap over the next frames)."""
        pictures, values = sorted(clip.pictures.iterdir()), []
        number = self.targets.add(frame, box)
        last = min(len(pictures), len(clip.boxes), start + 1 + self.frames)
        for index in range(start + 1, last):
            track = self.targets.follow(number, cv2.imread(str(pictures[index])))
            if np.isfinite(clip.boxes[index]).all():
                values.append(overlap(np.array(track.box), clip.boxes[index]))
        self.targets.drop(number)
        return overlap(np.array(box), clip.boxes[start]), np.mean(values)


def starts(clip, count, frames):
    """Indices of frames that are spread over a clip, with ``frames`` after them where it has so."""
    known = np.isfinite(clip.boxes).all(axis=1) & (clip.boxes[:, 2:].min(axis=1) > SMALLEST_PX)
    last = max(0, len(clip.boxes) - 1 - frames, min(frames, len(clip.boxes) - 1 - FEWEST_FRAMES))
    good = np.flatnonzero(known[: last + 1])
    return sorted({int(good[int(n)]) for n in np.linspace(0, len(good) - 1, count)})


def click(box, off_centre, random):
    """A point in a box, at most so far from its centre."""
    x, y, w, h = box
    off_x, off_y = random.uniform(-off_centre, off_centre, 2)
    return x + w * (0.5 + off_x), y + h * (0.5 + off_y)


def judged(clip, judge, detector, count, random):
    """dict of (where the click was, way) -> list of (first overlap, mean of the next)."""
    found, pictures = {}, sorted(clip.pictures.iterdir())
    for start in starts(clip, count, judge.frames):
        frame = cv2.imread(str(pictures[start]))
        result = judge.followed(clip, start, frame, clip.boxes[start])
        found.setdefault(("rectangle", "truth"), []).append(result)
        for where, off_centre in OFF_CENTRE.items():
            point = click(clip.boxes[start], off_centre, random)
            for way in (None, detector) if detector else (None,):
                box = judge.box_at(frame, point, way)
                result = judge.followed(clip, start, frame, box)
                found.setdefault((where, way.name if way else "tracker"), []).append(result)
    return found


def main():
    cli = argparse.ArgumentParser(description="Targets that start with a point, against the truth")
    cli.add_argument("clips", type=pathlib.Path)
    cli.add_argument("--only", nargs="*", help="names of clips")
    cli.add_argument("--starts", type=int, default=3, help="of a clip")
    cli.add_argument("--frames", type=int, default=100, help="after each start")
    cli.add_argument("--seed", type=int, default=1)
    cli.add_argument("--network", help="(default: the runtime's)")
    cli.add_argument("--detector", help="measured beside the tracker alone")
    cli.add_argument("--class", dest="classes", help="of the detector (default: all)")
    cli.add_argument("--networks-dir")
    options = cli.parse_args()
    random, everything = np.random.RandomState(options.seed), {}
    detector = None
    if options.detector:
        classes = options.classes.split(",") if options.classes else None
        detector = load_detector(
            options.detector, classes=classes, networks_dir=options.networks_dir
        )
    judge = Judge(options.network, options.frames)
    for path in sorted(options.clips.glob("*/boxes.csv")):
        if options.only and path.parent.name not in options.only:
            continue
        found = judged(Clip(path.parent), judge, detector, options.starts, random)
        for key, values in found.items():
            everything.setdefault(key, []).append(np.mean(values, axis=0))
        print(f"{path.parent.name:<22}", _line(found), flush=True)
    judge.targets.close()
    print("{:<22}".format("{} clips, mean".format(len(everything["rectangle", "truth"]))), end=" ")
    print(_line(everything))


def _line(found):
    return " | ".join(
        "{} {} {:.3f} {:.3f}".format(where, way, *np.mean(values, axis=0))
        for (where, way), values in found.items()
    )


if __name__ == "__main__":
    main()
