"""python -m tests.documents.pictures: draw the pictures of README.md and docs/.

    python -m tests.documents.pictures road --video dashcam01.mp4
                                                 docs/track.webp
    python -m tests.documents.pictures page --video CLIP --box X,Y,W,H
                                                 docs/page.webp, of a phone's size
    python -m tests.documents.pictures time      docs/results/speed.svg
    python -m tests.documents.pictures overlap   docs/results/overlap-time.svg

docs/results/real/films.toml says where the road's film is published. The last two draw what
docs/results/speed.json and public-sequences.csv hold.
"""

import argparse
import itertools
import json
import tempfile

import av
import cv2
import matplotlib
import numpy as np

matplotlib.use("svg")
from matplotlib import pyplot

from hotpath import load_tracker
from hotpath.calib import readme
from hotpath.video.sources import open_source
from tests.support import ROOT, pages

DOCS = ROOT / "docs"
PHONE = dict(
    viewport={"width": 390, "height": 700}, device_scale_factor=1.5, is_mobile=True, has_touch=True
)
SETS = {"otb100": "OTB100", "uav123_10fps": "UAV123@10fps"}
PLACES_OF_NAMES = {
    "lightfc": (6, 0),
    "nanotrack_v2": (-72, 6),
    "kestrel_small": (-68, -6),
    "kestrel-int8": (-64, -5),
    "kestrel_fast-int8": (-28, -16),
    "nanotrack_v3": (6, -12),
    "TrackerNano": (2, 8),
}
CAR = (220, 118, 52, 46)  # the dark red one, in the first frame that is shown
FIRST, LAST = 195, 470  # frames of the film
VIEW = (0, 0, 448, 224)  # x, y, width and height of the part that is shown
SHOWN = (640, 320)
STATES_IN_TURN = ["tracked", "lost", "found", "tracked"]
FOUND_FRAMES = 30  # for which a find is shown
EVERY = 2  # of the tracked frames are shown
FRAMES_A_SECOND = 15
CAPTION_PX = 44
# BGR colours of Okabe and Ito, which the colour-blind tell apart, and the line's form
LOOKS = {
    "tracked": ((233, 180, 86), "Tracked"),
    "lost": ((0, 94, 213), "Lost: searching"),
    "found": ((66, 228, 240), "Found: it looks the same"),
}
TICKS_MS = (1, 2, 4, 8)
STEPS = ("crop", "network", "select")
COLOURS = {"crop": "#4c9be8", "network": "#f2a73b", "select": "#5ab56e"}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.documents.pictures")
    parser.add_argument("picture", choices=("road", "page", "time", "overlap"))
    parser.add_argument("--video", help="of road and page: the film that is followed")
    parser.add_argument("--box", default="328,342,82,118", help="of page: the target, X,Y,W,H")
    options = parser.parse_args(arguments)
    pyplot.rcParams.update({"svg.hashsalt": "hotpath", "font.size": 10})
    if options.picture == "road":
        road(options.video)
    elif options.picture == "page":
        page(options.video, options.box)
    else:
        {"time": time_of_a_frame, "overlap": overlap_against_time}[options.picture]()
    return 0


def road(video):
    """Draw how a car is followed among others, lost at the edge of the film, and found again."""
    with open_source(video) as film:
        frames = [film.read() for _ in range(LAST)][FIRST:]
    left, top, width, height = VIEW
    part = slice(top, top + height), slice(left, left + width)
    pictures, states = zip(*followed([np.ascontiguousarray(frame[part]) for frame in frames]))
    in_turn = [state for state, _ in itertools.groupby(states)]
    if in_turn != STATES_IN_TURN:
        raise SystemExit(f"the text beside the picture says {STATES_IN_TURN}, not {in_turn}")
    with av.open(str(DOCS / "track.webp"), "w", format="webp", options={"loop": "0"}) as file:
        moving = file.add_stream("libwebp", FRAMES_A_SECOND, options={"quality": "30"})
        moving.width, moving.height = SHOWN[0], SHOWN[1] + CAPTION_PX
        moving.pix_fmt = "yuv420p"
        for picture in pictures[::EVERY]:
            file.mux(moving.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        file.mux(moving.encode(None))


def followed(frames):
    """Each frame but the first with its box and caption, and the state that both show."""
    tracker = load_tracker()
    tracker.init(frames[0], CAR)
    found_for = FOUND_FRAMES
    for frame in frames[1:]:
        track = tracker.update(frame)
        found_for = 0 if track.state == "found" else found_for + 1
        state = "lost" if track.lost else "found" if found_for < FOUND_FRAMES else "tracked"
        yield captioned(frame, track, state), state


def captioned(frame, track, state):
    """A frame of SHOWN's size, with the box in the look of the state and a caption below."""
    colour, caption = LOOKS[state]
    scale = SHOWN[0] / frame.shape[1]
    picture = cv2.resize(frame, SHOWN, interpolation=cv2.INTER_AREA)
    left, top, width, height = (int(round(value * scale)) for value in track.box)
    if state != "lost":  # the last claimed box says nothing after the camera has turned
        for dark in (True, False):
            line = (6 if state == "found" else 3) + 2 * dark
            shade = (0, 0, 0) if dark else colour
            cv2.rectangle(picture, (left, top), (left + width, top + height), shade, line)
    below = np.full((CAPTION_PX, SHOWN[0], 3), colour, np.uint8)
    cv2.putText(below, caption, (14, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2, cv2.LINE_AA)
    return np.vstack([picture, below])


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
    means = readme.read(DOCS / "results/public-sequences.csv")
    figure, both = pyplot.subplots(1, len(SETS), figsize=(10, 4))
    for axes, (key, title) in zip(both, SETS.items()):
        groups = {
            group: {name: float(of[part]["success"]) for name, of in means.items() if part in of}
            for group, part in (("all", key), ("unseen", f"{key} unseen"))
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
