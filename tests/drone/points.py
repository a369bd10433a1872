"""How good is the box that is found from a point? On annotated clips, against the truth.

    python -m tests.drone.points CLIPS [--only NAME NAME]

A click lies up to 15% of the target's size off its centre.
"""

import argparse
import pathlib

import cv2
import numpy as np

from runtime import load_targets
from runtime.mavlink.point import SEARCHES, STARTS, candidates, middle_of
from runtime.page.control import Controller
from tests.drone.conversation import Clip, overlap

OFF_CENTRE = 0.15
SMALLEST_PX = 6


def clicks(clip, count, random):
    """Frames spread over a clip: list of (picture, point, true box)."""
    pictures = sorted(clip.pictures.iterdir())
    known = [n for n, b in enumerate(clip.boxes[: len(pictures)]) if np.isfinite(b).all()]
    known = [n for n in known if min(clip.boxes[n][2:]) > SMALLEST_PX]
    found = []
    for place in np.linspace(0, len(known) - 1, count):
        x, y, w, h = clip.boxes[known[int(place)]]
        off_x, off_y = random.uniform(-OFF_CENTRE, OFF_CENTRE, 2)
        point = (x + w * (0.5 + off_x), y + h * (0.5 + off_y))
        found.append((cv2.imread(str(pictures[known[int(place)]])), point, (x, y, w, h)))
    return found


class Still:
    """A source that is not read."""

    live, fps = True, None


def box_at(controller, frame, point, radius=0.0):
    """As ``runtime.mavlink.loop`` finds it."""
    tried = candidates(frame, point, radius)
    found = controller.settled_boxes(frame, tried, STARTS, SEARCHES, 60.0)
    return middle_of([box for box in found if box is not None] or tried)


def main():
    cli = argparse.ArgumentParser(description="Boxes from points, against the truth")
    cli.add_argument("clips", type=pathlib.Path)
    cli.add_argument("--only", nargs="*", help="names of clips")
    cli.add_argument("--clicks", type=int, default=8, help="of a clip")
    cli.add_argument("--seed", type=int, default=1)
    cli.add_argument("--network", help="(default: the runtime's)")
    options = cli.parse_args()
    random, everything = np.random.RandomState(options.seed), []
    targets = load_targets(options.network)
    controller = Controller(targets, Still(), None, lambda *row: None, dict, (), False)
    for path in sorted(options.clips.glob("*/boxes.csv")):
        if options.only and path.parent.name not in options.only:
            continue
        values = [
            overlap(np.array(box_at(controller, frame, point)), np.array(truth))
            for frame, point, truth in clicks(Clip(path.parent), options.clicks, random)
        ]
        everything += values
        print("{:<22} mean IoU {:.3f}".format(path.parent.name, np.mean(values)))
    targets.close()
    values = np.array(everything)
    print(
        "{} clicks: mean IoU {:.3f}, above .5 in {:.0%}".format(
            len(values), values.mean(), (values > 0.5).mean()
        )
    )


if __name__ == "__main__":
    main()
