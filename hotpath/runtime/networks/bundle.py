"""Bundles: a network prepared for one board, in a folder that records its sources.

``make engine`` writes one to ``engines/<board>/<network>-<precision>/``: the parts that an engine
loads, the network's TOML, and ``bundle.json``, which has the form ``FORM``.

``run`` tells the engine the purpose of each part. Only the engine understands ``run`` and
``settings``. ``Bundle`` checks all other entries. ``hotpath.runtime.loading`` has the engine check
these two before it uses a part. ``sha256`` is of the whole table, so that a change is noticed.
"""

import hashlib
import json
import operator
import os
import pathlib
import shlex
from typing import Dict, List, Mapping, NoReturn, Optional, Sequence, Union

from hotpath.base import json_forms
from hotpath.base.messages import HERE, error_text, make_command
from hotpath.base.text import read_json
from hotpath.base.toml_keys import FileName, Key, Sha256, Table, form_problem
from hotpath.boards import Board, load_board, names
from hotpath.runtime import decode
from hotpath.runtime.errors import BadBundle, BadNetwork, BundleMismatch
from hotpath.runtime.network import Network, sha256_of, shapes_text, without_ones
from hotpath.runtime.networks import default_of, load_network

PathLike = Union[str, pathlib.Path]

FORMAT = 2
FILE = "bundle.json"
MOST_BYTES = 1 << 20  # of it; ours have a few thousand
FOLDER = "engines"
NAME = Key(FileName)
FORM = {
    "format": Key(int),
    "board": NAME,
    "engine": NAME,
    "precision": NAME,
    "network": {"name": NAME, "sha256": Key(Sha256), "files": {str: Key(Sha256, default=None)}},
    "libraries": {str: Key(str)},
    "settings": {},
    "parts": {str: {"sha256": Key(Sha256), "bytes": Key(int)}},
    "run": {},
    "compute_capability": Key(str, default=None),
    "calibration_sha256": Key(Sha256, default=None),
    "sha256": Key(Sha256),
}


def build_command(
    board: str, network: PathLike, precision: str, engines: Optional[PathLike] = None
) -> str:
    """The command that builds a bundle, in ``engines`` if that is not the usual folder.

    For what a board runs by default it is the one that builds its witness, too.
    """
    is_here = engines is None or os.path.realpath(str(engines)) == os.path.realpath(FOLDER)
    if is_here and board in names():
        profile = load_board(board)
        if (str(network), precision) == (default_of(profile), profile.precision["default"]):
            return make_command("engine", BOARD=board)
    text = make_command("engine", BOARD=board, NETWORK=network, PRECISION=precision)
    if is_here:
        return text
    place = os.path.abspath(str(engines)) if text.startswith("make -C ") else str(engines)
    out = "--out " + shlex.quote(place)
    return f"{text} ARGS={shlex.quote(out)}" if text.startswith("make ") else f"{text} {out}"


def precision_on(board: Board, precision: str) -> str:
    """A precision if the board has it, else the board's own."""
    usual: str = board.precision["default"]
    return precision if precision in board.precision["exists"] else usual


def folder_of(board: str, network: str, precision: str, engines: PathLike = FOLDER) -> pathlib.Path:
    """The folder of the bundle for a board, network and precision (all names).

    A network that is named for its precision, such as ``kestrel-int8``, is not named for it twice.
    """
    end = "-" + precision
    name = network if network.endswith(end) else network + end
    return pathlib.Path(str(engines)) / board / name


