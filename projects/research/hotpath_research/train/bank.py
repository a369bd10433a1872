"""The bank: all training pictures, decoded once into one flat file that every process maps.

There are three kinds. A STILL is a single picture. ``objects.csv`` in its folder may name its
objects. Pictures of a SEQUENCE show one target, each with its true box. Pictures of a VIDEO belong
together and have no true box, at most a rough one. A picture without a box gets boxes around
salient objects. One group in 40 is held out of the training.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from hotpath.calib.errors import BadImages
from hotpath_research.train.sources import TABLE, Source, Sources
from hotpath_research.train.training_pictures import (
    FRAMES,
    PROPOSALS,
    coco_folder,
    contrast_boxes,
    find_clips,
    find_stills,
    read_boxes,
    read_clip,
    read_coco,
    read_objects,
    read_stills,
    read_video,
    shrunk,
)

STILL, SEQUENCE, VIDEO = 0, 1, 2
HOLDOUT = 40
VERSION = 3  # of the bank's contents
FEWEST_PIXELS = 6  # of a side of an object
SEED = 7  # of the boxes around things that stand out


class Bank:
    """The pictures, mapped read-only.

    Attributes, one entry a picture:
        kind: STILL, SEQUENCE or VIDEO.
        group: number of the clip or still; pictures of one clip share it.
        boxes: (PROPOSALS, 4) as centre and size in pixels. A picture with its own box has
            that box in every row, one with ``objects.csv`` those of its objects.
        located: whether it has its own boxes.
        kin: number of the class that its things share with those of other pictures: the class in
            ``objects.csv``, or the picture's name without its number.
        source: index into ``source_names``.
        held: whether it is held out of the training.
        mean: mean colour, BGR.

    ``sources`` maps the name of each still folder and clip to its number of pictures, and
    ``licences`` each licence class.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        table = np.load(folder / "bank.npz")
        self._offset, self._shape = table["offset"], table["shape"]
        self.kind, self.group, self.boxes = table["kind"], table["group"], table["boxes"]
        self.located, self.source, self.mean = table["located"], table["source"], table["mean"]
        self.kin = table["kin"]
        self.held = self.group % HOLDOUT == HOLDOUT - 1
        self._pixels = np.memmap(folder / "bank.bin", np.uint8, "r")
        about = json.loads(str(table["about"]))
        self.sources: dict[str, int] = about["sources"]
        self.licences: dict[str, int] = about["licences"]
        self.source_names: list[str] = about["source_names"]

    def __len__(self) -> int:
        return len(self.kind)

    def picture(self, index: int) -> np.ndarray:
        """BGR uint8 (H, W, 3)."""
        height, width = self._shape[index]
        start = self._offset[index]
        return self._pixels[start : start + height * width * 3].reshape(height, width, 3)


class _Packer:
    """Writes pictures one after the other; ``close`` writes the table beside them."""

    def __init__(self, folder: Path) -> None:
        self.file = open(folder / "bank.bin", "wb")
        self.rows: list[dict[str, Any]] = []
        self.end = 0
        self.counts: dict[str, int] = {}  # pictures of each folder or clip
        self.licences: dict[str, int] = {}  # pictures of each class
        self.source_names: dict[str, int] = {}
        self.groups: dict[str, int] = {}
        self.kin: dict[str, int] = {}  # classes
        self.rng = np.random.default_rng(SEED)

    def add(
        self,
        picture: np.ndarray,
        kind: int,
        group: str,
        part: str,
        source: Source,
        boxes: Any = (),
        kin: str = "",
    ) -> None:
        """Append a picture.

        Args:
            group: name that all pictures of one clip share.
            part: name of the folder or clip that counts it.
            boxes: rows of x, y, w, h in pixels of ``picture``, or none.
            kin: name of the class of what it shows.
        """
        small = np.ascontiguousarray(shrunk(picture))
        located = len(boxes) > 0
        if located:
            rows = np.array(boxes, float)
            rows = rows if len(rows) <= PROPOSALS else self.rng.permutation(rows)
            scale = small.shape[1] / picture.shape[1]
            rows = np.resize(
                np.hstack([rows[:, :2] + rows[:, 2:] / 2, rows[:, 2:]]), (PROPOSALS, 4)
            )
            boxes = rows * scale - (0.5, 0.5, 0, 0)
        else:
            boxes = contrast_boxes(small, self.rng)
        self.file.write(small.tobytes())
        row = {
            "offset": self.end,
            "shape": small.shape[:2],
            "kind": kind,
            "group": self.groups.setdefault(group, len(self.groups)),
            "boxes": boxes.astype(np.float32),
            "located": located,
            "kin": self.kin.setdefault(kin or group, len(self.kin)),
            "source": self.source_names.setdefault(source.name, len(self.source_names)),
            "mean": small.mean((0, 1)),
        }
        self.rows.append(row)
        self.end += small.size
        self.counts[part] = self.counts.get(part, 0) + 1
        of_class = self.licences.get(source.licence_class, 0)
        self.licences[source.licence_class] = of_class + 1

    def close(self, path: Path) -> None:
        self.file.close()
        columns: dict[str, Any] = {
            name: np.array([row[name] for row in self.rows]) for name in self.rows[0]
        }
        about = {
            "sources": self.counts,
            "licences": self.licences,
            "source_names": list(self.source_names),
        }
        np.savez(path, about=json.dumps(about), **columns)


