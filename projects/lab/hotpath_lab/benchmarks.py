"""Public data sets by name, in their authors' layout. Missing sequences are left out.

``sequences`` reads a data set of ``LISTS``. ``hotpath_lab.evaluate`` tracks them like clips, and
the training takes pictures of them. A set whose layout is regular is a row of ``LAYOUTS``. Lists of
sequences, and the readers of NfS and ImageNet VID, come from the GOT-10k toolkit (Huang et al.,
"GOT-10k", TPAMI 2019). That toolkit itself evaluates on GOT-10k. Every tracker of Hotpath has its
interface.
"""

import csv
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from hotpath.base.messages import missing_package_text
from hotpath.calib.command_line import say
from hotpath.calib.errors import MissingLibrary
from hotpath.runtime.errors import BadClips, HotpathError
from hotpath.video.clips import AnnotatedClip, clip_of
from hotpath.video.folder import natural_key, picture_paths
from hotpath.video.sequence import OTB_FRAMES, Annotation

FETCH = "run `python -m hotpath_lab.public --data {}`"
ORIGIN = 1  # number of the first pixel in most authors' files
LAST = 1 << 31  # the number of a last frame that is not limited
TWO_TARGETS = ("Jogging", "Skating2")  # of OTB
# Attributes in the order of the 0 and 1 in each data set's att/NAME.txt.
OTB_ATTRIBUTES = "IV OPR SV OCC DEF MB FM IPR OV BC LR".split()
UAV_ATTRIBUTES = "SV ARC LR FM FOC POC OV BC IV VC CM SOB".split()
DTB70_ATTRIBUTES = "SV ARV OCC DEF FCM IPR OPR OV BC SOA MB".split()


class ListedSequence(NamedTuple):
    """A sequence as its data set lists it."""

    name: str
    folder: Path  # of the pictures
    truth: Path  # the file of boxes
    first: int = 1  # number of its first frame
    last: int = LAST
    origin: int = ORIGIN  # number of the first pixel
    first_only: bool = False  # whether only the first frame's box is given out
    read: Any = None  # of the toolkit, instead: returns the paths of the frames and (n, 4) boxes
    sha256: str = ""  # that the clip must have; empty: any
    groups: tuple[str, ...] = ()  # that it belongs to; empty: those of its attributes


class BoxFilesLayout(NamedTuple):
    """A set with a file of boxes for each sequence. NAME is the sequence's, as the file's."""

    files: str  # glob of the files of boxes, below the set's folder
    frames: tuple[str, ...]  # folders of its frames, from the file's: the first one that is there
    total: int = 0  # sequences of the whole set; 0: as many as are there
    end: str = ".txt"  # of the file's name; "groundtruth.txt": its folder has the sequence's name
    origin: int = ORIGIN
    first_only: bool = False


# Where no document says from which number the authors count pixels: 1 if their tools are in MATLAB.
UAVDT = ("../../UAV-benchmark-S/NAME", "../../NAME", "../sequences/NAME")  # as people unpack it
LAYOUTS = {
    "visdrone": BoxFilesLayout("**/annotations/*_s.txt", ("../sequences/NAME",)),
    "visdrone_challenge": BoxFilesLayout(
        "**/initialization/*_s.txt", ("../sequences/NAME",), first_only=True
    ),
    "uavdt": BoxFilesLayout("**/anno/*_gt.txt", UAVDT, 50, "_gt.txt"),
    "uavtrack112": BoxFilesLayout("anno/*.txt", ("../data_seq/NAME",), 112),
    "lasot_extension": BoxFilesLayout("*/*/groundtruth.txt", ("img",), 150, "groundtruth.txt"),
    "tnl2k": BoxFilesLayout("**/groundtruth.txt", ("imgs",), 700, "groundtruth.txt"),
    "trackingnet": BoxFilesLayout("TEST/anno/*.txt", ("../frames/NAME",), 511, ".txt", 0, True),
    "trackingnet_train": BoxFilesLayout(
        "TRAIN_*/anno/*.txt", ("../frames/NAME",), 30132, ".txt", 0
    ),
}


class PublicRow(NamedTuple):
    """A sequence of ``public.csv``, in its order of columns."""

    set: str  # of ``LISTS``
    name: str
    first: int  # number of its first frame
    frames: int
    seen: str  # where training or choices saw it or its footage; empty: nowhere
    repository: str
    commit: str
    path: str  # folder of the frames
    sha256: str  # of ``AnnotatedClip.sha256``


