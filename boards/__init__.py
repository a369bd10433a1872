"""Boards as data: one TOML each, read and checked here.

A TOML is the only place that knows a board: how to recognise it, its software families, its
precisions, memory, power modes and sensors. ``python -m boards`` says which board this is.
"""

import difflib
import pathlib

from boards import schema
from boards.errors import BadBoard, UnknownBoard

try:
    import tomllib
except ImportError:  # before Python 3.11
    try:
        import tomli as tomllib
    except ImportError:  # a fresh board, on which `python -m boards` is the first thing to be run
        tomllib = None

FOLDER = pathlib.Path(__file__).resolve().parent
HOST = "host"


class Board:
    """One board as its TOML describes it.

    Attributes are those of ``boards.schema.TOP`` (``board.title``, ``board.engine`` …) and one dict
    a section with all of its keys (``board.gpu["dla_cores"]``); besides ``name`` (of the file) and
    ``path``. A section or key that the TOML leaves out has the schema's default.
    """

    def __init__(self, name, path, values):
        self.name = name
        self.path = path
        self.software = {}
        self.__dict__.update(values)

    def software_for(self, release):
        """The software family of an L4T or PYNQ release.

        Args:
            release: such as "36.4.3", or None.

        Returns:
            (name of the family, its dict), or (None, {}) when the TOML knows none of that release.
        """
        for family, versions in self.software.items():
            known = versions.get("l4t") or versions.get("pynq")
            if release and known and (release + ".").startswith(known + "."):
                return family, versions
        return None, {}


def names():
    """Names of the boards that have a TOML, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_board(name_or_path):
    """Read a board by its name, or from a TOML of one's own.

    Args:
        name_or_path: ``"jetson_nano"``, or the path of a file that ends in ``.toml``.

    Returns:
        A ``Board``.

    Raises:
        UnknownBoard: no such name or file.
        BadBoard: the TOML can't be read, or a key is missing, unknown or wrong.
    """
    text = str(name_or_path)
    path = pathlib.Path(text) if text.endswith(".toml") else FOLDER / (text + ".toml")
    if not path.is_file():
        raise UnknownBoard(_unknown(text))
    values, mistakes = schema.read(_parse(path))
    if mistakes:
        more = " (and {} more)".format(len(mistakes) - 1) if len(mistakes) > 1 else ""
        raise BadBoard("{}: {}{}; correct it there".format(path, mistakes[0], more))
    return Board(path.stem, path, values)


def _parse(path):
    if tomllib is None:
        raise BadBoard(
            "{} can't be read, because this Python lacks the library tomli; run "
            "`sudo apt-get install python3-pip && python3 -m pip install tomli`".format(path.name)
        )
    try:
        with open(str(path), "rb") as file:
            return tomllib.loads(file.read().decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadBoard(
            "{} can't be read as TOML: {}; correct it there".format(path, error)
        ) from None


def _unknown(text):
    if text.endswith(".toml"):
        return "no board file {}; name one of your own, or one of: {}".format(
            text, ", ".join(names())
        )
    near = difflib.get_close_matches(text, names(), n=3, cutoff=0.5)
    hint = (
        "did you mean {}?".format(" or ".join(near)) if near else "there are: " + ", ".join(names())
    )
    return "no board is called {!r}; {}".format(text, hint)
