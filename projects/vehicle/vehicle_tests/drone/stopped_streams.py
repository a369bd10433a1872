"""A camera turns, and its stream stops showing the world: for how long does it go on?

    python -m vehicle_tests.drone.stopped_streams --write docs/results/steering.csv

The camera and its world are simulated. Hotpath's own album and ramp decide, by JPEGs.
"""

import argparse
import csv
import math
import sys

import cv2
import numpy as np

from hotpath.runtime.jpeg_frames import JpegFrame
from hotpath.runtime.types import Box, Track
from hotpath_vehicle.album import Album, look_at
from hotpath_vehicle.steering import RAMP_S

TRACK = Track(Box(100, 80, 40, 30), 0.9)
RNG = np.random.RandomState(1)
RATES_DEG = (2.0, 10.0, 40.0)
LONGEST_S = 5.0


def jpeg(picture, quality=90):
    return JpegFrame(cv2.imencode(".jpg", picture, [1, quality])[1].reshape(-1))


# as in nature, larger things differ more than small ones
LAYERS = [RNG.rand(rows, 15 * rows, 1).astype(np.float32) for rows in (4, 8, 16, 32, 64)]
GREY = sum(cv2.resize(each, (3600, 240), interpolation=2) / 2**n for n, each in enumerate(LAYERS))
WIDE = cv2.cvtColor(cv2.normalize(GREY, None, 20, 235, 32).astype(np.uint8), cv2.COLOR_GRAY2BGR)
PX_DEG = 5.0  # pixels of a degree
FPS = 25


def scene(deg):
    """What a camera that points there sees."""
    x = int(round(deg * PX_DEG))
    return np.ascontiguousarray(WIDE[:, x : x + 320])


def held(pictures, rate_deg, album=None, boxes=None, start=0):
    """How many of the pictures are no evidence while the camera turns on, and the last reason."""
    album = album or Album()
    doubts = []
    for n, picture in enumerate(pictures, start):
        track = TRACK._replace(box=Box(*boxes[n - start])) if boxes else TRACK
        at = (0.0, rate_deg * n / FPS)
        doubts.append(album.add(look_at(picture, track), n / FPS, at))
    return sum(doubt is not None for doubt in doubts), doubts[-1]


def turned(rate_deg, seconds=4.0):
    """An album of a camera that turns, and its pictures."""
    pictures, album = [scene(rate_deg * n / FPS) for n in range(int(seconds * FPS))], Album()
    assert held([jpeg(each) for each in pictures], rate_deg, album) == (0, None)
    return album, pictures


def stopped(kind, rate_deg, seconds=2.0, quality=80):
    """Seconds until pictures of that kind, which follow on live ones, are no evidence."""
    album, pictures = turned(rate_deg)
    frames = [jpeg(kind(pictures, n), quality) for n in range(int(seconds * FPS))]
    count, why = held(frames, rate_deg, album, start=len(pictures))
    return (len(frames) - count) / FPS if why else math.inf


def grainy(picture, levels):
    return np.clip(picture + RNG.normal(0, levels, picture.shape), 0, 255).astype(np.uint8)


def bright(picture, gain, offset=0.0):
    return np.clip(picture * gain + offset, 0, 255).astype(np.uint8)


def clocked(picture, n):
    return cv2.putText(picture.copy(), f"12:00:{n:06}", (10, 20), 0, 0.5, (255,) * 3, 1)


def barred(picture, n):
    rows = np.arange(240)[:, None, None]
    return bright(picture, 1.0, 6 * np.sin(rows / 60 + n * 0.4))


def torn(pictures, n, top):
    """The upper part is frozen and the rest goes on."""
    live = scene(10.0 * (len(pictures) + n) / FPS)
    return np.concatenate([pictures[-1][:top], live[top:]])


def swung(picture, x, y):
    return cv2.warpAffine(picture, np.float64([[1, 0, x], [0, 1, y]]), (320, 240), borderMode=2)


KINDS_STOPPED = {
    "frozen": lambda p, n: p[-1],
    "frozen below a clock": lambda p, n: clocked(p[-1], n),
    "frozen with strong noise": lambda p, n: grainy(p[-1], 8),
    "flicker": lambda p, n: bright(p[-1], 1.0, 8 * math.sin(1.7 * n)),
    "a hum bar": lambda p, n: barred(p[-1], n),
    "exposure": lambda p, n: bright(p[-1], 1 + 0.3 * math.sin(n / 9)),
    "a fade of five seconds": lambda p, n: bright(p[-1], max(0.0, 1 - n / 125)),
    "a fade of a half": lambda p, n: bright(p[-1], max(0.0, 1 - n / 12)),
    "a stabiliser that drifts": lambda p, n: swung(
        p[-1], 12 * math.sin(n / 40), 6 * math.sin(n / 30)
    ),
    "a picture that trembles": lambda p, n: swung(p[-1], n % 3 - 1, n % 2),
    "a loop of two": lambda p, n: p[-2 + n % 2],
    "a loop of sixty": lambda p, n: p[-60 + n % 60],
    "a loop below a clock": lambda p, n: clocked(p[-60 + n % 60], n),
    "to and fro": lambda p, n: p[-1 - abs(n % 100 - 50)],
    "torn, the target is frozen": lambda p, n: torn(p, n, 170),
    # found after the rule was finished
    "mirrored twice by a converter": lambda p, n: p[-1][:, ::-1][:, ::-1],
    "shuffled": lambda p, n: p[-1 - n * 7919 % 40],
    "two loops crossfaded": lambda p, n: p[-50 + n % 25] // 2 + p[-49 + n % 25] // 2,
    "rows of an interlaced camera hang": lambda p, n: swung(p[-1], 0, n % 2),
    "logo and subtitle": lambda p, n: cv2.rectangle(
        clocked(p[-1], n), (60 + n, 200), (180 + n, 230), (250, 250, 250), -1
    ),
    "colours that turn": lambda p, n: bright(p[-1], 1 + 0.2 * math.sin(n / 5), 10),
    "a codec that decays": lambda p, n: cv2.GaussianBlur(p[-1], (0, 0), 0.3 + n / 40),
    "each picture of the last second three times": lambda p, n: p[-25 + n // 3 % 25],
    "slow motion of what was": lambda p, n: p[-50 + n // 2 % 50],
    "backwards, darker": lambda p, n: bright(p[-1 - n % 60], 0.8),
}


def main():
    """Write a row for each kind and rate: seconds until the camera stands, degrees of its turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", help="CSV file (default: standard output)")
    options = parser.parse_args()
    with open(options.write, "w", newline="") if options.write else sys.stdout as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["kind"] + [f"{what} at {r:g}" for r in RATES_DEG for what in ("s", "deg")])
        for name, kind in sorted(KINDS_STOPPED.items()):
            row = [name]
            for rate in RATES_DEG:
                seen_s = stopped(kind, rate, LONGEST_S)
                row += [f"{seen_s + RAMP_S:.2f}", f"{rate * (seen_s + RAMP_S / 2):.1f}"]
            rows.writerow(row)


if __name__ == "__main__":
    main()
