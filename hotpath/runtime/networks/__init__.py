"""The networks: find, read and check their TOMLs.

Only its TOML describes a network. ``hotpath networks`` lists, shows, checks, downloads and adds
networks.
"""

import os
import pathlib
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union

from hotpath.base import cache
from hotpath.runtime.errors import BadNetwork, UnknownNetwork
from hotpath.runtime.network import (
    CACHE,
    DETECTORS,
    INT8_FORMS,
    AuxiliaryFile,
    Network,
    NetworkFile,
    sha256_of,
)

if TYPE_CHECKING:
    from hotpath.boards import Board

__all__ = [
    "CACHE",
    "NetworkFile",
    "Network",
    "default_of",
    "find_toml",
    "load_network",
    "names",
    "sha256_of",
]

# Where a board names none; and the pair that takes SHARE of the time of it and its witness
# (README.md).
DEFAULT_NETWORK = "lightfc"
FASTER_PAIR, SHARE = "--network kestrel --witness kestrel_fast", 0.4
FOR_DETECTORS = "use `hotpath track --detector NAME`, or hotpath.track(detector=NAME) in Python"
FOLDER = pathlib.Path(__file__).resolve().parent


def names(folder: pathlib.Path = FOLDER) -> List[str]:
    """List the networks that come with the runtime, or the TOMLs of a folder, sorted by name."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def default_of(board: "Optional[Board]") -> str:
    """Return the name of the network that runs on a board by default.

    Args:
        board: None if it is not known.
    """
    return (board.network if board is not None else None) or DEFAULT_NETWORK


def load_network(name_or_path: Union[str, pathlib.Path]) -> Network:
    """Read a network by its name, or from the user's own TOML.

    Args:
        name_or_path: ``"nanotrack_v2"``, an INT8 form such as ``"kestrel-int8"``, or the path of a
            file that ends in ``.toml``.

    Returns:
        A ``Network``. Its files are not looked for yet.

    Raises:
        UnknownNetwork: there is no such name or file.
        BadNetwork: the TOML can't be read, or a key is missing, unknown or wrong.
    """
    path = find_toml(name_or_path)
    if path.parent not in (FOLDER, INT8_FORMS):  # the user's own
        values, files = _checked_values(path)
    else:
        families = sorted((FOLDER.parent / "decode").rglob("*.py"))
        code = [FOLDER / "network_schema.py", FOLDER.parent / "network.py", *families]
        paths = [str(file) for file in [path, *cache.TOML_CODE, *code]]
        values, files = cache.checked(f"network-{path.stem}", paths, lambda: _checked_values(path))
    for made in ("negatives", "point_prompt"):
        values[made] = values[made] and AuxiliaryFile(*values[made])
    return Network(path.stem, path, values, [NetworkFile(*file) for file in files])


def _checked_values(path: pathlib.Path) -> Tuple[Dict[str, Any], List[NetworkFile]]:
    """The values and the files of a TOML; raises ``BadNetwork``."""
    from hotpath.base import toml, toml_checks
    from hotpath.runtime.networks import network_schema

    values, files, mistakes = network_schema.read(toml.read(path, BadNetwork))
    if mistakes:
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        raise BadNetwork(
            f"{path}: {toml_checks.sentence(mistakes[0])}{more}; `hotpath networks check "
            f"{path}` lists all",
            what="wrong keys",
        )
    return values, files


def find_toml(
    name_or_path: Union[str, pathlib.Path], folder: pathlib.Path = FOLDER, what: str = "network"
) -> pathlib.Path:
    """The path of a TOML: that of a network, or another one of a folder.

    Raises:
        UnknownNetwork: no such name or file.
    """
    text = str(name_or_path)
    is_path, file, forms = text.endswith(".toml"), text + ".toml", folder / INT8_FORMS.name
    for path in [pathlib.Path(text)] if is_path else [folder / file, forms / file]:
        if os.path.isfile(str(path)):
            return path
    there = ", ".join(names(folder))
    if text.endswith(".onnx"):
        raise UnknownNetwork(
            f"{text} is an ONNX file, and a {what} is described by a TOML; `hotpath networks add` "
            "writes one",
            what="ONNX file",
        )
    if is_path:
        raise UnknownNetwork(f"no {what} file {text}; name your own TOML, or one of: {there}")
    detectors = names(DETECTORS) if folder == FOLDER else []
    if text in detectors:
        raise UnknownNetwork(
            f"{text} is a detector, not a {what}; {FOR_DETECTORS}", what="detector"
        )
    from hotpath.base.messages import did_you_mean

    hint = did_you_mean(text, names(folder) + names(forms)) or f"there are: {there}"
    near = did_you_mean(text, detectors)
    if near:
        hint = f"{near} That is a detector: {FOR_DETECTORS}; the networks are: {there}"
    raise UnknownNetwork(f"no {what} is called {text!r}; {hint}", what="unknown name")
