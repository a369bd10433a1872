"""python -m tests.documents.pictures: draw the pictures of README.md and docs/.

    python -m tests.documents.pictures cars --video FILM
                                                 docs/track.webp and docs/lost-found.webp
    python -m tests.documents.pictures page --video CLIP --box X,Y,W,H
                                                 docs/page.webp, of a phone's size
    python -m tests.documents.pictures time      docs/results/speed.svg
    python -m tests.documents.pictures overlap   docs/results/overlap-time.svg

FILM is car-detection.mp4 of github.com/intel-iot-devkit/sample-videos (CC BY 4.0). The last two
draw what docs/results/speed.json and public-sequences.csv hold.
"""

import argparse
import csv
import itertools
import json
import tempfile
from fractions import Fraction

import av
import cv2
import matplotlib
import numpy as np

matplotlib.use("svg")
from matplotlib import pyplot

from hotpath import draw, load_tracker
from hotpath.video.sources import open_source
from tests.support import ROOT, pages

DOCS = ROOT / "docs"
PHONE = dict(
    viewport={"width": 390, "height": 700}, device_scale_factor=1.5, is_mobile=True, has_touch=True
)
SETS = {"otb100": "OTB100", "uav123_10fps": "UAV123@10fps"}
PLACES_OF_NAMES = {
    "lightfc": (6, 0),
    "nanotrack_v2": (-70, 2),
    "kestrel_small": (-68, -6),
    "kestrel-int8": (-64, -5),
    "kestrel_fast-int8": (-28, -14),
    "nanotrack_v3": (6, 2),
    "TrackerNano": (-30, -16),
}
RED_CAR, PASSING = (330, 222, 165, 210), range(203, 246)  # of the film: the first box, and frames
HIDDEN = [*range(204, 212), *range(250, 262), *range(208, 216)]  # in the middle the car is away
SHOWN = {6: "tracked", 9: "lost", 20: "found", 26: "tracked"}  # of these frames, with their states
SHOWN_PX = 320
FRAMES_A_SECOND = Fraction(25, 2)
TICKS_MS = (1, 2, 4, 8)
STEPS = ("crop", "network", "select")
COLOURS = {"crop": "#4c9be8", "network": "#f2a73b", "select": "#5ab56e"}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.documents.pictures")
    parser.add_argument("picture", choices=("cars", "page", "time", "overlap"))
    parser.add_argument("--video", help="of cars and page: the film that is followed")
    parser.add_argument("--box", default="328,342,82,118", help="of page: the target, X,Y,W,H")
    options = parser.parse_args(arguments)
    pyplot.rcParams.update({"svg.hashsalt": "hotpath", "font.size": 10})
    if options.picture == "cars":
        cars(options.video)
    elif options.picture == "page":
        page(options.video, options.box)
    else:
        {"time": time_of_a_frame, "overlap": overlap_against_time}[options.picture]()
    return 0


def cars(video):
    """Draw how a car is followed past another, and how it is lost and found where it is cut out."""
    with open_source(video) as film:
        frames = list(
            itertools.takewhile(
                lambda frame: frame is not None, (film.read() for _ in itertools.count())
            )
        )
    with av.open(str(DOCS / "track.webp"), "w", format="webp", options={"loop": "0"}) as file:
        moving = file.add_stream("libwebp", FRAMES_A_SECOND, options={"quality": "60"})
        moving.width, moving.height, moving.pix_fmt = 640, 360, "yuv420p"
        for picture, _ in followed([frames[at] for at in PASSING]):
            small = cv2.resize(picture, (640, 360), interpolation=cv2.INTER_AREA)
            file.mux(moving.encode(av.VideoFrame.from_ndarray(small, "bgr24")))
        file.mux(moving.encode(None))
    hidden = list(followed([frames[at] for at in HIDDEN]))
    states = {at: hidden[at][1] for at in SHOWN}
    if states != SHOWN:
        raise SystemExit(f"the text beside the picture says {SHOWN}, not {states}; choose others")
    pictures = [hidden[at][0] for at in SHOWN]
    left = (pictures[0].shape[1] - pictures[0].shape[0]) // 2
    squares = [
        cv2.resize(picture[:, left:-left], (SHOWN_PX, SHOWN_PX), interpolation=cv2.INTER_AREA)
        for picture in pictures
    ]
    gap = np.full((SHOWN_PX, 8, 3), 255, np.uint8)
    row = np.hstack([part for square in squares for part in (square, gap)][:-1])
    cv2.imwrite(str(DOCS / "lost-found.webp"), row, [cv2.IMWRITE_WEBP_QUALITY, 80])


