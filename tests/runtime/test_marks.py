"""docs/use.md says that the picture must be free of marks at the target; this is why.

Without a mark the box does not stay where it was when the camera turns away. With one it does. If a
tracker ever leaves the mark, this test fails, and the page can drop its sentence.
"""

import cv2
import numpy as np
import pytest

from hotpath import load_tracker
from hotpath.runtime.types import TRACKED
from tests.support import ROOT

pytest.importorskip("onnxruntime")
WIDTH, HEIGHT, SIDE = 480, 360, 56
FOLLOWED, TURNED = 40, 40  # frames
BOX = (WIDTH - SIDE) / 2, (HEIGHT - SIDE) / 2, SIDE, SIDE
NEAR = 20  # pixels between the centres of the box and of the picture


def world():
    """A wide scene with one object, and where the object is."""
    noise = np.random.RandomState(7)
    ground = cv2.resize(noise.randint(60, 180, (40, 80, 3)).astype(np.uint8), (1600, 800))
    thing = cv2.resize(noise.randint(0, 255, (6, 6, 3)).astype(np.uint8), (SIDE, SIDE))
    ground[372 : 372 + SIDE, 1200 : 1200 + SIDE] = thing
    return ground, (1200, 372)


def film():
    """The camera follows the object, which stays in the middle, then turns away from it."""
    ground, (x, y) = world()
    for index in range(FOLLOWED + TURNED):
        left = x - BOX[0] - 9 * max(0, index - FOLLOWED + 1)
        top = y - BOX[1] - 2 * max(0, index - FOLLOWED + 1)
        yield ground[int(top) : int(top) + HEIGHT, int(left) : int(left) + WIDTH].copy()


def plain(frames):
    return frames


def crosshair(frames):
    """As the display of a gimbal draws it; by OpenCV."""
    middle = WIDTH // 2, HEIGHT // 2
    for frame in frames:
        cv2.circle(frame, middle, 26, (0, 255, 0), 3)
        cv2.line(frame, (middle[0] - 60, middle[1]), (middle[0] + 60, middle[1]), (0, 255, 0), 3)
        cv2.line(frame, (middle[0], middle[1] - 60), (middle[0], middle[1] + 60), (0, 255, 0), 3)
    return frames


def logo(frames):
    """As a broadcaster puts it there; by Pillow."""
    image, draw = (pytest.importorskip("PIL." + name) for name in ("Image", "ImageDraw"))
    middle, drawn = np.array([WIDTH / 2, HEIGHT / 2]), []
    for frame in frames:
        picture = image.fromarray(frame)
        pencil = draw.Draw(picture)
        pencil.ellipse([*(middle - 24), *(middle + 24)], (255, 255, 255))
        pencil.polygon([tuple(middle + corner) for corner in ((-15, 12), (15, 12), (0, -16))], 0)
        drawn.append(np.asarray(picture))
    return drawn


def frame_of_a_box(frames):
    """As a camera's own tracker draws it; by FFmpeg."""
    av = pytest.importorskip("av")
    graph = av.filter.Graph()
    source = graph.add_buffer(width=WIDTH, height=HEIGHT, format="bgr24", time_base="1/30")
    x, y = int(BOX[0]), int(BOX[1])
    chain = [source]
    for inset in (2, 14):
        place = f"x={x + inset}:y={y + inset}:w={SIDE - 2 * inset}:h={SIDE - 2 * inset}"
        chain.append(graph.add("drawbox", f"{place}:color=yellow:t=5"))
    chain.append(graph.add("buffersink"))
    graph.link_nodes(*chain).configure()
    drawn = []
    for index, frame in enumerate(frames):
        given = av.VideoFrame.from_ndarray(frame, format="bgr24")
        given.pts = index
        graph.push(given)
        drawn.append(graph.pull().to_ndarray(format="bgr24"))
    return drawn


def frozen_tile(frames):
    """A part of the picture that the link does not renew."""
    x, y, side = int(BOX[0]) - SIDE, int(BOX[1]) - SIDE, 3 * SIDE
    for frame in frames:
        frame[y : y + side, x : x + side] = frames[0][y : y + side, x : x + side]
    return frames


def held(frames):
    """Shares of the frames after the turn: the box is in the middle; it is tracked there, too."""
    stays = tracked = 0
    with load_tracker() as tracker:
        tracker.init(frames[0], BOX)
        for index, frame in enumerate(frames[1:], 1):
            track = tracker.update(frame)
            if index >= FOLLOWED + 8:
                x, y = track.box.x + track.box.w / 2, track.box.y + track.box.h / 2
                is_near = max(abs(x - WIDTH / 2), abs(y - HEIGHT / 2)) < NEAR
                stays += is_near
                tracked += is_near and track.state == TRACKED
    return stays / (TURNED - 8), tracked / (TURNED - 8)


def test_without_a_mark_the_box_leaves_with_its_object():
    assert held(plain(list(film())))[0] == 0


@pytest.mark.parametrize("mark", [crosshair, logo, frame_of_a_box, frozen_tile])
def test_a_mark_at_the_target_keeps_the_box_as_the_page_says(mark):
    page = " ".join((ROOT / "docs" / "use.md").read_text(encoding="utf-8").split())
    assert "on-screen text inside the box becomes a part of the target." in page
    stays, tracked = held(mark(list(film())))
    assert stays > 0.8 and tracked > 0.5
