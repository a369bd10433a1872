"""Say how to turn towards two targets: python drone.py VIDEO X,Y,W,H X,Y,W,H."""

import sys
from typing import Dict

import cv2

from hotpath import bearing, load_targets

FOV_DEG, SURE, WAIT_S = 60.0, 0.9, 0.5  # of the camera; least presence; for how long, to be trusted


def main(path: str, *boxes: str) -> None:
    """Print a line for each target in each frame."""
    video = cv2.VideoCapture(path)
    since: Dict[int, float] = {}  # target -> since when it has been sure
    good, frame = video.read()
    if not good:
        sys.exit(f"{path}: can't be opened, or holds no frame; check the path")
    size = frame.shape[1], frame.shape[0]
    with load_targets(strict=True) as targets:
        for box in boxes:
            targets.add(frame, [float(side) for side in box.split(",")], time_s=0.0)
        while good:
            now = video.get(cv2.CAP_PROP_POS_MSEC) / 1e3  # of a camera: time.monotonic()
            for number, track in targets.update(frame, now).items():
                if track.state == "tracked" and (track.presence or 0.0) > SURE:
                    since.setdefault(number, now)
                else:
                    since.pop(number, None)  # also after a return, it must be sure for a moment
                place = track.box if now - since.get(number, now) >= WAIT_S else track.predicted
                turn = bearing(place, size, FOV_DEG) if place else None  # None: hold
                print(f"{now:.2f}", number, track.state, turn, track.velocity)
            good, frame = video.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
