"""Draw the pictures of a long film from its timeline; nothing is kept on disk."""

import functools

import cv2
import numpy as np

from hotpath.video.clips import AnnotatedClip
from hotpath_lab.longterm.timeline import Timeline, cover_box

LONGEST_SIDE = 640  # pixels; larger clips are made smaller
SEAM = 16  # pixels over which clip and scene are blended
MARGIN = 0.1  # of a target's box, taken along where it is cut out
KEPT_BYTES = 256 << 20  # of decoded frames


class FilmFrames:
    """Frames of a clip at a film's size, decoded once.

    Args:
        clip: a clip of ``hotpath.video.clips``, or anything with numbered frames and
            ``boxes``.
        height: in pixels; None for its own, or less if the clip is large.
    """

    def __init__(self, clip: AnnotatedClip, height: int | None = None) -> None:
        first = clip[0]
        own_height, own_width = first.shape[:2]
        if height is None:
            height = round(own_height * min(1.0, LONGEST_SIDE / max(own_height, own_width)))
        self.width, self.height = round(own_width * height / own_height), height
        most = max(1, KEPT_BYTES // (self.width * self.height * 3))
        # no method: that would be a circle, which keeps the frames of films that nobody reads
        self._frame = functools.lru_cache(most)(functools.partial(_sized, clip, self.width, height))
        self.boxes = clip.boxes * np.tile([self.width / own_width, height / own_height], 2)

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: int) -> np.ndarray:
        """BGR uint8 (height, width, 3); not to be written to."""
        frame: np.ndarray = self._frame(index)
        return frame


def _sized(clip: AnnotatedClip, width: int, height: int, index: int) -> np.ndarray:
    frame = clip[index]
    if frame.shape[:2] == (height, width):
        return frame
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA))


class FilmPictures:
    """The pictures of one film.

    Args:
        clip, scene: ``FilmFrames`` of one height.
        alike: BGR uint8, a target cut out (see ``cut_out``).
        size: (w, h) of the look-alike, pixels of the film.
    """

    def __init__(
        self,
        timeline: Timeline,
        clip: FilmFrames,
        scene: FilmFrames,
        alike: np.ndarray,
        size: tuple[int, int],
    ) -> None:
        self._timeline, self._clip, self._scene = timeline, clip, scene
        self._alike = cv2.resize(alike, size, interpolation=cv2.INTER_AREA)
        self._cover = scene[0]

    def __getitem__(self, index: int) -> np.ndarray:
        """Frame ``index`` as BGR uint8 (height, width, 3)."""
        now, width = self._timeline, self._clip.width
        scene = self._scene[now.scene[index]]
        if now.cut[index]:
            picture = cv2.resize(scene, (width, self._clip.height), interpolation=cv2.INTER_AREA)
        else:
            picture = _view(self._clip[now.clip[index]], scene, now.view[index])
        self._paste_alike(picture, index)
        if np.isfinite(now.slide[index]):
            box = self._clip.boxes[now.clip[index]] - (now.view[index], 0, 0, 0)
            if np.isfinite(box).all():
                self._paste_cover(picture, cover_box(box, now.slide[index], width))
        return np.asarray(picture)

    def _paste_alike(self, picture: np.ndarray, index: int) -> None:
        """Paste the look-alike, unless it would hide part of the target."""
        centre, (height, width) = self._timeline.alike[index], self._alike.shape[:2]
        if not np.isfinite(centre).all():
            return
        left, top = centre - (width / 2, height / 2)
        x, y, w, h = self._timeline.truth[index]
        if left < x + w and x < left + width and top < y + h and y < top + height:
            return
        _blend(picture, self._alike, _ellipse(width, height), int(left), int(top))

    def _paste_cover(self, picture: np.ndarray, box: tuple[float, ...]) -> None:
        x, y, w, h = (int(round(value)) for value in box)
        patch = cv2.resize(self._cover, (max(w, 1), max(h, 1)), interpolation=cv2.INTER_AREA)
        _blend(picture, patch, np.ones(patch.shape[:2], np.float32), x, y)


def _view(clip: np.ndarray, scene: np.ndarray, left: int) -> np.ndarray:
    """The part of the ring of clip and scene that starts at ``left``, as wide as the clip."""
    width = clip.shape[1]
    ring = clip.shape[1] + scene.shape[1]
    columns = (np.arange(width) + int(round(left))) % ring
    picture = np.empty_like(clip)
    on_clip = columns < width
    picture[:, on_clip] = clip[:, columns[on_clip]]
    picture[:, ~on_clip] = scene[:, columns[~on_clip] - width]
    for seam in np.flatnonzero(np.diff(on_clip)):  # soften the edge between both
        low, high = max(0, seam + 1 - SEAM // 2), min(width, seam + 1 + SEAM // 2)
        picture[:, low:high] = cv2.blur(picture[:, low:high], (SEAM // 2, 1))
    return picture


def _blend(picture: np.ndarray, patch: np.ndarray, share: np.ndarray, left: int, top: int) -> None:
    """Lay a patch over a picture, in place; ``share`` (h, w) float32 says how much of it."""
    height, width = picture.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + patch.shape[1], width), min(top + patch.shape[0], height)
    if x0 >= x1 or y0 >= y1:
        return
    share = share[y0 - top : y1 - top, x0 - left : x1 - left, None]
    under = picture[y0:y1, x0:x1]
    mixed = patch[y0 - top : y1 - top, x0 - left : x1 - left] * share + under * (1 - share)
    under[:] = np.rint(mixed).astype(np.uint8)


def _ellipse(width: int, height: int) -> np.ndarray:
    """(height, width) float32: 1 inside an ellipse, falling to 0 at its edge."""
    x = (np.arange(width) + 0.5) / width * 2 - 1
    y = (np.arange(height) + 0.5) / height * 2 - 1
    distance = np.sqrt(x[None] ** 2 + y[:, None] ** 2)
    return np.clip((1.05 - distance) / 0.15, 0, 1).astype(np.float32)


def cut_out(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The target and a margin around it, BGR uint8."""
    x, y, w, h = box
    height, width = frame.shape[:2]
    low = np.clip([x - MARGIN * w, y - MARGIN * h], 0, (width - 2, height - 2)).astype(int)
    high = np.ceil([x + w * (1 + MARGIN), y + h * (1 + MARGIN)]).astype(int)
    high = np.maximum(np.minimum(high, (width, height)), low + 2)
    return np.asarray(frame[low[1] : high[1], low[0] : high[0]].copy())


def recoloured(patch: np.ndarray, turn: int) -> np.ndarray:
    """A mirrored copy, its hue turned (in OpenCV's halves of a degree); a grey one is negative."""
    hsv = cv2.cvtColor(patch[:, ::-1], cv2.COLOR_BGR2HSV)
    if hsv[:, :, 1].mean() < 20:
        return 255 - np.ascontiguousarray(patch[:, ::-1])
    hsv[:, :, 0] = (hsv[:, :, 0].astype(int) + turn) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))
