"""A network: the numbers of its TOML, and the paths of its files."""

import contextlib
import hashlib
import os
import pathlib
import re
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from hotpath.base import cache
from hotpath.runtime.errors import BadNetwork

NETWORKS = pathlib.Path(__file__).resolve().parent / "networks"
INT8_FORMS = NETWORKS / "int8"
DETECTORS = NETWORKS.parents[1] / "app" / "detect" / "files"
CACHE = pathlib.Path(cache.USERS) / "networks"
# the name of a file beside an ONNX file: an entry of a tensor's external_data in onnx.proto
OUTSIDE = re.compile(rb"\x0a\x08location\x12([\x01-\x7f])")
MOST_BYTES = 1 << 30  # of an ONNX file and those beside it; the largest tracker here has 370 MB
GIVEN = "networks_dir (--networks-dir)"  # in Python, and on the command line

Rgb = Tuple[float, float, float]


class NetworkFile(NamedTuple):
    """One ``[[file]]`` of a TOML.

    Attributes:
        part: what the file holds, such as "backbone" (``schema.PARTS``).
        name: file name, without folders.
        sha256: 64 hexadecimal digits, or None.
        url: where to download it, or None.
        size: bytes, or None; a download of more is refused.
        measured_sha256: of a file that each user exports: that of the export which the published
            figures were measured with. Exports of the same weights differ in their bytes, so
            another one is taken too.
    """

    part: str
    name: str
    sha256: Optional[str]
    url: Optional[str]
    size: Optional[int] = None
    measured_sha256: Optional[str] = None


class AuxiliaryFile(NamedTuple):
    """A file that was made for a network, as ``[negatives]`` and ``[point_prompt]`` of a TOML name
    it.

    Attributes:
        name: file name, without folders.
        sha256: 64 hexadecimal digits.
        object_above: of ``[point_prompt]``: the score of an object at a point.
    """

    name: str
    sha256: str
    object_above: float = 0.0