def kin_of(name: str) -> str:
    """What pictures of one class have in common: their name before its number."""
    return re.split(r"[_-]*[0-9]", name)[0]


def clip_group(name: str) -> str:
    """The group of a clip: its name without the number of the target."""
    head, _, last = name.rpartition("-")
    return head if last.startswith("id") else name


def build_bank(
    folder: str | Path,
    images: Sequence[str | Path],
    clips: Sequence[str | Path],
    licences: Sequence[str] = (),
    frames: int = FRAMES,
    left_out: Sequence[str] = (),
    outliers: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> Bank:
    """Read everything into ``folder``, once; again only when the arguments change.

    Args:
        images: folders of stills, or coco=FILE, an ``instances_*.json`` of COCO.
        clips: folders of clips, SET=DIR, folders of videos, or videos, see ``find_clips``. A file
            NAME.boxes.csv beside the video NAME.mp4 says roughly where the target is.
        licences: licence classes to use, see ``sources.py``; empty: all.
        frames: most pictures of a clip or video.
        left_out: names of clips that are not learnt from.
        outliers: frames, by the name of their clip, that are not learnt from.

    Returns:
        A ``Bank``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [[str(path) for path in folders] for folders in (images, clips)]
    unused = sorted(left_out), sorted((name, *indices) for name, indices in outliers.items())
    key = json.dumps([*paths, sorted(licences), frames, VERSION, *unused])
    key = hashlib.sha256(key.encode()).hexdigest()
    done = folder / "bank.key"
    if done.is_file() and done.read_text() == key:
        return Bank(folder)
    done.unlink(missing_ok=True)
    if not images:
        raise BadImages("no pictures were named; name a folder of them with --images")
    packer, sources = _Packer(folder), Sources(licences)
    _pack_stills(packer, images, sources)
    clip_names, videos = find_clips(clips)
    clip_names = [pair for pair in clip_names if pair[0].name not in left_out]
    _pack_clips(packer, clip_names, sources, frames, outliers)
    _pack_videos(packer, videos, sources, frames)
    if not packer.rows:
        raise BadImages(
            f"no picture has a licence of class {', '.join(sorted(licences))}; list its source in "
            f"{TABLE.name} or name other classes with --licences",
            what="no picture",
        )
    packer.close(folder / "bank.npz")
    done.write_text(key)
    return Bank(folder)


def _pack_stills(packer: _Packer, folders: Sequence[Any], sources: Sources) -> None:
    """Stills; one that ``objects.csv`` names is there once for each class of its objects."""
    for folder in folders:
        name, _, coco = str(folder).partition("=")
        if name == "coco" and coco:
            objects = read_coco(Path(coco))
            folder = coco_folder(Path(coco))
            stills = [path for path in find_stills(folder) if objects.get(path.name)]
        else:
            stills, objects = find_stills(folder), read_objects(folder)
        paths = [path for path in stills if sources.allow(path)]
        if stills and not paths:
            continue
        for path, picture in read_stills(folder, paths):
            of_class: dict[str, list[Any]] = {}
            for name, box in objects.get(path.name, []):
                if min(box[2:]) >= FEWEST_PIXELS:
                    of_class.setdefault(name, []).append(box)
            group = "still " + path.name
            of_class = of_class or {kin_of(path.stem): []}
            for name, boxes in of_class.items():
                source = sources.of(path)
                packer.add(picture, STILL, group, str(folder), source, boxes, name)


def _pack_clips(
    packer: _Packer,
    pairs: Sequence[Any],
    sources: Sources,
    frames: int,
    outliers: Mapping[str, Sequence[int]],
) -> None:
    """Clips. A data set that was named is counted as one, and for research only."""
    for clip, name in pairs:
        source = Source(name, "R", "research use", ()) if name else sources.of(clip.folder)
        if source.licence_class not in sources.licences:
            continue
        group = "clip " + clip_group(clip.name)
        part = name or clip.name
        for picture, box in read_clip(clip, frames, outliers.get(clip.name, ())):
            packer.add(picture, SEQUENCE, group, part, source, [box])


def _pack_videos(packer: _Packer, paths: Sequence[Path], sources: Sources, frames: int) -> None:
    """Videos, each under its own group."""
    for path in filter(sources.allow, paths):
        beside = path.with_name(path.stem + ".boxes.csv")
        rough = read_boxes(beside) if beside.is_file() else {}
        for index, frame in read_video(path, frames):
            boxes = [rough[index]] if index in rough else []
            group = "video " + path.name
            source = sources.of(path)
            packer.add(frame, VIDEO, group, path.name, source, boxes, kin_of(path.stem))
