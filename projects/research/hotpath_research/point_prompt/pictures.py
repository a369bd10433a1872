"""Pictures with boxes of their objects: from files, from a detector, or from a plain ground.

Only files whose licence class the run allows are read (``hotpath_research.train.sources``).
"""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from hotpath.base import toml
from hotpath.calib.errors import BadImages
from hotpath_research.point_prompt.contrast import cut_out, tightened
from hotpath_research.train.pictures import PICTURES
from hotpath_research.train.sources import Source, Sources

LONGEST = 640  # pixels; a larger picture is shrunk to it
SMALLEST = 5.0  # side of a box in the shrunk picture, pixels
SURE = 0.5  # score from which a detector's box counts
FRAMES = 10  # of a video
OPEN = (4, 7, 8)  # licences in files of COCO: CC BY, no known restrictions, US government
WEIGHTS = Path(__file__).with_name("weights.toml")

Detect = Callable[[np.ndarray], Any]  # a ``hotpath.app.detect.Detector``'s ``detect``


class Picture(NamedTuple):
    """One picture and its objects.

    Attributes:
        jpeg: bytes.
        boxes: float32 (n, 4), (x, y, w, h) in pixels; n may be 0 if it is complete.
        source: name of its source.
        complete: whether each object has a box.
        cut: BGRA of a thing that can be pasted elsewhere, as PNG, or None.
        file: its film or its own file, with the folder: pictures of one are never on both sides.
    """

    jpeg: bytes
    boxes: np.ndarray
    source: str
    complete: bool
    cut: bytes | None = None
    file: str = ""


class Weight(NamedTuple):
    """An entry of ``weights.toml``."""

    weight: float = 0.3
    complete: bool = False
    box: str = "none"


