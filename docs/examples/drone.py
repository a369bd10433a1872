"""Print how to turn towards targets: python drone.py VIDEO X,Y,W,H X,Y,W,H.

Each line has the time, the number and the state of a target, and one of three orders: ``turn`` and
the direction of its box, ``slow`` and that direction while it is in doubt, or ``hold`` while it is
lost. Directions are degrees to the right and down.
"""

import sys
from typing import Dict, Tuple

import cv2

from hotpath import Track, bearing, load_targets

FOV_DEG, SURE, WAIT_S = 60.0, 0.8, 0.5  # of the camera; least presence; for how long, to be trusted


def main(path: str, *boxes: str) -> None:
    """Print a line for each target in each frame."""
    video = cv2.VideoCapture(path)
    since: Dict[int, float] = {}  # target -> since when it has been sure
    good, frame = video.read()
    if not good:
        sys.exit(f"{path}: can't be opened, or holds no frame; check the path")
    size = frame.shape[1], frame.shape[0]
    with load_targets() as targets:
        for box in boxes:
            targets.add(frame, [float(side) for side in box.split(",")], time_s=0.0)
        while good:
            now = video.get(cv2.CAP_PROP_POS_MSEC) / 1e3  # of a camera: time.monotonic()
            for number, track in targets.update(frame, now).items():
                if is_sure(track):
                    since.setdefault(number, now)
                else:
                    since.pop(number, None)  # also after a return, it must be sure for a moment
                trusted = number in since and now - since[number] >= WAIT_S
                print(f"{now:.2f}", number, track.state, order(track, trusted, size))
            good, frame = video.read()


def is_sure(track: Track) -> bool:
    """Whether a machine may act on the box."""
    return track.state == "tracked" and (track.presence or 0.0) >= SURE


def order(track: Track, trusted: bool, size: Tuple[int, int]) -> str:
    """What the machine shall do: "turn" or "slow" with the direction of the box, or "hold"."""
    if track.lost:
        return "hold"
    right, down = bearing(track.box, size, FOV_DEG)
    return f"{'turn' if trusted else 'slow'} {right:+.1f} {down:+.1f}"


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])