class Network:
    """One network as its TOML describes it.

    The fields carry the names of the TOML's keys, which ``schema.SECTIONS`` and the ``KEYS`` of the
    families explain. A field exists only where the network's family and crop use it.

    Args:
        name: name of the TOML, without ``.toml``.
        path: path of the TOML.
        values: dict of key -> value, from ``schema.read``.
        files: its ``NetworkFile``s.
    """

    name: str
    path: pathlib.Path
    files: List[NetworkFile]
    published: Dict[str, Any]  # figures that the authors report
    negatives: Optional[AuxiliaryFile]  # descriptors of other objects: runtime/identity/learner
    point_prompt: Optional[
        AuxiliaryFile
    ]  # the head that finds the object at a point: runtime/tracker
    made_from: Dict[str, str]  # of an INT8 form: part of its network -> sha256 of that file

    family: str
    licence: str
    source: str

    # [input]
    exemplar: int
    search: int
    crop: str
    context: float
    exemplar_factor: float
    search_factor: float
    exemplar_margin: float
    search_margin: float
    corner: str
    rounding: str
    resample: str
    border: str
    channels: str
    mean: Rgb
    scale: Rgb
    box_centre: str
    box_corner: str

    # [head]
    correlation: str
    maps: Tuple[str, ...]
    stride: float
    map_size: int
    score: str
    ratios: Tuple[float, ...]
    output: str
    cell_centre: float
    upsample: int

    # [tracking]
    search_lost_below: float
    look_above: float
    peak_share: float
    wider_below: float
    found_above: float
    same_share: float
    min_size: float
    clip: str
    box_pixels: str
    penalty: float
    window_influence: float
    score_power: int
    vote: str
    size_lr: float
    size_lr_power: int
    min_score: float
    relative_to: str
    scales: Any  # sides of the anchors (tuple), or how many sizes a response tries (int)
    scale_step: float
    scale_penalty: float
    scale_lr: float

    def __init__(
        self, name: str, path: pathlib.Path, values: Dict[str, Any], files: List[NetworkFile]
    ) -> None:
        self.name = name
        self.path = path
        self.files = files
        vars(self).update(values)
        if {"map_size", "search"} <= set(values):  # a head whose cells cover the whole region
            vars(self).setdefault("stride", values["search"] / values["map_size"])

    @property
    def given(self) -> str:
        """Return the value for ``--network``: the name, or the path of the user's own TOML."""
        shipped = NETWORKS, INT8_FORMS, DETECTORS
        return self.name if self.path.parent in shipped else str(self.path)

    @property
    def can_be_lost(self) -> bool:
        """Whether it has the thresholds by which a target is lost, and found again."""
        return self.search_lost_below > 0 and self.found_above > 0

    def file(self, part: str) -> Optional[NetworkFile]:
        """The file that holds ``part``, or None."""
        return next((entry for entry in self.files if entry.part == part), None)

    def locate(
        self, networks_dir: Union[str, pathlib.Path, None] = None
    ) -> Dict[str, pathlib.Path]:
        """Find each file of the network and check its sha256.

        Looks beside the TOML, then below ``networks_dir``, then among the downloaded files. A file
        whose sha256 the TOML states may also be one that comes with Hotpath, so that a changed copy
        of a shipped TOML works in any folder.

        Args:
            networks_dir: a folder to search with its sub-folders; None for no such folder.

        Returns:
            dict of part name -> path.

        Raises:
            BadNetwork: a file is missing, or each file of its name has another sha256.
        """
        if networks_dir is not None and not isinstance(networks_dir, (str, os.PathLike)):
            raise BadNetwork(
                f"networks_dir must be the path of a folder, not {networks_dir!r}",
                what="not a path",
            )
        return {entry.part: self.locate_file(entry, networks_dir) for entry in self.files}

    def locate_file(
        self, entry: NetworkFile, networks_dir: Union[str, pathlib.Path, None]
    ) -> pathlib.Path:
        """Find one file (an entry of ``files``), as ``locate`` does."""
        candidates = list(_candidates(entry.name, self.path.parent, networks_dir))
        for path in candidates:
            if entry.sha256 is None or sha256_of(path) == entry.sha256:
                return path
        for folder in (NETWORKS, INT8_FORMS) if entry.sha256 else ():
            path = folder / entry.name
            if path.is_file() and sha256_of(path) == entry.sha256:
                return path
        if candidates and entry.sha256:
            raise BadNetwork(
                f"{self.name} needs {entry.name} with sha256 {entry.sha256[:12]}…, but "
                f"{candidates[0]} has {sha256_of(candidates[0])[:12]}…; delete it and "
                f"{self.origin(entry)}, or correct the sha256 in {self.path}",
                what="other file",
            )
        where = f"below {networks_dir}" if networks_dir else "here"
        raise BadNetwork(
            f"{self.name} needs the file {entry.name}, which is not {where}; "
            f"{self.origin(entry)}, or name a folder that holds it with {GIVEN}",
            what="missing file",
        )

    def locate_made(self, entry: AuxiliaryFile) -> pathlib.Path:
        """Find a file that was made for this network: beside its TOML, or among those that ship.

        Raises:
            BadNetwork: it is missing, or has another sha256.
        """
        folders = (self.path.parent, self.path.parent.parent, NETWORKS)
        there = [folder / entry.name for folder in folders if (folder / entry.name).is_file()]
        for path in there:
            if sha256_of(path) == entry.sha256:
                return path
        state = f"{there[0]} has another sha256" if there else "it is missing"
        again = ""
        if entry == self.negatives:
            maker = f"python -m hotpath_lab.negatives --clips DIR --network {self.given}"
            again = f"make it with `{maker}`, "
        raise BadNetwork(
            f"{self.path} names {entry.name}, but {state}; put the file beside the TOML, {again}or "
            "remove the section",
            what="other file",
        )

    def hashes(self, networks_dir: Union[str, pathlib.Path, None] = None) -> Dict[str, str]:
        """dict of part -> sha256 of the network's files: as stated, else of what ``locate`` finds.

        Every file that is made from a network names these hashes, and who reads it compares them.
        """
        return {
            entry.part: entry.sha256 or sha256_of(self.locate_file(entry, networks_dir))
            for entry in self.files
        }

    def hashes_here(
        self, networks_dir: Union[str, pathlib.Path, None] = None
    ) -> Dict[str, Optional[str]]:
        """As ``hashes``, with None for a file that is not here: a board may have only a bundle."""
        hashes: Dict[str, Optional[str]] = {}
        for entry in self.files:
            hashes[entry.part] = entry.sha256
            if entry.sha256 is None:
                with contextlib.suppress(BadNetwork):
                    hashes[entry.part] = sha256_of(self.locate_file(entry, networks_dir))
        return hashes

    def check_form(
        self, form: "Network", networks_dir: Union[str, pathlib.Path, None] = None
    ) -> None:
        """Check that an INT8 form was made from this network's files.

        Raises:
            BadNetwork: it was made from others, or does not say from which.
        """
        if form.path == self.path or form.made_from == self.hashes(networks_dir):
            return
        other = "was made from other files than those"
        raise BadNetwork(
            f"the INT8 form {form.path} {other if form.made_from else 'does not say that it is'} "
            f"of {self.path}; make it again with `hotpath int8 "
            f"--network {self.given} --clips DIR`, or take precision fp32",
            what="other network",
        )

    def origin(self, entry: NetworkFile) -> str:
        """Say how to get a missing file."""
        if entry.url and entry.sha256:
            return f"run `hotpath networks get {self.given}`"
        source = getattr(self, "source", "") or "its authors"
        return f"get or export it from {source} as {self.path} says"


