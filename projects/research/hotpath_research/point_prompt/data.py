"""The prepared examples: crops as JPEG in one file, and what they show in another one."""

import argparse
import collections
import itertools
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from hotpath.calib.errors import BadImages
from hotpath.runtime.network import Network
from hotpath_lab.provenance import commit
from hotpath_research.point_prompt import pictures
from hotpath_research.point_prompt.examples import Examples
from hotpath_research.point_prompt.pictures import Picture
from hotpath_research.train.sources import Sources

HELD, FIRST = 17, 3  # each so-manieth film or still, from this one on, judges and does not teach
HELD_SHARE = 0.06  # of the examples
HELD_PICTURES = "held.npz"
CROPS, TABLE, ORIGIN = "crops.bin", "examples.npz", "origin.json"


class Data:
    """Prepared examples.

    Args:
        folder: folder that ``prepare`` wrote.

    Attributes:
        box, drawn: float32 (n, 4); kind: int8 (n,); held: bool (n,), see ``Example``.
    """

    def __init__(self, folder: Path) -> None:
        try:
            with np.load(folder / TABLE) as table:
                self._ends = table["ends"]
                self.box, self.drawn = table["box"], table["drawn"]
                self.kind, self.held = table["kind"], table["held"]
            self._crops = np.memmap(folder / CROPS, np.uint8, "r")
        except (OSError, ValueError, KeyError) as error:
            raise BadImages(
                f"{folder} holds no prepared examples ({error}); make them with "
                "`python -m hotpath_research.point_prompt prepare`"
            ) from None

    def __len__(self) -> int:
        return len(self.kind)

    def crop(self, number: int) -> np.ndarray:
        """Return a crop, BGR uint8 (search, search, 3)."""
        begin = int(self._ends[number - 1]) if number else 0
        jpeg = self._crops[begin : int(self._ends[number])]
        return np.asarray(cv2.imdecode(np.asarray(jpeg), cv2.IMREAD_COLOR))


def write_pictures(path: Path, pictures_: list[Picture]) -> None:
    """Write pictures, by which thresholds are chosen."""
    jpegs = [np.frombuffer(picture.jpeg, np.uint8) for picture in pictures_]
    np.savez(
        path,
        jpegs=np.concatenate(jpegs),
        ends=np.cumsum([len(jpeg) for jpeg in jpegs]),
        boxes=np.concatenate([picture.boxes for picture in pictures_]),
        counts=np.array([len(picture.boxes) for picture in pictures_]),
        complete=np.array([picture.complete for picture in pictures_]),
        source=np.array([picture.source for picture in pictures_]),
    )


def read_pictures(path: Path) -> list[Picture]:
    """Read what ``write_pictures`` wrote."""
    with np.load(path) as table:
        jpegs = np.split(table["jpegs"], table["ends"][:-1])
        boxes = np.split(table["boxes"], np.cumsum(table["counts"])[:-1])
        rows = zip(jpegs, boxes, table["source"], table["complete"])
        return [Picture(jpeg.tobytes(), *row) for jpeg, *row in rows]


def split(all_pictures: list[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Split pictures into those that judge and those that teach: all of one file are in one part.

    Raises:
        BadImages: one part would be empty, as with few films.
    """
    files = list(dict.fromkeys(picture.file for picture in all_pictures))
    judging = set(files[FIRST::HELD])
    held = [picture for picture in all_pictures if picture.file in judging]
    taught = [picture for picture in all_pictures if picture.file not in judging]
    if not held:
        raise BadImages(
            f"{len(files)} films and stills are too few to hold some of them out; name more with "
            "--images or --clips"
        )
    return held, taught


def prepare(options: argparse.Namespace, network: Network, sources: Sources, detect: Any) -> int:
    """Make the examples of a run from the pictures that ``options`` names."""
    read = pictures.read(options.images, options.clips, options.coco, sources, detect)
    all_pictures = list(tqdm(read, "pictures", unit="", disable=None))
    if len(all_pictures) < 2 * HELD:
        raise BadImages(
            f"{len(all_pictures)} pictures with boxes are too few; name more folders with --images"
        )
    held, taught = split(all_pictures)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    judging = int(options.examples * HELD_SHARE)
    parts = ((taught, options.examples - judging, False), (held, judging, True))
    rows, ends, is_held, end = [], [], [], 0
    with open(out / CROPS, "wb") as file:
        for number, (part, count, judges) in enumerate(parts):
            examples = Examples(part, network, options.seed + number)
            several = itertools.islice(examples, count)
            for example in tqdm(several, "examples", count, unit="", disable=None):
                end += file.write(example.jpeg)
                ends.append(end)
                rows.append(example._replace(jpeg=b""))
                is_held.append(judges)
    np.savez(
        out / TABLE,
        ends=np.array(ends, np.int64),
        box=np.array([row.box for row in rows], np.float32),
        drawn=np.array([row.drawn for row in rows], np.float32),
        kind=np.array([row.kind for row in rows], np.int8),
        held=np.array(is_held, bool),
    )
    write_pictures(out / HELD_PICTURES, held)
    counts = collections.Counter(picture.source for picture in all_pictures)
    boxes: collections.Counter[str] = collections.Counter()
    for picture in all_pictures:
        boxes[picture.source] += len(picture.boxes)
    origin = {
        "pictures": dict(counts),
        "boxes": dict(boxes),
        "licences": sorted(sources.licences),
        "examples": len(rows),
        "git": commit(),
    }
    (out / ORIGIN).write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(origin, indent=1))
    return 0