def decoded(picture: bytes, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """Decode a JPEG or PNG that this program encoded."""
    return np.asarray(cv2.imdecode(np.frombuffer(picture, np.uint8), flags))


def weights() -> dict[str, Weight]:
    """Read ``weights.toml``: name of a source -> its ``Weight``."""
    return {name: Weight(**values) for name, values in toml.read(WEIGHTS, BadImages).items()}


def read(
    images: list[Path], clips: list[Path], coco: list[Path], sources: Sources, detect: Detect | None
) -> Iterator[Picture]:
    """Yield the pictures of a run.

    Args:
        images: folders of pictures; ``objects.csv`` in one (picture, class, x, y, w, h) has boxes.
        clips: folders of videos, with NAME.boxes.csv (frame, x, y, w, h) beside NAME.mp4, or none.
        coco: JSON files in COCO's format; the pictures are below the folder of the file.
        sources: the licence classes that the run may see.
        detect: detector for pictures without boxes, or None.
    """
    table = weights()
    for folder in images:
        yield from _stills(folder, sources, table, detect)
    for folder in clips:
        for path in sorted(folder.glob("*.mp4")):
            if sources.allow(path):
                yield from _frames(path, sources.of(path), table, detect)
    for path in coco:
        yield from _coco(path, sources, table)


def _stills(
    folder: Path, sources: Sources, table: dict[str, Weight], detect: Detect | None
) -> Iterator[Picture]:
    """Yield the pictures of a folder."""
    annotated: dict[str, list[list[float]]] = {}
    if (folder / "objects.csv").is_file():
        with open(folder / "objects.csv", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                box = [float(row[key]) for key in "xywh"]
                annotated.setdefault(row["picture"], []).append(box)
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in PICTURES or not sources.allow(path):
            continue
        source = sources.of(path)
        weight = table.get(source.name, Weight())
        image = cv2.imread(str(path))
        if image is None or not weight.weight:
            continue
        if annotated:
            boxes = annotated.get(path.name, [])
            yield from _picture(path, image, boxes, source, weight.complete)
        elif weight.box == "detector":
            yield from _without_boxes(path, image, source, detect)
        elif weight.complete:
            yield from _picture(path, image, [], source, True)


def _without_boxes(
    path: Path, image: np.ndarray, source: Source, detect: Detect | None
) -> Iterator[Picture]:
    """Yield a picture with the detector's boxes, and as a thing before a plain ground if it is."""
    cut = cut_out(image)
    if cut is not None:
        thing = cv2.imencode(".png", cut.thing)[1].tobytes()
        yield from _picture(path, image, [cut.box], source._replace(name="plain"), True, thing)
    if detect is not None:
        detections = detect(image)
        boxes = detections.boxes[detections.scores > SURE]
        yield from _picture(path, image, boxes, source, False)


def _frames(
    path: Path, source: Source, table: dict[str, Weight], detect: Detect | None
) -> Iterator[Picture]:
    """Yield some frames of a video, with the boxes of the file beside it, or of the detector."""
    weight = table.get(source.name, Weight())
    beside = path.with_name(path.stem + ".boxes.csv")
    boxes: dict[int, list[float]] = {}
    if beside.is_file():
        with open(beside, encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["x"]:
                    boxes[int(row["frame"])] = [float(row[key]) for key in "xywh"]
    elif weight.box != "detector" or detect is None:
        return
    video = cv2.VideoCapture(str(path))
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    numbers = sorted(boxes) or list(range(count))
    chosen = {numbers[int(len(numbers) * (n + 0.5) / FRAMES)] for n in range(FRAMES) if numbers}
    for number in range(max(chosen, default=-1) + 1):
        good, image = video.read()
        if not good:
            return
        if number in chosen and boxes:
            box = tightened(image, boxes[number])
            if box is not None:
                yield from _picture(path, image, [box], source, weight.complete)
        elif number in chosen and detect is not None:
            detections = detect(image)
            boxes_ = detections.boxes[detections.scores > SURE]
            yield from _picture(path, image, boxes_, source, False)


def _coco(path: Path, sources: Sources, table: dict[str, Weight]) -> Iterator[Picture]:
    """Yield the pictures of a JSON file in COCO's format whose own licence is open."""
    with open(path, encoding="utf-8") as file:
        values = json.load(file)
    boxes: dict[Any, list[list[float]]] = {}
    for entry in values.get("annotations") or values.get("annotation", []):
        if not entry.get("iscrowd"):
            boxes.setdefault(entry["image_id"], []).append(entry["bbox"])
    files = {file.name: file for file in path.parent.rglob("*") if file.suffix in PICTURES}
    for entry in values["images"]:
        name = entry.get("file_name") or entry["filename"]
        file_path = files.get(Path(name).name)
        if file_path is None or entry.get("license", OPEN[0]) not in OPEN:
            continue
        if not sources.allow(path):
            continue
        source = sources.of(path)
        image = cv2.imread(str(file_path))
        complete = table.get(source.name, Weight()).complete
        if image is not None:
            own = boxes.get(entry["id"], [])
            yield from _picture(file_path, image, own, source, complete)


def _picture(
    path: Path,
    image: np.ndarray,
    boxes: Any,
    source: Source,
    complete: bool,
    cut: bytes | None = None,
) -> Iterator[Picture]:
    """Yield a picture if it can teach something: shrunk, its boxes inside of it."""
    height, width = image.shape[:2]
    factor = min(1.0, LONGEST / max(height, width))
    if factor < 1:
        size = round(width * factor), round(height * factor)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    corners = np.asarray(boxes, np.float32).reshape(-1, 4) * factor
    corners[:, 2:] += corners[:, :2]
    limits = np.array([image.shape[1], image.shape[0]] * 2, np.float32)
    corners = np.clip(corners, 0, limits)
    corners[:, 2:] -= corners[:, :2]
    inside = corners[(corners[:, 2:] >= SMALLEST).all(axis=1)]
    if len(inside) or complete:
        jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        name = f"{path.parent.name}/{path.name}"
        yield Picture(jpeg, inside, source.name, complete, cut, name)
