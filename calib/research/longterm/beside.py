"""python -m calib.research.longterm.beside: a film of two trackers side by side, for the eye.

    python -m calib.research.longterm.beside --video bird.mp4 --box 54,48,70,65 --scene bunny.mp4 \
        --hide 24:40 --frames 54 --views 108,0 --width 320 --out beside.webp

The left half is OpenCV's TrackerNano with the files of nanotrack_v2, the right half ours. Both get
the same first box and then no help. The film shows a part of the video's picture, then the other
scene for a while, then the rest of the video, of which it shows another part. So the target comes
back elsewhere in the picture.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

import cv2
import numpy as np

from calib import command, trackers
from calib.clips import read_video
from calib.command import say
from calib.errors import BadRun
from runtime import DEFAULT_NETWORK

PEER = "TrackerNano"
HEIGHT = 170  # of each half, pixels
TITLE, LINE = 20, 2
WHITE, GREEN, RED, AMBER = (255, 255, 255), (60, 200, 60), (60, 60, 230), (40, 170, 250)
DASH = 6  # pixels of a dash, and of the gap after it


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("calib.research.longterm.beside", __doc__)
    cli.add_argument("--video", required=True, metavar="FILE", help="shows the target")
    cli.add_argument(
        "--box", required=True, metavar="X,Y,W,H", help="in its first frame as shown, pixels"
    )
    cli.add_argument("--scene", required=True, metavar="FILE", help="is shown meanwhile")
    cli.add_argument(
        "--hide",
        required=True,
        metavar="AT:FRAMES",
        help="where the scene begins, and for how long",
    )
    cli.add_argument("--frames", type=int, metavar="N", help="of the video; default: all")
    cli.add_argument(
        "--views",
        default="0,0",
        metavar="LEFT,LEFT",
        help="left edge of what is shown before and after, pixels (default: %(default)s)",
    )
    cli.add_argument("--width", type=int, metavar="PX", help="of what is shown; default: all")
    cli.add_argument("--network", default=DEFAULT_NETWORK, metavar="NAME")
    command.add_network_options(cli)
    cli.add_argument("--fps", type=float, default=12.5)
    cli.add_argument("--quality", type=int, default=60, metavar="1-100")
    cli.add_argument("--out", required=True, metavar="FILE.webp")
    return cli


def run(options: argparse.Namespace) -> None:
    """Make the film; write it."""
    frames = edited(options)
    box = numbers(options.box, 4, "--box")
    shared = trackers.tracker_options(options)
    specs = trackers.specs([PEER, options.network], shared)
    halves = []
    for spec, title in zip(specs, ("OpenCV TrackerNano", "Hotpath")):
        tracker = trackers.build(spec)
        halves.append(followed(tracker, frames, box, title))
        tracker.close()
    gap = np.full((halves[0][0].shape[0], 4, 3), 255, np.uint8)
    pictures = [np.hstack([left, gap, right]) for left, right in zip(*halves)]
    write(pictures, options.fps, options.quality, Path(options.out))
    size = Path(options.out).stat().st_size
    say(f"wrote {options.out}: {len(pictures)} frames, {size / 1e3:.0f} kB")


def edited(options: argparse.Namespace) -> Any:
    """The frames of the film: BGR uint8, all of one size."""
    at, away = numbers(options.hide.replace(":", ","), 2, "--hide")
    views = numbers(options.views, 2, "--views")
    video, scene = read(options.video)[: options.frames], read(options.scene)
    height, whole = video[0].shape[:2]
    width = options.width or whole
    if not 0 < at < len(video) or away < 1:
        raise BadRun(f"--hide {options.hide}: the video has {len(video)} frames")
    if min(views) < 0 or not 0 < width <= whole - max(views):
        raise BadRun(f"--views {options.views}: the video is {whole} pixels wide")
    shown = [scene[index % len(scene)] for index in range(away)]
    shown = [cv2.resize(frame, (whole, height), interpolation=cv2.INTER_AREA) for frame in shown]
    parts = (video[:at], views[0]), (shown, 0), (video[at:], views[1])
    return [
        np.ascontiguousarray(frame[:, left : left + width])
        for part, left in parts
        for frame in part
    ]


def read(path: str) -> Any:
    """All frames of a video; ``BadRun`` where none can be read."""
    frames = read_video(path)
    if not frames:
        raise BadRun(f"{path}: no frame could be read; name a video file")
    return frames


def numbers(text: str, count: int, option: str) -> tuple[int, ...]:
    """Whole numbers divided by commas."""
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != count:
        raise BadRun(f"{option} {text}: give {count} whole numbers")
    return found


def followed(tracker: Any, frames: Sequence[np.ndarray], box: Any, title: str) -> Any:
    """The frames with what a tracker claims: BGR uint8."""
    pictures = []
    for index, frame in enumerate(frames):
        if index == 0:
            tracker.init(frame, box)
            pictures.append(drawn(frame, box, False, title, "given"))
            continue
        track = tracker.update(frame)
        state = "lost" if track.lost else f"{track.state} {track.score:.2f}"
        pictures.append(drawn(frame, track.box, track.lost, title, state))
    return pictures


def drawn(frame: np.ndarray, box: Any, lost: bool, title: str, state: str) -> np.ndarray:
    """A frame with its box below a title."""
    scale = HEIGHT / frame.shape[0]
    picture = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x, y, w, h = (int(round(value * scale)) for value in box)
    if lost:
        dashed(picture, x, y, w, h)
    else:
        cv2.rectangle(picture, (x, y), (x + w, y + h), GREEN, LINE)
    head = np.full((TITLE, picture.shape[1], 3), 40, np.uint8)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(head, title, (6, 14), font, 0.42, WHITE, 1, cv2.LINE_AA)
    colour = RED if lost else AMBER if state.startswith("unsure") else GREEN
    cv2.putText(head, state, (head.shape[1] - 96, 14), font, 0.42, colour, 1, cv2.LINE_AA)
    return np.vstack([head, picture])


def dashed(picture: np.ndarray, x: int, y: int, w: int, h: int) -> None:
    """Draw a dashed red box."""
    for at in range(0, w, 2 * DASH):
        end = min(at + DASH, w)
        cv2.line(picture, (x + at, y), (x + end, y), RED, LINE)
        cv2.line(picture, (x + at, y + h), (x + end, y + h), RED, LINE)
    for at in range(0, h, 2 * DASH):
        end = min(at + DASH, h)
        cv2.line(picture, (x, y + at), (x, y + end), RED, LINE)
        cv2.line(picture, (x + w, y + at), (x + w, y + end), RED, LINE)


def write(pictures: Sequence[np.ndarray], fps: float, quality: int, path: Path) -> None:
    """Write an animated WebP that repeats."""
    from PIL import Image

    images = [Image.fromarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)) for picture in pictures]
    path.parent.mkdir(parents=True, exist_ok=True)
    images[0].save(
        str(path),
        save_all=True,
        append_images=images[1:],
        duration=int(round(1000 / fps)),
        loop=0,
        quality=quality,
        method=6,
    )


main = command.main("calib.research.longterm.beside", run, parser, "stopped")

if __name__ == "__main__":
    raise SystemExit(main())
