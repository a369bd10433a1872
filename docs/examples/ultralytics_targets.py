"""Let a detector of ultralytics find the target, which Hotpath then follows.

pip install ultralytics
python docs/examples/ultralytics_targets.py VIDEO [WEIGHTS.pt]
"""

import sys

from ultralytics import YOLO

import hotpath


def detector(weights):
    model = YOLO(weights)

    def detect(frame):
        found = model(frame, verbose=False)[0].cpu().numpy()
        boxes = found.boxes.xyxy.copy()
        boxes[:, 2:] -= boxes[:, :2]  # x, y, width, height
        return boxes, found.boxes.conf, found.boxes.cls, list(found.names.values())

    return detect


def main(video, weights="yolo11n.pt"):
    for _, track in hotpath.track(video, detector=detector(weights)):
        if track is not None:  # nothing was found yet
            print(track.box, track.class_name, track.state)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])