def _candidates(
    name: str, beside: pathlib.Path, networks_dir: Union[str, pathlib.Path, None]
) -> Iterator[pathlib.Path]:
    """Each file of that name where networks are kept, in order of preference."""
    if (beside / name).is_file():
        yield beside / name
    if networks_dir:
        check_folder(networks_dir)
        for path in sorted(pathlib.Path(networks_dir).rglob(name)):
            if path.is_file():
                yield path
    if (CACHE / name).is_file():
        yield CACHE / name


def check_folder(networks_dir: Union[str, pathlib.Path, None]) -> None:
    """Raise ``BadNetwork`` where the folder with networks' files is none."""
    if networks_dir and not pathlib.Path(networks_dir).is_dir():
        raise BadNetwork(f"{GIVEN} {networks_dir} is not a folder; name one that is")


def sha256_of(path: Union[str, pathlib.Path]) -> str:
    """The sha256 of a file, as hexadecimal text.

    Weights that an ONNX file keeps in files beside it count too: their bytes follow its own.

    Raises:
        BadNetwork: they have more than ``MOST_BYTES``.
    """
    digest, path = hashlib.sha256(), pathlib.Path(path)
    for part in [path, *data_beside(path)]:
        with open(str(part), "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()


def data_beside(path: pathlib.Path) -> List[pathlib.Path]:
    """The files beside an ONNX file that hold its weights, sorted; a missing one is left out."""
    if path.suffix.lower() != ".onnx":
        return []
    names = set()
    if path.stat().st_size > MOST_BYTES:
        raise too_large(path)
    data = path.read_bytes()
    for match in OUTSIDE.finditer(data):
        name = data[match.end() : match.end() + match.group(1)[0]]
        if b"\0" not in name:
            names.add(os.path.normpath(os.fsdecode(name)))
    named = (path.parent / name for name in sorted(names) if not os.path.isabs(name))
    beside = [file for file in named if file.is_file()]
    if len(data) + sum(file.stat().st_size for file in beside) > MOST_BYTES:
        raise too_large(path)
    return beside


def too_large(path: Union[str, pathlib.Path]) -> BadNetwork:
    """The refusal of an ONNX file that has too many bytes with the files that it names."""
    return BadNetwork(
        f"{path} has over {MOST_BYTES} bytes, with the files that it names; export a smaller one",
        what="over the budget",
        where=path,
    )


def without_ones(shape: Sequence[int]) -> Tuple[int, ...]:
    """The shape of a map without its sides of 1, in which exports differ."""
    return tuple(side for side in shape if side != 1)


def shapes_text(shapes: Iterable[Sequence[int]]) -> str:
    """Shapes of maps for a message."""
    return " and ".join("x".join(map(str, shape)) for shape in shapes)