def entries_sha256(values: Mapping[str, object]) -> str:
    """The sha256 of the entries of a ``bundle.json``, without its own."""
    rest = {key: value for key, value in values.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def network_entry(network: Network, paths: Optional[Mapping[str, pathlib.Path]] = None) -> Table:
    """The entry ``network`` of a bundle: dict of name, sha256 and files.

    The sha256 covers only what the parts depend on. A tracker's numbers may be tuned without a new
    bundle.

    Args:
        network: the ``Network``.
        paths: dict of part -> path, to take the sha256 that its TOML does not give.
    """
    files = {}
    for entry in network.files:
        path = paths.get(entry.part) if paths else None
        files[entry.part] = entry.sha256 or (sha256_of(path) if path else None)
    return _identity(network, files)


def _identity(network: Network, files: Mapping[str, Optional[str]]) -> Table:
    shapes = [network.family, network.exemplar, network.search, list(network.maps)]
    text = json.dumps([shapes, files], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"name": network.name, "sha256": digest, "files": files}


def bundle_folders() -> List[pathlib.Path]:
    """Where bundles are looked for: ``engines`` here, and that of the clone that runs."""
    places = [pathlib.Path(FOLDER)]
    own = pathlib.Path(HERE) / FOLDER
    return places if own.resolve() == places[0].resolve() else [*places, own]


def bundles_of(
    board: str,
    network: str,
    precision: Optional[str] = None,
    engine: Optional[str] = None,
    folder: Optional[PathLike] = None,
) -> "List[Bundle]":
    """The bundles for a board and a network, the one that was built last first.

    Args:
        board, network: names.
        precision, engine: names; None for any.
        folder: folder of all bundles; None for all of ``bundle_folders``.

    Raises:
        BadBundle: there is none, and one that it might be can't be read.
    """
    damage, found = None, []
    for place in bundle_folders() if folder is None else [pathlib.Path(str(folder))]:
        for path in (place / board).glob("*/" + FILE):
            try:
                made = Bundle(path.parent)
            except BadBundle as error:
                damage = error if path.parent.name.startswith(network + "-") else damage
                continue
            fits = made.board == board and made.network["name"] in (network, network + "-int8")
            fits = fits and precision in (None, made.precision) and engine in (None, made.engine)
            if fits:
                found.append(made)
    if damage is not None and not found:
        raise damage
    return sorted(found, key=operator.attrgetter("built_s", "folder"), reverse=True)


def find(
    board: str,
    network: Network,
    precision: Optional[str] = None,
    engine: Optional[str] = None,
    folder: Optional[PathLike] = None,
    rather: Optional[str] = None,
) -> "Bundle":
    """The bundle for a board and a network that was built last.

    Args:
        board, network, precision, engine, folder: as of ``bundles_of``.
        rather: precision whose bundles come first, whenever the others were built; None for none.

    Raises:
        BadBundle: there is none, or it can't be read.
    """
    found = bundles_of(board, network.name, precision, engine, folder)
    if found:
        return next((each for each in found if each.precision == rather), found[0])
    usual = load_board(board).precision["default"] if board in names() else "fp32"
    chosen = precision or usual
    first = folder_of(board, network.name, chosen, FOLDER if folder is None else folder)
    build = build_command(board, network.given, chosen, folder)
    raise BadBundle(f"there is no bundle {first}; run `{build}`", what="no bundle")


class Bundle:
    """What is in a bundle's folder, and whether it is whole.

    Attributes:
        folder: the folder.
        network: dict of name, sha256 and files, from ``network_entry``.
        board, engine, precision: names.
        libraries: dict of library -> version that the parts were built with.
        compute_capability: compute capability of the GPU, such as "8.7"; None without a GPU.
        calibration_sha256: sha256 of the table of ranges for INT8, or None.
        settings: dict of the builder's options.
        parts: dict of file name -> {"sha256", "bytes"}.
        run: dict for the engine.

    Raises:
        BadBundle: there is no bundle, or its ``bundle.json`` cannot be read or is not whole.
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = pathlib.Path(str(folder))
        values = self._read()
        self._check_whole(values)
        self.network: Table = values["network"]
        self.board: str = values["board"]
        self.engine: str = values["engine"]
        self.precision: str = values["precision"]
        self.libraries: Dict[str, str] = values["libraries"]
        self.compute_capability: Optional[str] = values["compute_capability"]
        self.calibration_sha256: Optional[str] = values["calibration_sha256"]
        self.settings: Table = values["settings"]
        self.parts: Dict[str, Table] = values["parts"]
        self.run: Table = values["run"]

    @property
    def built_s(self) -> float:
        """When it was written, in seconds since the epoch."""
        return (self.folder / FILE).stat().st_mtime

    def _read(self) -> Table:
        """The table in ``bundle.json``, with all its keys."""
        path = self.folder / FILE
        if not os.path.isfile(str(path)):  # nor where its folder can't be read
            raise BadBundle(
                f"{self.folder} is not a bundle: it has no {FILE}; run "
                f"`{build_command('…', '…', '…')}` (`python -m hotpath boards` names this board)",
                what="no bundle",
            )
        try:
            values = read_json(str(path), MOST_BYTES)
            if not isinstance(values, dict):
                raise ValueError("it is not a table")
        except (ValueError, OSError) as error:
            raise BadBundle(
                f"{path} can't be read ({error_text(error)}); {self._again()}",
                what="damaged",
            ) from None
        missing = [key for key in FORM if key not in values]
        if values.get("format") != FORMAT or missing:
            why = "lacks " + ", ".join(missing) if missing else "is of another version of this"
            raise BadBundle(f"{path} {why}; {self._again()}", what="damaged")
        return values

    def _again(self) -> str:
        """What to do with a bundle that does not say what it is; its folder names the board."""
        build = make_command("engine", BOARD=self.folder.resolve().parent.name)
        return f"remove {self.folder} and build it again with `{build}`"

    def _check_whole(self, values: Table) -> None:
        """Refuse an entry that has another type than it should have."""
        if values["sha256"] != entries_sha256(values):
            self.damaged("an entry was changed")
        try:
            json_forms.check_json(values, FORM, FILE)
        except ValueError as error:
            self.damaged(str(error))
        parts = values["parts"]
        if values["network"]["name"] + ".toml" not in parts:
            self.damaged("its network's TOML is none of its parts")
        if any(form_problem(FileName, name) for name in parts):
            self.damaged("it names a part outside it")

    def check_run(self, named: Sequence[object]) -> None:
        """Raise ``BadBundle`` unless all names, of ``Engine.check_bundle``, are those of parts."""
        for name in named:
            if not isinstance(name, str) or name not in self.parts:
                self.damaged(f"{name} is none of its parts")

    @property
    def command(self) -> str:
        """The command that builds the bundle again."""
        return self._command(self.board, self.network["name"], self.precision)

    def _command(self, board: str, network: str, precision: str) -> str:
        """The command that builds a bundle beside this one."""
        engines = self.folder.parent.parent
        usual = folder_of(self.board, self.network["name"], self.precision, engines)
        return build_command(board, network, precision, engines if usual == self.folder else None)

    def path(self, part: str) -> pathlib.Path:
        """The path of a part."""
        return self.folder / part

    def load_network(self) -> Network:
        """The ``Network`` of its TOML; raises ``BadBundle`` if that is of another version."""
        try:
            return load_network(self.path(self.network["name"] + ".toml"))
        except BadNetwork as error:
            raise BadBundle(
                f"{self.folder} was built by another version of Hotpath ({error}); run "
                f"`{self.command}`"
            ) from None

    def check_parts(self) -> None:
        """Raise ``BadBundle`` if a part is missing, truncated or altered."""
        for name, expected in sorted(self.parts.items()):
            path = self.path(name)
            if not path.is_file():
                self._broken(path, "is missing")
            if path.resolve().parent != self.folder.resolve():
                self._broken(path, "is a link to a file outside the bundle")
            size = path.stat().st_size
            if size < expected["bytes"]:
                self._broken(
                    path, "is truncated, {} of {} bytes are there".format(size, expected["bytes"])
                )
            try:
                altered = size != expected["bytes"] or sha256_of(path) != expected["sha256"]
            except OSError as error:
                self._broken(path, f"can't be read ({error.strerror})")
            if altered:
                self._broken(path, "was altered since it was built")

    def check_network(self, network: Network, networks_dir: Optional[PathLike] = None) -> None:
        """Raise ``BundleMismatch`` unless the bundle is of this network and its files.

        A file whose hash the TOML does not state is compared where it is here.
        """
        now = _identity(network, network.hashes_here(networks_dir))
        if now["name"] != self.network["name"]:
            self.mismatch("network", self.network["name"], now["name"], now["name"])
        for part, sha256 in now["files"].items():
            built = self.network["files"].get(part)
            if sha256 is not None and sha256 != built:
                before = f"sha256 {str(built)[:12]}…"
                self.mismatch(f"{part} of {network.name}", before, f"{sha256[:12]}…")
        has_hashes = None not in now["files"].values()
        if has_hashes and now["sha256"] != self.network["sha256"]:
            self.mismatch("TOML of " + network.name, "other inputs or maps", "those of today")

    def check_library(self, name: str, version: str) -> None:
        """Compare with the version of a library on this board."""
        if self.libraries.get(name) != version:
            self.mismatch(name, self.libraries.get(name), version)

    def check_shapes(
        self, network: Network, sides: Sequence[int], maps: Sequence[Sequence[int]]
    ) -> None:
        """Compare the shapes that an engine was built with.

        Args:
            network: the ``Network`` to compare with.
            sides: sides of the exemplar's picture and the search region's, pixels.
            maps: shapes of the maps.

        Raises:
            BundleMismatch: the network has others.
        """
        expected = [network.exemplar, network.search]
        if list(sides) != expected:
            self.mismatch(
                "pictures of " + network.name,
                *("{} and {} pixels".format(*pair) for pair in (sides, expected)),
            )
        shapes = decode.shapes(network)
        if [without_ones(shape) for shape in maps] != [without_ones(shape) for shape in shapes]:
            self.mismatch("maps of " + network.name, shapes_text(maps), shapes_text(shapes))

    def damaged(self, reason: str) -> NoReturn:
        """Raise ``BadBundle``, because ``bundle.json`` was changed after it was written."""
        raise BadBundle(
            f"{self.folder / FILE} is not as it was written ({reason}); {self._again()}",
            what="damaged",
        )

    def mismatch(
        self,
        what: str,
        built: object,
        here: object,
        network: Optional[str] = None,
        board: Optional[str] = None,
        precision: Optional[str] = None,
    ) -> NoReturn:
        """Raise ``BundleMismatch``: what differs, and which command builds the bundle again."""
        name = network or self.network["name"]
        rebuild = self._command(board or self.board, name, precision or self.precision)
        raise BundleMismatch(
            f"{self.folder} was built for {what} {built}, but here it is {here}; run `{rebuild}`",
            what="other system",
        )

    def _broken(self, path: pathlib.Path, what: str) -> NoReturn:
        raise BadBundle(
            f"{path} {what}; build it again: `{self.command}`", what="wrong part", where=path
        )
