"""Read annotated clips; ``len(clip)`` frames, ``clip[i]`` is one frame.

``sequence.py`` reads the annotations, ``folder.py`` and ``recorded.py`` the frames, so that all
parts of Hotpath read a clip as a run does. The loaders of ``got10k`` are not used, because they
refuse a folder that does not hold their whole data set.
"""

import copy
import hashlib
import math
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from hotpath.base.messages import counted
from hotpath.runtime.errors import BadClips, BadSource
from hotpath.video import sequence
from hotpath.video.folder import (
    natural_key,
    picture_paths,
    picture_size,
    read_picture,
    video_paths,
)
from hotpath.video.sources import is_animation, open_source

DEPTH = 4  # folders below the one that was named


class AnnotatedClip:
    """One annotated clip.

    Attributes:
        name: name of the folder; with ``.2`` for a second target.
        boxes: (frames, 4) float64 (x, y, w, h), 0-based pixels, NaN if the target is absent. The
            first frame always has a box: earlier frames are left out.
    """

    def __init__(
        self,
        name: str,
        folder: Union[str, Path],
        frames: Any,
        boxes: np.ndarray,
    ) -> None:
        self.name = name
        self.folder = Path(folder)
        self.boxes = boxes
        self._frames = frames  # list of paths, or a _Video
        self._sha256 = None  # type: Optional[str]

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: int) -> np.ndarray:
        """Frame ``index`` as BGR uint8 (H, W, 3); ``BadSource`` when it is broken."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        frame = self._frames[index]
        if isinstance(frame, np.ndarray):
            return frame
        try:
            return read_picture(str(frame))
        except BadSource as error:
            raise BadSource(
                f"{self.name}: broke at frame {index} of {len(self)}: {error}",
                what="broke off",
                where=self.name,
            ) from None

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def in_memory(self, most_bytes: int) -> "AnnotatedClip":
        """Return a copy with decoded frames, or itself if these need more than ``most_bytes``."""
        if self[0].nbytes * len(self) > most_bytes:
            return self
        held = copy.copy(self)
        held._frames = list(self)
        return held

    def beginning(self, frames: int) -> "AnnotatedClip":
        """Return a clip of its first frames, or of all if it has fewer."""
        cut = copy.copy(self)
        cut.boxes, cut._sha256 = self.boxes[:frames], None
        cut._frames = self._frames[:frames]
        return cut

    def since(self, first: int) -> "AnnotatedClip":
        """Return a clip of the frames from ``first`` on, where the target is there; NAME@FIRST."""
        cut = copy.copy(self)
        cut.name = f"{self.name}@{first}"
        cut.boxes, cut._sha256 = self.boxes[first:], None
        cut._frames = self._frames[first:]
        return cut

    def __getstate__(self) -> Dict[str, Any]:  # another machine's files may be others
        return dict(self.__dict__, _sha256=None)

    @property
    def paths(self) -> List[Path]:
        """The files of the frames; empty for a clip that is one video."""
        return [] if isinstance(self._frames, _Video) else [Path(path) for path in self._frames]

    @property
    def sha256(self) -> str:
        """Hexadecimal sha256 of the frames' bytes and the boxes."""
        if self._sha256 is None:
            digest = hashlib.sha256(np.ascontiguousarray(self.boxes).tobytes())
            video = isinstance(self._frames, _Video)
            for path in [self._frames.path] if video else self._frames:
                digest.update(Path(path).read_bytes())
            self._sha256 = digest.hexdigest()
        return self._sha256


class _Video:
    """Frames of a video by number, BGR."""

    def __init__(self, path: Union[str, Path], first: int = 0, frames: int = 0) -> None:
        self.path, self.first = path, first
        self._source = None  # type: Any
        self.frames = frames or self._opened().count()

    def __len__(self) -> int:
        return self.frames - self.first

    def __getitem__(self, index: Union[int, slice]) -> Any:
        """A frame; of a slice the same video without the others."""
        if isinstance(index, slice):
            first, end, _ = index.indices(len(self))
            return _Video(self.path, self.first + first, self.first + end)
        index += self.first
        source = self._opened()
        frame = None
        if index == source.given or source.seek(index):
            frame = source.read() if source.given == index else None
        if frame is None:
            raise BadSource(f"{self.path}: broke at frame {index} of {self.frames}")
        return np.asarray(frame)

    def size(self) -> Optional[Tuple[int, int]]:
        """(width, height) of the first frame, pixels; None if it can't be decoded."""
        try:
            height, width = self[0].shape[:2]
        except BadSource:
            return None  # who reads the frame says why
        return width, height

    def _opened(self) -> Any:
        if self._source is None:
            self._source = open_source(str(self.path))
        return self._source

    def __getstate__(self) -> Dict[str, Any]:  # an open file can't go to another process
        return dict(self.__dict__, _source=None)


