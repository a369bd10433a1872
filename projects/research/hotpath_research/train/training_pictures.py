"""Find and read training pictures: stills, clips with a box each frame, and videos.

``bank.py`` packs what is read here.
"""

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hotpath.calib.errors import BadImages
from hotpath.runtime.errors import BadSource
from hotpath.video.clips import AnnotatedClip
from hotpath.video.clips import find_clips as clips_below
from hotpath.video.recorded import VideoFile
from hotpath.video.sequence import Annotation
from hotpath_lab.benchmarks import LISTS, sequences

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
VIDEOS = (".mp4", ".avi", ".mkv", ".mov")
LONGEST = 512  # pixels; a larger picture is shrunk to it
FRAMES = 60  # of a video or clip, evenly spread
GOT10K = "got10k"  # a SET beside those of ``LISTS``
PROPOSALS = 12  # boxes of a picture without its own box
SMALLEST = 32  # pixels, of a still


def shrunk(picture: np.ndarray) -> np.ndarray:
    """The picture with at most LONGEST pixels on its longer side."""
    factor = LONGEST / max(picture.shape[:2])
    if factor >= 1:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def contrast_boxes(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw boxes around things that stand out, each the best one of 8 random boxes.

    Returns:
        (PROPOSALS, 4): centre x, y and size w, h in pixels.
    """
    side = max(picture.shape[:2])
    factor = side / 128.0
    small = cv2.resize(picture, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    edges = abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB).astype(np.float32)
    total = cv2.integral(np.dstack([lab, edges / 8]))
    n = PROPOSALS * 8
    area = np.exp(rng.uniform(np.log(0.07), np.log(0.5), n)) * min(height, width)
    ratio = np.exp(rng.normal(0, 0.45, n))
    w, h = np.minimum(area * np.sqrt(ratio), width * 0.95), area / np.sqrt(ratio)
    w, h = np.maximum(w, 4), np.clip(h, 4, height * 0.95)
    x = np.clip(rng.normal(width / 2, width * 0.22, n), w / 2, np.maximum(width - w / 2, w / 2))
    y = np.clip(rng.normal(height / 2, height * 0.22, n), h / 2, np.maximum(height - h / 2, h / 2))

    def sums(grow: float) -> tuple[np.ndarray, np.ndarray]:
        left = np.maximum(x - w * grow, 0).astype(int)
        right = np.minimum(x + w * grow, width).astype(int)
        top = np.maximum(y - h * grow, 0).astype(int)
        bottom = np.minimum(y + h * grow, height).astype(int)
        values = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
        return values, np.maximum((right - left) * (bottom - top), 1)[:, None]

    (inner, inner_n), (outer, outer_n) = sums(0.5), sums(0.8)
    inside, ring = inner / inner_n, (outer - inner) / np.maximum(outer_n - inner_n, 1)
    gap = abs(inside - ring)[:, :3].sum(1) + inside[:, 3] - 0.5 * ring[:, 3]
    best = gap.reshape(PROPOSALS, 8).argmax(1) + np.arange(PROPOSALS) * 8
    return np.asarray(np.stack([x, y, w, h], 1)[best] * factor)


def read_objects(folder: str | Path) -> dict[str, list[tuple[str, list[float]]]]:
    """{name of a still: [(class, [x, y, w, h])]} of ``objects.csv``, if the folder has one."""
    path = Path(folder) / "objects.csv"
    objects: dict[str, Any] = {}
    if path.is_file():
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                thing = row["class"], [float(row[key]) for key in "xywh"]
                objects.setdefault(row["picture"], []).append(thing)
    return objects


def read_coco(path: Path) -> dict[str, list[tuple[str, list[float]]]]:
    """The objects of a COCO ``instances_*.json``, as ``read_objects`` gives them.

    Crowds are left out. The boxes of an object count from 0, as ours do.

    Raises:
        BadImages: it is not such a file.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        names = {entry["id"]: entry["name"] for entry in table["categories"]}
        files = {entry["id"]: Path(entry["file_name"]).name for entry in table["images"]}
        objects: dict[str, Any] = {name: [] for name in files.values()}
        for entry in table["annotations"]:
            if not entry.get("iscrowd"):
                box = [float(value) for value in entry["bbox"]]
                objects[files[entry["image_id"]]].append((names[entry["category_id"]], box))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadImages(
            f"{path} can't be read as COCO's instances ({type(error).__name__}: {error}); name "
            "coco=FOLDER/instances_train2017.json with the pictures in FOLDER/../train2017, or in "
            "FOLDER",
            what="not COCO",
        ) from None
    return objects


def coco_folder(path: Path) -> Path:
    """The folder of the pictures of COCO's ``instances_NAME.json``: ``../NAME``, or its own."""
    beside = path.parent.parent / path.stem.replace("instances_", "")
    return beside if beside.is_dir() else path.parent


def find_stills(folder: str | Path) -> list[Path]:
    """Paths of the pictures in a folder, in order of name."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadImages(f"{folder} is not a folder; name folders of pictures with --images")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)


def read_stills(folder: str | Path, paths: Sequence[Path]) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield (path, picture) of every still that can be read; say how many can't be."""
    broken = []
    for path in paths:
        picture = cv2.imread(str(path))
        if picture is None or min(picture.shape[:2]) < SMALLEST:
            broken.append(path.name)
        else:
            yield path, picture
    if len(broken) == len(paths):
        reason = (
            f"only broken ones ({len(broken)} files, such as {broken[0]})" if broken else "none"
        )
        kinds = ", ".join(PICTURES)
        raise BadImages(
            f"{folder} should hold pictures ({kinds}) of at least {SMALLEST}x{SMALLEST} pixels but "
            f"has {reason}; name another folder with --images",
            what="no picture",
        )
    if broken:
        print(f"{folder}: left out {len(broken)} broken pictures, such as {broken[0]}")


def read_video(path: Path, most: int) -> list[tuple[int, np.ndarray]]:
    """Up to ``most`` frames of a video, evenly spread, as a list of (frame number, picture)."""
    frames = []
    try:
        video = VideoFile(str(path))
        step = -(-video.count() // most)
        with video as source:
            frame = source.read()
            while frame is not None:
                if (source.given - 1) % step == 0:
                    frames.append((source.given - 1, frame))
                frame = source.read()
    except BadSource as error:  # what came before a damaged part is used
        if len(frames) < 2:
            raise BadImages(f"{error}; take it out of --clips", what="not a video") from None
    if len(frames) < 2:
        raise BadImages(f"{path} can't be read as a video; take it out of --clips")
    return frames


def read_boxes(path: Path) -> dict[int, list[float]]:
    """boxes.csv -> {frame number: [x, y, w, h]} of the frames that have a box."""
    boxes = Annotation(str(path)).boxes()
    return {frame: list(box) for frame, box in enumerate(boxes) if box is not None}


def labelled(clip: AnnotatedClip, most: int) -> list[int]:
    """Up to ``most`` frames of a clip that have a box, evenly spread."""
    indices = np.flatnonzero(np.isfinite(clip.boxes[:, 0]))
    return list(map(int, indices[:: -(-len(indices) // most)]))


def read_clip(
    clip: AnnotatedClip, most: int, left_out: Collection[int] = ()
) -> Iterator[tuple[np.ndarray, list[float]]]:
    """Yield (picture, box x,y,w,h) of the ``labelled`` frames but those that are left out."""
    for index in labelled(clip, most):
        if index not in left_out:
            yield clip[index], clip.boxes[index].tolist()


def find_clips(roots: Iterable[str | Path]) -> tuple[list[tuple[AnnotatedClip, str]], list[Path]]:
    """Annotated clips, each with the name of its data set or "", and videos without annotation.

    Args:
        roots: each a video, a folder of videos or of clips that ``hotpath evaluate`` can read, or
            SET=DIR: a data set of ``calib.benchmarks.LISTS``, or got10k.
    """
    clips: list[tuple[AnnotatedClip, str]] = []
    videos: list[Path] = []
    for root in map(Path, roots):
        name, _, folder = str(root).partition("=")
        if folder and name == GOT10K:  # of which Hotpath's own reader knows the layout
            clips += [(clip, name) for clip in clips_below([Path(folder)])]
            continue
        if folder and name in LISTS:
            clips_of_folder = sequences(name, Path(folder))
            for sentence in clips_of_folder.left_out:
                print(sentence)
            clips += [(clip, name) for clip in clips_of_folder.clips]
            continue
        if root.suffix.lower() in VIDEOS and root.is_file():
            videos.append(root)
            continue
        if not root.is_dir():
            raise BadImages(
                f"{root} is neither a folder nor a video, nor SET=DIR with a SET of "
                f"{', '.join([*LISTS, GOT10K])}; correct --clips",
                what="not found",
            )
        here = [path for path in sorted(root.iterdir()) if path.suffix.lower() in VIDEOS]
        inside = [path for path in sorted(root.iterdir()) if path.is_dir()] if here else [root]
        clips += [(clip, "") for clip in clips_below(inside)]
        videos += here
    return clips, videos
