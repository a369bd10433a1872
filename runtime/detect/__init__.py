"""Detectors: they find the objects of a class in a frame, without a box from the user.

A detector is a TOML in ``files/`` or of the user, and an ONNX file of a family of ``families/``.
"""

import difflib
import pathlib
from typing import Any, List, Optional, Union

from boards import toml
from runtime.decode.shared.keys import LARGEST_SIDE, Keys, key
from runtime.detect import families
from runtime.detect.description import Description
from runtime.detect.detector import Detections, Detector
from runtime.detect.session import open_session
from runtime.errors import BadNetwork, UnknownNetwork
from runtime.networks.network import File, Network
from runtime.networks.schema import Mistake, read_section, sentence

__all__ = ["Detections", "Detector", "load_detector", "names"]

FOLDER = pathlib.Path(__file__).parent / "files"
CLASSES = pathlib.Path(__file__).parent / "classes"
PathLike = Union[str, pathlib.Path]

TOP: Keys = {
    "family": key(str),  # file name in runtime/detect/families
    "classes": key(str),  # file name in runtime/detect/classes, or a TOML with ``names``
    "licence": key(str, ""),
    "source": key(str, ""),
}
INPUT: Keys = {  # see ``Description``
    "side": key(list, low=8, high=LARGEST_SIDE, length=2),
    "resize": key(str, "stretch", ("stretch", "letterbox")),
    "channels": key(str, "BGR", ("BGR", "RGB")),
    "mean": key(list, (0.0, 0.0, 0.0), low=-1000, high=1000, length=3),
    "scale": key(list, (1.0, 1.0, 1.0), low=-1000, high=1000, length=3, nonzero=True),
}
DETECTION: Keys = {
    "score": key(float, 0.4, low=0, high=1),
    "overlap": key(float, 0.45, low=0, high=1),
}
FILE: Keys = {"name": key(str), "sha256": key(str, ""), "url": key(str, "")}


def names() -> List[str]:
    """The names of the detectors that have a TOML here."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_detector(
    name_or_path: PathLike,
    *,
    classes: Optional[List[str]] = None,
    networks_dir: Optional[PathLike] = None,
    threads: int = 1,
) -> Detector:
    """Make a detector.

    Args:
        name_or_path: such as "yolox_nano" (see ``names``), or the path of a TOML.
        classes: names of the classes to find, such as ["person"]; None for all.
        networks_dir: folder with the detector's file, sub-folders included.
        threads: of the network's execution.

    Raises:
        UnknownNetwork: no such detector.
        BadNetwork: the TOML, its file or the name of a class is wrong.
        NoEngine: no library that runs it is installed.
    """
    description = describe(name_or_path)
    wanted = None if classes is None else [_number(description, name) for name in classes]
    holder = Network(description.name, description.path, {}, [description.file])
    path = holder.locate_file(description.file, networks_dir)
    return Detector(description, *open_session(path, threads), wanted)


def describe(name_or_path: PathLike) -> Description:
    """Read the TOML of a detector.

    Raises:
        UnknownNetwork: no such detector.
        BadNetwork: the TOML can't be read, or a key is missing, unknown or wrong.
    """
    text = str(name_or_path)
    path = pathlib.Path(text) if text.endswith(".toml") else FOLDER / (text + ".toml")
    if not path.is_file():
        known = "no detector is called {!r}; name a TOML of your own, or one of: {}"
        raise UnknownNetwork(known.format(text, ", ".join(names())))
    table = toml.read(path, BadNetwork)
    mistakes: List[Mistake] = []
    values = read_section("", TOP, table, mistakes, ("input", "detection", "file"))
    family = values.get("family")
    if family is not None and family not in families.families():
        known = "no family is called {!r}; there are: {}"
        wrong = known.format(family, ", ".join(families.families()))
        mistakes.append(Mistake("", "family", wrong))
        family = None
    keys = dict(DETECTION, **families.module_of(family).KEYS) if family else None
    for section, entries in (("input", INPUT), ("detection", keys)):
        given = table.get(section, {})
        if not isinstance(given, dict):
            mistakes.append(Mistake(section, None, "must be a section, [{}]".format(section)))
            given = {}
        values.update(read_section(section, entries, given, mistakes))
    file = _file(table.get("file"), mistakes)
    if mistakes:
        raise BadNetwork("{}: {}".format(path, sentence(mistakes[0])))
    assert file is not None, "a file that is missing is a mistake"
    return Description(path.stem, path, values, file, _class_names(values["classes"], path))


def _file(entries: Any, mistakes: List[Mistake]) -> Optional[File]:
    if not isinstance(entries, list) or len(entries) != 1 or not isinstance(entries[0], dict):
        mistakes.append(Mistake("file", None, "one [[file]] must name the ONNX file"))
        return None
    values = read_section(("file", 0), FILE, entries[0], mistakes)
    sha256, url = values.get("sha256") or None, values.get("url") or None
    return File("network", values.get("name", ""), sha256, url, None, None)


def _class_names(classes: str, path: pathlib.Path) -> List[str]:
    """The names of the classes: a file here, or a TOML beside the detector's."""
    file = path.parent / classes if classes.endswith(".toml") else CLASSES / (classes + ".toml")
    if not file.is_file():
        known = ", ".join(sorted(entry.stem for entry in CLASSES.glob("*.toml")))
        raise BadNetwork(
            "{}: no classes are called {!r}; name a TOML with `names`, or one of: {}".format(
                path, classes, known
            )
        )
    found = toml.read(file, BadNetwork).get("names")
    if not isinstance(found, list) or not found or not all(isinstance(n, str) for n in found):
        raise BadNetwork('{} must hold names = ["…", …]'.format(file))
    return found


def _number(description: Description, name: str) -> int:
    """The number of a class."""
    if name in description.class_names:
        return description.class_names.index(name)
    near = difflib.get_close_matches(name, description.class_names, n=3, cutoff=0.5)
    hint = (
        "did you mean {}?".format(" or ".join(near))
        if near
        else "there are: " + ", ".join(description.class_names)
    )
    raise BadNetwork("{} knows no class {!r}; {}".format(description.name, name, hint))