def find_clips(
    folders: Iterable[Union[str, Path]], log: Optional[Callable[[str], None]] = None
) -> List[AnnotatedClip]:
    """Find every annotated clip in or below some folders.

    Args:
        folders: paths; each a clip, or a folder of clips (searched ``DEPTH`` deep).
        log: function that takes one sentence about folders that are left out, with the reason.

    Returns:
        list of ``AnnotatedClip`` in the order of the names. Names are unique.

    Raises:
        BadClips: there are no clips or no annotation, or boxes and frames differ in number.
    """
    clips_all = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise BadClips(
                f"{folder} is not a folder; name a clip or a folder of clips", what="not a folder"
            )
        here = list(_sequences(folder, DEPTH))
        if not here:
            loose = video_paths(str(folder))
            if loose:
                raise BadClips(
                    f"{folder} holds {counted(len(loose), 'video')} side by side; give each a "
                    "folder of its own, with its annotation",
                    what="loose videos",
                )
            raise BadClips(
                f"{folder} holds no frames: no pictures and no video, {DEPTH} folders deep; "
                "name a clip or a folder of clips",
                what="no frames",
            )
        for place, frames in here:
            clips = list(_clips_of(place, frames, log))
            if not clips and place == folder:
                raise BadClips(_without_annotation(folder), what="no annotation")
            if not clips and log:
                log("left out: " + _without_annotation(place))
            clips_all.extend(clips)
        if not clips_all:
            raise BadClips(
                f"{folder}: no annotation in {counted(len(here), 'clip')} (boxes.csv, "
                "groundtruth.txt, groundtruth_rect.txt …)"
            )
    return _named_apart(clips_all)


def _without_annotation(folder: Path) -> str:
    return sequence.why_passed_over(str(folder)) or (
        f"{folder} has no annotation; put groundtruth.txt (x,y,w,h a line) or boxes.csv beside its "
        "frames"
    )


def _named_apart(clips: Iterable[AnnotatedClip]) -> List[AnnotatedClip]:
    """Sort the clips. If two folders have the same name, put the parent's name before it."""
    clips = list({(clip.folder.resolve(), clip.name): clip for clip in clips}.values())
    names = [clip.name for clip in clips]
    for clip in clips:
        if names.count(clip.name) > 1:
            clip.name = f"{clip.folder.resolve().parent.name}-{clip.name}"
    return sorted(clips, key=lambda clip: natural_key(clip.name))


def _sequences(folder: Path, depth: int) -> Iterator[Tuple[Path, Any]]:
    """(folder, its frames as ``_frames_of``) at or below ``folder``."""
    frames = _frames_of(folder)
    if frames is not None:
        yield folder, frames
    elif depth:
        for inside in sorted(path for path in folder.iterdir() if path.is_dir()):
            yield from _sequences(inside, depth - 1)


def _frames_of(folder: Path) -> Any:
    """Paths of a folder's pictures, or the path of its one video or animation, or None."""
    try:
        paths = picture_paths(str(folder))
        return Path(paths[0]) if len(paths) == 1 and is_animation(paths[0]) else paths
    except BadSource:
        videos = video_paths(str(folder))
        return Path(videos[0]) if len(videos) == 1 else None


def _clips_of(
    folder: Path, frames: Any, log: Optional[Callable[[str], None]] = None
) -> Iterator[AnnotatedClip]:
    """The clips of one sequence folder: one a target; none when it has no annotation."""
    try:
        for suffix, boxes in sequence.targets(str(folder)):
            pictures = frames if isinstance(frames, list) else _Video(frames)
            yield clip_of(folder.resolve().name + suffix, folder, pictures, boxes, log)
    except BadSource as error:
        raise BadClips(str(error), what="wrong annotation") from None


def clip_of(
    name: str,
    folder: Path,
    frames: Any,
    boxes: Sequence[sequence.Box],
    log: Optional[Callable[[str], None]] = None,
) -> AnnotatedClip:
    """Make a clip from the target's first frame on, after a check of its frames and boxes.

    Args:
        frames: list of paths, or a ``_Video``.
        boxes: one for each frame, None if the target is absent.
        log: is told what is odd about the boxes.

    Raises:
        BadClips: they differ in number, there is no box, or the boxes are corners.
    """
    if not boxes:
        raise BadClips(f"{name}: the annotation holds no line; correct it")
    first, last = sequence.annotated_frames(str(folder), len(boxes), len(frames))
    if last - first + 1 != len(boxes):
        raise BadClips(
            f"{name}: {counted(len(boxes), 'box', 'boxes')} for {counted(len(frames), 'frame')}; "
            "correct the annotation"
        )
    size = frames.size() if isinstance(frames, _Video) else picture_size(str(frames[0]))
    try:
        sequence.check_units(name, boxes, size, log)
    except sequence.Misfit as error:
        raise BadClips(str(error), what="wrong annotation") from None
    rows = [(math.nan,) * 4 if box is None else tuple(box) for box in boxes]
    truth = np.array(rows, float).reshape(-1, 4)
    seen = np.flatnonzero(np.isfinite(truth[:, 0]))
    if not len(seen):
        raise BadClips(f"{name}: the annotation has no box at all; correct it")
    start = first - 1 + int(seen[0])
    return AnnotatedClip(name, folder, frames[start:last], truth[seen[0] :])