def followed(frames):
    """Each frame but the first with the red car's box and its way, and the tracker's state."""
    tracker = load_tracker()
    way = []
    lost_for = 0
    tracker.init(frames[0], RED_CAR)
    for frame in frames[1:]:
        track = tracker.update(frame)
        lost_for = lost_for + 1 if track.lost else 0
        if track.lost:
            way = []
        else:
            x, y, width, height = track.box
            way.append((x + width / 2, y + height / 2))
        since = f"{float(lost_for / FRAMES_A_SECOND):.1f} s"
        yield draw(frame, track, {"trails": {0: way}, "since": {0: since}}), track.state


def page(video, box):
    with tempfile.TemporaryDirectory() as folder, pages.browser() as chromium:
        with pages.PagedRun(folder, video, "--box", box, network="kestrel") as run:
            tab = chromium.new_page(**PHONE)
            tab.goto(run.link)
            run.wait_for(lambda state: state["frame"] >= 30)
            tab.wait_for_timeout(300)
            picture = cv2.imdecode(np.frombuffer(tab.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    cv2.imwrite(str(DOCS / "page.webp"), picture, [cv2.IMWRITE_WEBP_QUALITY, 80])


def speed_rows():
    """The times of each network, as ``tests.documents.speed`` wrote them."""
    return json.loads((DOCS / "results/speed.json").read_text())["rows"]


def opencv_ms():
    """The time of OpenCV's TrackerNano beside the network that it runs itself."""
    return max(row["opencv_ms"] for row in speed_rows() if row["network"] == "nanotrack_v2")


def time_of_a_frame():
    """Draw the milliseconds of crop, network and select of each network as stacked bars."""
    rows = speed_rows()
    figure, axes = pyplot.subplots(figsize=(8, 0.45 * len(rows) + 1.4))
    names = [f"{row['network']} {row['precision']}" for row in rows]
    left = [0.0] * len(rows)
    for step in STEPS:
        times = [row["ms"][step] for row in rows]
        axes.barh(names, times, left=left, color=COLOURS[step], label=step)
        left = [one + more for one, more in zip(left, times)]
    axes.axvline(opencv_ms(), color="#888888", linestyle="--", label="OpenCV's TrackerNano")
    axes.invert_yaxis()
    axes.set_xlabel("ms a frame, median, one thread")
    axes.legend(loc="upper right", frameon=False)
    save(figure, DOCS / "results/speed.svg")


def overlap_against_time():
    """Draw each network's overlap on public sequences against the time of its frame."""
    with open(DOCS / "results/public-sequences.csv") as file:
        rows = list(csv.DictReader(file))
    figure, both = pyplot.subplots(1, len(SETS), figsize=(10, 4))
    for axes, (key, title) in zip(both, SETS.items()):
        groups = {
            group: {
                row["tracker"]: float(row["success"])
                for row in rows
                if (row["data set"], row["group"]) == (key, group)
            }
            for group in ("all", "unseen")
        }
        times = {
            row["network"] + ("-int8" if row["precision"] == "int8" else ""): row["ms"]["total"]
            for row in speed_rows()
        }
        times["TrackerNano"] = opencv_ms()
        for name in sorted(set(times) & set(groups["all"])):
            at, unseen = (times[name], groups["all"][name]), groups["unseen"][name]
            colour = COLOURS["network" if name == "TrackerNano" else "crop"]
            axes.plot([times[name]] * 2, [at[1], unseen], color=colour, alpha=0.3, zorder=0)
            axes.scatter(*at, color=colour)
            axes.scatter(times[name], unseen, facecolors="white", edgecolors=colour, s=18)
            place = PLACES_OF_NAMES.get(name, (5, 5))
            axes.annotate(name, at, xytext=place, textcoords="offset points", size=8)
        axes.set_xscale("log")
        axes.set_xticks(TICKS_MS, [str(tick) for tick in TICKS_MS])
        axes.minorticks_off()
        axes.margins(0.25, 0.2)
        axes.grid(alpha=0.3)
        axes.set(title=f"{title} (rings: unseen sequences)", ylabel="overlap (AUC)")
        axes.set_xlabel("ms a frame, median, one thread (logarithmic)")
    save(figure, DOCS / "results/overlap-time.svg")


def save(figure, path):
    """Write a figure with a white ground, so that it can be read in a dark theme too."""
    figure.tight_layout()
    figure.savefig(path, facecolor="white", metadata={"Date": None})
    pyplot.close(figure)
    print(path)


if __name__ == "__main__":
    raise SystemExit(main())
