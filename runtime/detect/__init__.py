"""Detectors: they find the objects of a class in a frame, without a box from the user.

A detector is a TOML in ``files/`` or of the user, and an ONNX file of a family of ``families/``.
"""

import difflib
import pathlib
from typing import List, Optional

from boards import toml
from runtime import networks
from runtime.decode.shared.keys import Keys, key
from runtime.detect import families
from runtime.detect.description import INPUT, Description, Table, locate
from runtime.detect.detector import Detections, Detector
from runtime.detect.session import open_session
from runtime.errors import BadNetwork
from runtime.networks.schema import Mistake
from runtime.options import PathLike

__all__ = ["Detections", "Detector", "load_detector", "names"]

FOLDER = pathlib.Path(__file__).parent / "files"
CLASSES = pathlib.Path(__file__).parent / "classes"

TOP: Keys = {
    "family": key(str),  # file name in runtime/detect/families
    "classes": key(str),  # file name in runtime/detect/classes, or a TOML with ``names``
    "licence": key(str, ""),
    "source": key(str, ""),
}
PICTURE = dict(INPUT, resize=key(str, "stretch", ("stretch", "letterbox")))
DETECTION: Keys = {
    "score": key(float, 0.4, low=0, high=1),
    "overlap": key(float, 0.45, low=0, high=1),
}


def names() -> List[str]:
    """The names of the detectors that have a TOML here."""
    return networks.names(FOLDER)


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
    path = locate(description.path, description.file, networks_dir)
    return Detector(description, *open_session(path, threads), wanted)


def describe(name_or_path: PathLike) -> Description:
    """Read the TOML of a detector.

    Raises:
        UnknownNetwork: no such detector.
        BadNetwork: the TOML can't be read, or a key is missing, unknown or wrong.
    """
    path = networks.find_toml(name_or_path, FOLDER, "detector")
    table = Table(path)
    table.read("", TOP, ("input", "detection", "file"))
    family = table.values.get("family")
    if family is not None and family not in families.families():
        known = "no family is called {!r}; there are: {}"
        wrong = known.format(family, ", ".join(families.families()))
        table.mistakes.append(Mistake("", "family", wrong))
        family = None
    table.read("input", PICTURE)
    keys = dict(DETECTION, **families.module_of(family).KEYS) if family else None
    table.read("detection", keys)
    file = table.read_file()
    names_of_classes = _class_names(table.values["classes"], path)
    return Description(path.stem, path, table.values, file, names_of_classes)


def _class_names(classes: str, path: pathlib.Path) -> List[str]:
    """The names of the classes: a file here, or a TOML beside the detector's."""
    file = path.parent / classes if classes.endswith(".toml") else CLASSES / (classes + ".toml")
    if not file.is_file():
        known = ", ".join(sorted(entry.stem for entry in CLASSES.glob("*.toml")))
        raise BadNetwork(
            f"{path}: no classes are called {classes!r}; name a TOML with `names`, or one of: "
            f"{known}"
        )
    found = toml.read(file, BadNetwork).get("names")
    if not isinstance(found, list) or not found or not all(isinstance(n, str) for n in found):
        raise BadNetwork(f'{file} must hold names = ["…", …]')
    return found


def _number(description: Description, name: str) -> int:
    """The number of a class."""
    if name in description.class_names:
        return description.class_names.index(name)
    near = difflib.get_close_matches(name, description.class_names, n=3, cutoff=0.5)
    hint = "there are: " + ", ".join(description.class_names)
    if near:
        hint = "did you mean {}?".format(" or ".join(near))
    raise BadNetwork(f"{description.name} knows no class {name!r}; {hint}")