@cache
def public_rows() -> list[PublicRow]:
    """Return the public sequences that README's figures are of."""
    with open(Path(__file__).with_name("public.csv"), newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [PublicRow(r[0], r[1], int(r[2]), int(r[3]), *r[4:]) for r in rows]


class Sequences(NamedTuple):
    """The sequences of a data set that were found."""

    clips: list[AnnotatedClip]
    names: list[str]  # of all its sequences, there or not
    left_out: list[str]  # a sentence for each that is there and can't be used
    groups: dict[str, list[str]]  # attribute -> names of the clips that have it
    origin: int = 0  # number of the first pixel in the authors' files


def sequences(name: str, data: Path) -> Sequences:
    """Read a data set of ``LISTS``. Sequences that can't be used are left out and named.

    Raises:
        BadClips: no sequence can be used.
    """
    if not data.is_dir():
        raise BadClips(f"--data {data} is not a folder; name the data set's folder")
    listing, attributes, total = LISTS[name]
    listed = list(listing(data))
    clips = []
    left_out = []
    groups: dict[str, list[str]] = {}
    for entry in listed:
        if not (entry.truth.is_file() or entry.folder.is_dir()):
            continue
        try:
            clip = _clip(entry)
            if entry.sha256 and clip.sha256 != entry.sha256:
                raise BadClips(f"it is damaged; {FETCH.format(data)}")
        except (HotpathError, OSError, AssertionError, ValueError) as error:  # also the toolkit's
            why = str(error).removeprefix(entry.name + ": ") or "its boxes do not fit its frames"
            left_out.append(f"left out {entry.name}: {why}")
            continue
        clips.append(clip)
        for group in entry.groups or _attributes(clip.name, data, attributes):
            groups.setdefault(group, []).append(clip.name)
    if not clips:
        more = left_out or [f"its first would be {listed[0].folder}"] if listed else []
        raise BadClips(
            "; ".join([f"{data} holds no sequence of {name} that can be used", *more]),
            what="no sequence",
        )
    say(f"{data}: {len(clips)} of the {total or len(listed)} sequences of {name}")
    clips.sort(key=lambda clip: natural_key(clip.name))
    return Sequences(clips, [entry.name for entry in listed], left_out, groups, listed[0].origin)


def _clip(listed: ListedSequence) -> AnnotatedClip:
    if listed.read:
        paths, rows = listed.read()
        boxes = [tuple(map(float, row)) for row in rows]
        return clip_of(listed.name, listed.folder, paths, boxes, say)
    if not listed.truth.is_file():
        raise BadClips(f"it has frames but no {listed.truth}")
    truth = Annotation(str(listed.truth), listed.origin).boxes()
    paths = picture_paths(str(listed.folder))
    numbers = [re.search("[0-9]+$", Path(path).stem) for path in paths]
    numbered = [(int(match[0]), path) for match, path in zip(numbers, paths) if match]
    first = listed.first if listed.last < LAST else 0  # TrackingNet's first frame is 0.jpg
    frames = [path for number, path in numbered if first <= number <= listed.last]
    if listed.first_only and len(truth) == 1:
        truth += [None] * (len(frames) - 1)
    whole = listed.last - listed.first + 1
    if listed.last < LAST and "UAV" in listed.folder.parent.name and len(frames) != whole:
        raise BadClips(
            f"{len(frames)} of its {whole} frames ({listed.first} to {listed.last}) are in "
            f"{listed.folder}; fetch the others"
        )
    return clip_of(listed.name, listed.folder, frames, truth, say)


def _attributes(name: str, data: Path, attributes: list[str]) -> list[str]:
    paths = sorted([data / "att" / f"{name}.txt", *data.glob(f"anno/*/att/{name}.txt")])
    for path in paths:
        if path.is_file():
            flags = re.findall(b"[01]", path.read_bytes())
            return [title for title, flag in zip(attributes, flags) if flag == b"1"]
    return []


# -- the lists of sequences


def _otb(version: object, data: Path) -> Iterator[ListedSequence]:
    for name in _toolkit().datasets.OTB._OTB__version_dict[version]:
        folder = data / name
        span = OTB_FRAMES.get(name, (1, LAST))
        for target in (1, 2) if name in TWO_TARGETS else ():
            truth = folder / f"groundtruth_rect.{target}.txt"
            yield ListedSequence(f"{name}.{target}", folder / "img", truth, *span)
        if name not in TWO_TARGETS:  # Human4 has an empty file for a first target
            files = sorted(folder.glob("groundtruth_rect*.txt"))
            full = [path for path in files if path.is_file() and path.read_bytes().strip()]
            truth = (full or files or [folder / "groundtruth_rect.txt"])[0]
            yield ListedSequence(name, folder / "img", truth, *span)


def _uav(version: str, folder: str, step: int, data: Path) -> Iterator[ListedSequence]:
    """UAV123 names frames of 30 FPS. Its form of 10 FPS has every third."""
    ranges = _json("uav123.json")["UAV20L" if version == "UAV20L" else "UAV123"]
    for name, meta in ranges.items():
        first, last = ((meta[key] - 1) // step + 1 for key in ("start_frame", "end_frame"))
        frames = data / "data_seq" / folder / meta["folder_name"]
        yield ListedSequence(name, frames, data / "anno" / version / f"{name}.txt", first, last)


def _dtb70(data: Path) -> Iterator[ListedSequence]:
    for folder in sorted(path for path in data.iterdir() if (path / "img").is_dir()):
        yield ListedSequence(folder.name, folder / "img", folder / "groundtruth_rect.txt")


def _lasot(part: str, data: Path) -> Iterator[ListedSequence]:
    for name in _json("lasot.json")[part]:
        folder = data / name.rsplit("-", 1)[0] / name
        yield ListedSequence(name, folder / "img", folder / "groundtruth.txt")


def _regular(layout: BoxFilesLayout, data: Path) -> Iterator[ListedSequence]:
    there = (path for path in data.glob(layout.files) if path.name[0] != ".")  # not macOS's
    ordered = sorted(there, key=lambda path: natural_key(str(path)))
    if not ordered:
        raise BadClips(
            f"{data} holds no file {layout.files}, where the set has its boxes",
            what="no annotation",
        )
    for path in ordered:
        name = path.name.removesuffix(layout.end) or path.parent.name
        folders = [
            Path(os.path.normpath(path.parent / pattern.replace("NAME", name)))
            for pattern in layout.frames
        ]
        folder = next(filter(Path.is_dir, folders), folders[0])
        only = layout.first_only
        yield ListedSequence(name, folder, path, origin=layout.origin, first_only=only)


def _public(data: Path) -> Iterator[ListedSequence]:
    """The sequences of ``public.csv``, each set in a folder of its name."""
    for name in dict.fromkeys(row.set for row in public_rows()):
        rows = {row.name: row for row in public_rows() if row.set == name}
        for entry in LISTS[name][0](data / name) if (data / name).is_dir() else ():
            if entry.name in rows:
                part = "seen" if rows[entry.name].seen else "unseen"
                groups: tuple[str, ...] = (part, name, f"{name} {part}")
                if name != "otb100":
                    groups += ("drone", f"drone {part}")
                yield entry._replace(sha256=rows[entry.name].sha256, groups=groups)
    if not any((data / row.set).is_dir() for row in public_rows()):
        raise BadClips(f"{data} holds no public sequence; {FETCH.format(data)}", what="no sequence")


def _of_toolkit(name: str, data: Path, **options: Any) -> Iterator[ListedSequence]:
    """A data set that a class of the toolkit reads. Its boxes count pixels from 0."""
    scratch = tempfile.TemporaryDirectory()  # there until the last sequence is read
    more = {"cache_dir": scratch.name} if name == "ImageNetVID" else options
    try:
        dataset = getattr(_toolkit().datasets, name)(str(data), **more)
    except Exception as error:  # it raises this class itself
        raise BadClips(f"{data}: {error}") from None
    for index, sequence in enumerate(dataset.seq_names):
        read = partial(lambda number, _: dataset[number], index, scratch)
        yield ListedSequence(sequence, data, data, origin=0, read=read)


def _json(name: str) -> Any:
    return json.loads(Path(_toolkit().datasets.__file__).with_name(name).read_text())


# name -> its sequences in a folder, its attributes, how many it has (0: as many as listed)
Listing = Callable[[Path], Iterator[ListedSequence]]
LISTS: Mapping[str, tuple[Listing, list[str], int]] = {
    "otb2013": (partial(_otb, 2013), OTB_ATTRIBUTES, 0),
    "otb50": (partial(_otb, "tb50"), OTB_ATTRIBUTES, 0),
    "otb100": (partial(_otb, 2015), OTB_ATTRIBUTES, 0),
    "uav123": (partial(_uav, "UAV123", "UAV123", 1), UAV_ATTRIBUTES, 0),
    "uav123_10fps": (partial(_uav, "UAV123_10fps", "UAV123_10fps", 3), UAV_ATTRIBUTES, 0),
    "uav20l": (partial(_uav, "UAV20L", "UAV123", 1), UAV_ATTRIBUTES, 0),
    "dtb70": (_dtb70, DTB70_ATTRIBUTES, 70),
    "public": (_public, [], 72),
    "lasot": (partial(_lasot, "test"), [], 0),
    "lasot_train": (partial(_lasot, "train"), [], 0),
    "nfs30": (partial(_of_toolkit, "NfS", fps=30), [], 100),
    "nfs240": (partial(_of_toolkit, "NfS", fps=240), [], 100),
    "vid": (partial(_of_toolkit, "ImageNetVID"), [], 0),
    **{name: (partial(_regular, layout), [], layout.total) for name, layout in LAYOUTS.items()},
}


def _toolkit() -> ModuleType:
    """The toolkit's package, its plots set up to be drawn into files."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import got10k.datasets
    except ImportError as error:
        raise MissingLibrary(missing_package_text("a benchmark", "got10k", error, "lab")) from None
    return got10k
