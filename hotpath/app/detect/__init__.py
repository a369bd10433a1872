"""Detectors: find the objects of a class in a frame, without a box from the user.

A detector is a TOML, in ``files/`` or the user's own, and an ONNX file. Its family is a file of
``families/``.
"""

import os
import pathlib
from typing import Any, List, Optional

from hotpath.app.detect import families
from hotpath.app.detect.description import Description, read_file
from hotpath.app.detect.detector import Detector
from hotpath.app.detect.session import open_session
from hotpath.base import toml
from hotpath.base.messages import did_you_mean
from hotpath.base.toml_checks import read_section, sentence
from hotpath.base.toml_keys import FileName, Key, Keys, Mistake
from hotpath.runtime import decode, networks
from hotpath.runtime.decode.shared.keys import LARGEST_SIDE
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import DETECTORS
from hotpath.runtime.options import PathLike, check_threads
from hotpath.runtime.targets.detections import Detections

__all__ = ["Detections", "Detector", "load_detector", "names"]

CLASSES = pathlib.Path(__file__).parent / "classes"

TOP: Keys = {
    "family": Key(str),  # file name in app/detect/families
    "classes": Key(FileName),  # file name in app/detect/classes, or a TOML with ``names``
    "licence": Key(str, ""),
    "source": Key(str, ""),
}
PICTURE: Keys = {
    "side": Key(list, low=8, high=LARGEST_SIDE, length=2),  # width and height, pixels
    "channels": Key(str, "BGR", ("BGR", "RGB")),
    # (value - mean) * scale, in the order of `channels`, value from 0 to 255
    "mean": Key(list, (0.0, 0.0, 0.0), low=-1000, high=1000, length=3),
    "scale": Key(list, (1.0, 1.0, 1.0), low=-1000, high=1000, length=3, nonzero=True),
    "resize": Key(str, "stretch", ("stretch", "letterbox")),
}
DETECTION: Keys = {
    "score": Key(float, 0.4, low=0, high=1),
    "overlap": Key(float, 0.45, low=0, high=1),
}


def names() -> List[str]:
    """List the names of the detectors that have a TOML here."""
    return networks.names(DETECTORS)


def load_detector(
    name_or_path: PathLike,
    *,
    classes: Optional[List[str]] = None,
    networks_dir: Optional[PathLike] = None,
    threads: int = 1,
) -> Detector:
    """Make a detector.

    Args:
        name_or_path: a name such as "yolox_nano" (see ``names``), or the path of a TOML.
        classes: names of the classes to find, such as ["person"]. None finds all.
        networks_dir: folder with the detector's file.
        threads: threads that run the network.

    Returns:
        A ``Detector``. Its ``detect(frame)`` returns ``Detections``, the best first: ``boxes``
        (n, 4) float64 (x, y, w, h), 0-based pixels of the frame, ``scores`` from 0 to 1,
        ``classes`` (numbers) and ``names`` (of the classes).

    Raises:
        UnknownNetwork: no detector has that name.
        BadNetwork: the TOML, its file or the name of a class is wrong.
        NoEngine: no library that runs it is installed.
        BadOption: ``threads`` is no whole number from 1 to the cores that this process may use.

    Example:
        >>> detector = load_detector("own.toml", classes=["red"])
        >>> detections = detector.detect(frame)
        >>> {detections.names[number] for number in detections.classes}
        {'red'}
    """
    check_threads(threads)
    description = describe(name_or_path)
    numbers = None if classes is None else [_number(description, name) for name in classes]
    path = description.network.locate_file(description.file, networks_dir)
    return Detector(description, *open_session(path, threads), numbers)


def describe(name_or_path: PathLike) -> Description:
    """Read the TOML of a detector.

    Raises:
        UnknownNetwork: no such detector.
        BadNetwork: the TOML can't be read, or a key is missing, unknown or wrong.
    """
    path = networks.find_toml(name_or_path, DETECTORS, "detector")
    table = toml.read(path, BadNetwork)
    mistakes: List[Mistake] = []
    values = read_section("", TOP, table, mistakes, ("input", "detection", "file"))
    keys: Optional[Keys] = None
    family = values.get("family")
    if family in decode.families(families.__path__):
        keys = dict(DETECTION, **decode.module_of(family, families.__name__).KEYS)
    elif family is not None:
        wrong = decode.unknown_family_text(family, decode.families(families.__path__))
        mistakes.append(Mistake("", "family", wrong))
    for section, schema in (("input", PICTURE), ("detection", keys)):
        entries: Any = table.get(section, {})
        if not isinstance(entries, dict):
            mistakes.append(Mistake(section, None, f"must be a section, [{section}]"))
            entries = {}
        values.update(read_section(section, schema, entries, mistakes))
    file = read_file(table.get("file"), mistakes)
    if mistakes or file is None:
        raise BadNetwork(f"{path}: {sentence(mistakes[0])}")
    return Description(path.stem, path, values, file, _class_names(values["classes"], path))


def _class_names(classes: str, path: pathlib.Path) -> List[str]:
    """The names of the classes: a file here, or a TOML beside the detector's."""
    file = path.parent / classes if classes.endswith(".toml") else CLASSES / (classes + ".toml")
    if not os.path.isfile(str(file)):
        choices = ", ".join(sorted(entry.stem for entry in CLASSES.glob("*.toml")))
        raise BadNetwork(
            f"{path}: no classes are called {classes!r}; name a TOML with names, or one of: "
            f"{choices}",
            what="unknown classes",
        )
    names = toml.read(file, BadNetwork).get("names")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise BadNetwork(f'{file} must hold names = ["…", …]')
    return names


def _number(description: Description, name: str) -> int:
    """The number of a class."""
    if name in description.class_names:
        return description.class_names.index(name)
    there = "there are: " + ", ".join(description.class_names)
    hint = did_you_mean(name, description.class_names) or there
    raise BadNetwork(f"{description.name} has no class {name!r}; {hint}", what="unknown class")
