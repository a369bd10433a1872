"""python -m hotpath_release.pictures: draw the pictures of README.md and docs/.

    python -m hotpath_release.pictures road --video dashcam01.mp4
                                                 docs/track.webp
    python -m hotpath_release.pictures page      docs/page.webp, of a phone's size

docs/results/real/films.toml says where the film is published. The page shows a scene of the tests.
"""

import argparse
import itertools
import pathlib
import tempfile

import av
import cv2
import numpy as np

from hotpath import load_tracker
from hotpath.video.sources import open_source
from tests.support import ROOT, object_scene, pages

DOCS = ROOT / "docs"
PHONE = dict(
    viewport={"width": 390, "height": 760}, device_scale_factor=1.5, is_mobile=True, has_touch=True
)
CAR = (220, 118, 52, 46)  # the dark red one, in the first frame that is shown
FIRST, LAST = 195, 470  # frames of the film
VIEW = (0, 0, 448, 224)  # x, y, width and height of the part that is shown
SHOWN = (640, 320)
STATES_IN_TURN = ["tracked", "unsure", "lost", "unsure", "found", "tracked"]
FOUND_FRAMES = 30  # for which a find is shown
EVERY = 2  # of the tracked frames are shown
FRAMES_A_SECOND = 15
CAPTION_PX = 44
# BGR colours of Okabe and Ito, which the colour-blind tell apart, and the line's form
LOOKS = {
    "tracked": ((233, 180, 86), "Tracked"),
    "unsure": ((66, 228, 240), "Unsure: it may be another object"),
    "lost": ((0, 94, 213), "Lost: searching"),
    "found": ((115, 158, 0), "Found: its appearance is verified"),
}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m hotpath_release.pictures")
    parser.add_argument("picture", choices=("road", "page"))
    parser.add_argument("--video", help="the film that is followed on the road")
    options = parser.parse_args(arguments)
    if options.picture == "page":
        page()
    elif options.video:
        road(options.video)
    else:
        parser.error("road needs --video FILM")
    return 0


def road(video):
    """Draw how a car is followed among others, lost at the edge of the film, and found again."""
    pictures, states = zip(*with_captions(shown(video)))
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


def shown(video):
    """The part of the film that the pictures show."""
    with open_source(video) as film:
        frames = [film.read() for _ in range(LAST)][FIRST:]
    left, top, width, height = VIEW
    part = slice(top, top + height), slice(left, left + width)
    return [np.ascontiguousarray(frame[part]) for frame in frames]


def with_captions(frames):
    """Each frame but the first with its box and caption, and the state that both show."""
    tracker = load_tracker()
    tracker.init(frames[0], CAR)
    found_for = FOUND_FRAMES
    for frame in frames[1:]:
        track = tracker.update(frame)
        found_for = 0 if track.found else found_for + 1
        state = track.state
        if state == "tracked" and found_for < FOUND_FRAMES:
            state = "found"
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


def page():
    """Draw the page of a phone while it asks whether the found object is the right one."""
    box = ",".join(map(str, object_scene.OBJECT))
    with tempfile.TemporaryDirectory() as folder, pages.browser() as chromium:
        film = pathlib.Path(folder) / "scene"
        object_scene.write_film(film, hidden=range(20, 60))
        with pages.PagedRun(folder, film, "--box", box, "--fps", "10", network="kestrel") as run:
            run.wait_for(lambda state: any(target["lost"] for target in state["targets"]))
            run.wait_for(lambda state: any(t["state"] == "unsure" for t in state["targets"]))
            run.ask("/api/pause", {"paused": True})
            tab = chromium.new_page(**PHONE)
            tab.goto(run.link)
            tab.locator(".answers .yes").wait_for()
            tab.wait_for_timeout(1000)  # the picture is there
            picture = cv2.imdecode(np.frombuffer(tab.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    cv2.imwrite(str(DOCS / "page.webp"), picture, [cv2.IMWRITE_WEBP_QUALITY, 80])


if __name__ == "__main__":
    raise SystemExit(main())
