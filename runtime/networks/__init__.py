"""Networks as data: one TOML each, read and checked here; finding and fetching their files too.

A TOML is the only place that knows a network. Its sections are read into one flat ``Network`` whose
attributes carry the names of the TOML's keys. ``python -m runtime.networks`` lists, shows, checks
and downloads networks.
"""

import difflib
import hashlib
import pathlib

from runtime.errors import BadNetwork, UnknownNetwork
from runtime.networks import schema

try:
    import tomllib
except ImportError:  # before Python 3.11
    try:
        import tomli as tomllib
    except ImportError:  # a fresh board; said when a network is read
        tomllib = None

FOLDER = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path("~/.cache/hotpath/networks").expanduser()


class Network:
    """One network as its TOML describes it.

    Attributes are those of ``runtime.networks.schema`` (``network.stride``, ``network.penalty`` …)
    and ``name``, ``family``, ``path`` (of the TOML), ``files`` (list of ``schema.File``).
    """

    def __init__(self, name, path, values, files):
        self.name = name
        self.path = path
        self.files = files
        self.__dict__.update(values)

    def file(self, part):
        """The file that holds ``part``, or None."""
        return next((entry for entry in self.files if entry.part == part), None)

    def locate(self, networks_dir=None):
        """Find every file of the network and check its sha256.

        Looks beside the TOML, below ``networks_dir``, and among the downloaded files.

        Args:
            networks_dir: a folder to search, sub-folders included; None for no such folder.

        Returns:
            dict of part name -> ``pathlib.Path``.

        Raises:
            BadNetwork: a file is missing, or only files of another sha256 have its name.
        """
        return {entry.part: self.locate_file(entry, networks_dir) for entry in self.files}

    def locate_file(self, entry, networks_dir):
        """Find one file (an entry of ``files``); as ``locate``."""
        candidates = list(_candidates(entry.name, self.path.parent, networks_dir))
        for path in candidates:
            if entry.sha256 is None or sha256_of(path) == entry.sha256:
                return path
        if candidates:
            raise BadNetwork(
                "{} needs {} with sha256 {}…, but {} has {}…; delete it and run "
                "`python -m runtime.networks get {}`, or correct the sha256 in {}".format(
                    self.name, entry.name, entry.sha256[:12], candidates[0],
                    sha256_of(candidates[0])[:12], self.name, self.path,
                )
            )  # fmt: skip
        where = "below " + str(networks_dir) if networks_dir else "here (no --networks-dir given)"
        fetch = "run `python -m runtime.networks get {}`, or name".format(self.name)
        raise BadNetwork(
            "{} needs the file {}, which is not {}; {} a folder that holds it with "
            "--networks-dir".format(self.name, entry.name, where, fetch if entry.url else "name")
        )


def _candidates(name, beside, networks_dir):
    """Every file of that name in the places where networks live, in order of preference."""
    if (beside / name).is_file():
        yield beside / name
    if networks_dir:
        folder = pathlib.Path(networks_dir)
        if not folder.is_dir():
            raise BadNetwork("--networks-dir {} is not a folder; name one that is".format(folder))
        for path in sorted(folder.rglob(name)):
            if path.is_file():
                yield path
    if (CACHE / name).is_file():
        yield CACHE / name


def sha256_of(path):
    """The sha256 of a file, as hexadecimal text."""
    digest = hashlib.sha256()
    with open(str(path), "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def names():
    """Names of the networks that come with the runtime, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_network(name_or_path):
    """Read a network by its name, or from a TOML of one's own.

    Args:
        name_or_path: ``"nanotrack_v2"``, or the path of a file that ends in ``.toml``.

    Returns:
        A ``Network``; its files are not looked for yet.

    Raises:
        UnknownNetwork: no such name or file.
        BadNetwork: the TOML can't be read, or a key is missing, unknown or wrong.
    """
    path = find_toml(name_or_path)
    _, table = read_toml(path)
    values, files, mistakes = schema.read(table)
    if mistakes:
        more = " (and {} more)".format(len(mistakes) - 1) if len(mistakes) > 1 else ""
        raise BadNetwork(
            "{}: {}{}; `python -m runtime.networks check {}` lists all".format(
                path, schema.sentence(mistakes[0]), more, path
            )
        )
    return Network(path.stem, path, values, files)


def find_toml(name_or_path):
    """The path of a network's TOML.

    Raises:
        UnknownNetwork: no such name or file.
    """
    text = str(name_or_path)
    path = pathlib.Path(text) if text.endswith(".toml") else FOLDER / (text + ".toml")
    if not path.is_file():
        raise UnknownNetwork(_unknown(text))
    return path


def read_toml(path):
    """A TOML's text and what it says, as (text, dict).

    Raises:
        BadNetwork: it can't be read.
    """
    if tomllib is None:
        raise BadNetwork(
            "{} can't be read, because this Python lacks the library tomli; run "
            "`sudo apt-get install python3-pip && python3 -m pip install tomli`".format(path.name)
        )
    try:
        with open(str(path), "rb") as file:
            text = file.read().decode("utf-8")
        return text, tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadNetwork("{} can't be read as TOML: {}".format(path, error)) from None


def _unknown(text):
    if text.endswith(".toml"):
        return "no network file {}; name one of your own, or one of: {}".format(
            text, ", ".join(names())
        )
    near = difflib.get_close_matches(text, names(), n=3, cutoff=0.4)
    hint = "there are: " + ", ".join(names())
    if near:
        hint = "did you mean {}?".format(" or ".join(near))
    return "no network is called {!r}; {}".format(text, hint)
