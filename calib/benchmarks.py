"""Public data sets by name, in their authors' layout. Missing sequences are left out.

``sequences`` reads OTB, UAV123, DTB70 and LaSOT. ``hotpath.calib.evaluate`` tracks them like clips.
The lists of sequences come from the GOT-10k toolkit (Huang et al., "GOT-10k", TPAMI 2019). That
toolkit itself evaluates on GOT-10k. Every tracker of Hotpath has its interface.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hotpath.calib.command import say
from hotpath.calib.errors import Missing
from hotpath.kernels.commands import needs
from hotpath.runtime.errors import BadClips, HotpathError
from hotpath.runtime.track.video.clips import Clip, clip_of
from hotpath.runtime.track.video.recorded import natural_key, picture_paths
from hotpath.runtime.track.video.sequence import OTB_FRAMES, Annotation

ORIGIN = 1  # number of the first pixel in the authors' files
LAST = 1 << 31  # the number of a last frame that is not limited
TWO_TARGETS = ("Jogging", "Skating2")  # of OTB
# Attributes in the order of the 0 and 1 in each data set's att/NAME.txt.
OTB_ATTRIBUTES = "IV OPR SV OCC DEF MB FM IPR OV BC LR".split()
UAV_ATTRIBUTES = "SV ARC LR FM FOC POC OV BC IV VC CM SOB".split()
DTB70_ATTRIBUTES = "SV ARV OCC DEF FCM IPR OPR OV BC SOA MB".split()


class Listed(NamedTuple):
    """A sequence as its data set lists it."""

    name: str
    folder: Path  # of the pictures
    truth: Path  # the file of boxes
    first: int = 1  # number of its first frame
    last: int = LAST


class Sequences(NamedTuple):
    """The sequences of a data set that were found."""

    clips: list[Clip]
    names: list[str]  # of all its sequences, there or not
    left_out: list[str]  # a sentence for each that is there and can't be used
    groups: dict[str, list[str]]  # attribute -> names of the clips that have it


def sequences(name: str, data: Path) -> Sequences:
    """Read a data set of ``LISTS``. Sequences that can't be used are left out and named.

    Raises:
        BadClips: no sequence can be used.
    """
    if not data.is_dir():
        raise BadClips(f"--data {data} is not a folder; name the data set's folder")
    listing, attributes, total = LISTS[name]
    listed, clips, left_out = list(listing(data)), [], []
    for each in listed:
        if not (each.truth.is_file() or each.folder.is_dir()):
            continue
        try:
            clips.append(_clip(each))
        except (HotpathError, OSError) as error:
            left_out.append(f"left out {each.name}: {str(error).removeprefix(each.name + ': ')}")
    if not clips:
        more = left_out or [f"its first would be {listed[0].folder}"] if listed else []
        raise BadClips("; ".join([f"{data} holds no sequence of {name} that can be used", *more]))
    groups: dict[str, list[str]] = {}
    for clip in clips:
        for attribute in _attributes(clip.name, data, attributes):
            groups.setdefault(attribute, []).append(clip.name)
    say(f"{data}: {len(clips)} of the {total or len(listed)} sequences of {name}")
    clips.sort(key=lambda clip: natural_key(clip.name))
    return Sequences(clips, [each.name for each in listed], left_out, groups)


def _clip(listed: Listed) -> Clip:
    if not listed.truth.is_file():
        raise BadClips(f"it has frames but no {listed.truth}")
    boxes = Annotation(str(listed.truth), ORIGIN).boxes()
    paths = picture_paths(str(listed.folder))
    numbered = [(int(Path(p).stem), p) for p in paths if Path(p).stem.isdigit()]
    frames = [path for number, path in numbered if listed.first <= number <= listed.last]
    whole = listed.last - listed.first + 1
    if listed.folder.parent.name.startswith("UAV") and len(frames) != whole:
        raise BadClips(
            f"{len(frames)} of its {whole} frames ({listed.first} to {listed.last}) are in "
            f"{listed.folder}; fetch the others"
        )
    return clip_of(listed.name, listed.folder, frames, boxes)


def _attributes(name: str, data: Path, attributes: list[str]) -> list[str]:
    found = sorted([data / "att" / f"{name}.txt", *data.glob(f"anno/*/att/{name}.txt")])
    for path in found:
        if path.is_file():
            flags = re.findall(b"[01]", path.read_bytes())
            return [title for title, flag in zip(attributes, flags) if flag == b"1"]
    return []


# -- the lists of sequences


def _otb(version: object) -> Callable[[Path], Iterator[Listed]]:
    def listing(data: Path) -> Iterator[Listed]:
        for name in _toolkit().datasets.OTB._OTB__version_dict[version]:
            folder, span = data / name, OTB_FRAMES.get(name, (1, LAST))
            for target in (1, 2) if name in TWO_TARGETS else ():
                truth = folder / f"groundtruth_rect.{target}.txt"
                yield Listed(f"{name}.{target}", folder / "img", truth, *span)
            if name not in TWO_TARGETS:  # Human4 has an empty file for a first target
                files = sorted(folder.glob("groundtruth_rect*.txt"))
                full = [path for path in files if path.is_file() and path.read_bytes().strip()]
                truth = (full or files or [folder / "groundtruth_rect.txt"])[0]
                yield Listed(name, folder / "img", truth, *span)

    return listing


def _uav(version: str, folder: str, step: int) -> Callable[[Path], Iterator[Listed]]:
    """UAV123 names frames of 30 FPS. Its form of 10 FPS has every third."""

    def listing(data: Path) -> Iterator[Listed]:
        known = _json("uav123.json")["UAV20L" if version == "UAV20L" else "UAV123"]
        for name, meta in known.items():
            first, last = ((meta[key] - 1) // step + 1 for key in ("start_frame", "end_frame"))
            frames = data / "data_seq" / folder / meta["folder_name"]
            yield Listed(name, frames, data / "anno" / version / f"{name}.txt", first, last)

    return listing


def _dtb70(data: Path) -> Iterator[Listed]:
    for folder in sorted(path for path in data.iterdir() if (path / "img").is_dir()):
        yield Listed(folder.name, folder / "img", folder / "groundtruth_rect.txt")


def _lasot(data: Path) -> Iterator[Listed]:
    for name in _json("lasot.json")["test"]:
        folder = data / name.rsplit("-", 1)[0] / name
        yield Listed(name, folder / "img", folder / "groundtruth.txt")


def _json(name: str) -> Any:
    return json.loads(Path(_toolkit().datasets.__file__).with_name(name).read_text())


# name -> its sequences in a folder, its attributes, how many it has (0: as many as listed)
Listing = Callable[[Path], Iterator[Listed]]
LISTS: Mapping[str, tuple[Listing, list[str], int]] = {
    "otb2013": (_otb(2013), OTB_ATTRIBUTES, 0),
    "otb50": (_otb("tb50"), OTB_ATTRIBUTES, 0),
    "otb100": (_otb(2015), OTB_ATTRIBUTES, 0),
    "uav123": (_uav("UAV123", "UAV123", 1), UAV_ATTRIBUTES, 0),
    "uav123_10fps": (_uav("UAV123_10fps", "UAV123_10fps", 3), UAV_ATTRIBUTES, 0),
    "uav20l": (_uav("UAV20L", "UAV123", 1), UAV_ATTRIBUTES, 0),
    "dtb70": (_dtb70, DTB70_ATTRIBUTES, 70),
    "lasot": (_lasot, [], 0),
}


def _toolkit() -> Any:
    """The toolkit's package, its plots set up to be drawn into files."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import got10k.datasets
    except ImportError as error:
        raise Missing(needs("a benchmark", "got10k", error, "calib")) from None
    return got10k
