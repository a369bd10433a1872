"""Profiles of boards: one TOML file for each board, read and checked here.

A profile says how to recognise the board, which software releases it has, its precisions, memory
and sensors, and whether it searches for a lost target. Nothing in this folder knows of trackers or
networks. ``python -m hotpath boards`` says which board this is.
"""

import os
import pathlib
from typing import Any, Dict, List, NamedTuple, NoReturn, Optional, Sequence, Tuple, Union

from hotpath.boards.errors import BadBoard, UnknownBoard

if "." not in __name__:  # by the link at the root of a clone
    from hotpath.base.root_links import share_package_modules

    share_package_modules(__name__)


FOLDER = pathlib.Path(__file__).resolve().parent
JETPACKS = "software/jetpack.toml"  # the versions of each JetPack, below FOLDER
HOST, NVIDIA_GPU, ANDROID = "host", "nvidia_gpu", "android"
NVIDIA = "nvidia"  # family of computers with an NVIDIA GPU

Section = Dict[str, Any]
Software = Dict[str, str]


class Board(NamedTuple):
    """One board, as its TOML file describes it.

    A section or key that the file leaves out has the default of ``hotpath.boards.board_schema``.

    Attributes:
        name: the file's name without ``.toml``.
        path: path of the file.
        title: the name for people, such as "Jetson Nano".
        family: "jetson", "nvidia", "fpga" or "computer".
        engine: name of the engine that runs networks here (a file of ``runtime/engines``).
        network: name of the default network of this board, or None for the usual one.
        witness: name of the network that is its witness, or None.
        device_tree: parts of the device tree's ``compatible`` that name the chip.
        modules: parts of ``compatible`` that name the module.
        model_contains: parts of the device tree's model name.
        files: files that only such a computer has.
        pynq_board: names that PYNQ's images give to the board.
        decoder, encoder: names of ``hotpath.video.hardware``, hardware that may be there.
        after_build: what to do with a bundle, if Hotpath itself does not run on the board.
        gpu, memory, precision, search, sensors: one dict for each section, with all of its keys
            (``board.gpu["compute_capability"]``).
        software: dict of release family -> dict of library -> version.
    """

    name: str
    path: pathlib.Path
    title: str
    family: str
    engine: str
    network: Optional[str]
    witness: Optional[str]
    device_tree: Sequence[str]
    modules: Sequence[str]
    model_contains: Sequence[str]
    files: Sequence[str]
    pynq_board: Sequence[str]
    decoder: Sequence[str]
    encoder: Sequence[str]
    after_build: Optional[str]
    gpu: Section
    memory: Section
    precision: Section
    search: Section
    sensors: Section
    software: Dict[str, Software]

    def software_for(self, release: Optional[str]) -> Tuple[Optional[str], Software]:
        """Find the software family of an L4T or PYNQ release.

        Args:
            release: such as "36.4.3", or None.

        Returns:
            (name of the family, its dict), or (None, {}) when the profile does not list it.
        """
        for family, versions in self.software.items():
            version = versions.get("l4t") or versions.get("pynq")
            if release and version and (release + ".").startswith(version + "."):
                return family, versions
        return None, {}


def names() -> List[str]:
    """Return the names of the boards that have a TOML file, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def jetpacks() -> Dict[str, Software]:
    """Return the versions of each JetPack: dict of its name -> dict of a library -> version.

    Raises:
        BadBoard: the table can't be read.
    """
    from hotpath.base import toml  # not for who only needs the names

    return toml.read(FOLDER / JETPACKS, BadBoard)


def load_board(name_or_path: Union[str, pathlib.Path]) -> Board:
    """Read a board's profile.

    Args:
        name_or_path: a name such as ``"jetson_nano"``, or the path of a file that ends in
            ``.toml``.

    Returns:
        A ``Board``.

    Raises:
        UnknownBoard: no board has that name, or there is no such file.
        BadBoard: the file can't be read, or one of its keys is missing, unknown or wrong.
    """
    text = str(name_or_path)
    path = pathlib.Path(text) if text.endswith(".toml") else FOLDER / (text + ".toml")
    if not os.path.isfile(str(path)):
        _refuse(text)
    if path.parent != FOLDER:  # the user's own
        return Board(path.stem, path, **_checked_values(path))
    from hotpath.base import cache  # not for who only needs the names

    here = os.path.dirname(os.path.abspath(__file__))
    code = [FOLDER / JETPACKS, here + "/board_schema.py", *cache.TOML_CODE]
    files = [str(file) for file in [path, *code]]
    values = cache.checked(f"board-{path.stem}", files, lambda: _checked_values(path))
    return Board(path.stem, path, **values)


def _checked_values(path: pathlib.Path) -> Dict[str, Any]:
    """The values of a profile; raises ``BadBoard``."""
    from hotpath.base import toml
    from hotpath.boards import board_schema

    table = toml.read(path, BadBoard)
    values, mistakes = board_schema.read(table, jetpacks() if "jetpack" in table else None)
    if mistakes:
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        raise BadBoard(f"{path}: {mistakes[0]}{more}; correct the file", what="wrong keys")
    return values


def _refuse(text: str) -> NoReturn:
    """Raise ``UnknownBoard`` with the names that are near to a wrong one."""
    from hotpath.base.messages import did_you_mean

    choices = ", ".join(names())
    if text.endswith(".toml"):
        raise UnknownBoard(
            f"there is no board file {text}; name your own file, or one of: {choices}",
            what="no file",
        )
    hint = did_you_mean(text, names()) or f"there are: {choices}"
    raise UnknownBoard(f"no board is called {text!r}; {hint}", what="unknown name")
