"""A network's files in the form that engines load: fixed names and shapes.

A network gets them when it enters (``hotpath networks add`` and ``get``, ``make engine``), and one
that has none yet when it is loaded for the first time. This file only reads them. What writes them
is in ``graphs``, which the runtime may not import; the package ``hotpath`` passes it to
``use_writer``. Engines and builders get a network's graphs only
from here. They are stored below ``FOLDER`` under a hash of the files and of the TOML's values, or
in a computer's bundle.

    exemplar.onnx    the picture of the exemplar -> features
    search.onnx      the picture of a window, features -> maps, and the window's features
    graphs.json      their inputs and outputs (``CanonicalModels``)
"""

import contextlib
import json
import os
import pathlib
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from hotpath.base import cache
from hotpath.base.toml_keys import FileName, Key
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import NETWORKS, sha256_of

if TYPE_CHECKING:
    from hotpath.runtime.network import Network

FOLDER = os.path.join(cache.USERS, "graphs")
# How pictures are taken: normalised float32; where the network allows it uint8 as they are; those
# as (n, h, w, 3) instead of (n, 3, h, w).
FORMS = FLOATS, BYTES, PIXELS = "floats", "bytes", "pixels"
DESCRIPTION = "graphs.json"
PACKAGE = pathlib.Path(__file__).resolve().parents[2]
_writer: Optional[Callable[..., str]] = None  # set by ``use_writer``
# the code on which the files depend
SOURCES = ("graphs/*.py", "runtime/decode/**/*.py", "runtime/networks/canonical.py")
NAME = Key(str)
MODEL = {
    "path": Key(FileName),
    "bytes": [NAME],
    "pixels": [NAME],
    "keeps_floats": Key(bool),
    "shapes": {str: [Key(int)]},
}
FORM = {  # of the description
    "precision": NAME,
    "exemplar": MODEL,
    "search": MODEL,
    "features": [NAME],
    "image": (NAME, NAME),
    "maps": [NAME],
    "search_features": Key(str, default=None),
}


def use_writer(writer: Callable[..., str]) -> None:
    """Set the function that writes a network's files: ``hotpath.graphs.writing.make``."""
    global _writer
    _writer = writer


class CanonicalModel(NamedTuple):
    """One ONNX file.

    Attributes:
        path: path of the file.
        bytes: names of the inputs that are uint8 pictures, not normalised. Others are float32.
        pixels: names of those of them that are (n, h, w, 3). Other pictures are (n, 3, h, w).
        keeps_floats: whether a layer with float weights is between quantised values.
        shapes: dict of the name of each input and output -> shape.
    """

    path: str
    bytes: Tuple[str, ...]
    pixels: Tuple[str, ...]
    keeps_floats: bool
    shapes: Mapping[str, Sequence[int]] = {}


class CanonicalModels(NamedTuple):
    """The models of a network.

    Attributes:
        precision: the numbers that the network's files have: "fp32" or "int8".
        exemplar, search: the two ``CanonicalModel``.
        features: names of the tensors that the exemplar gives to the frames.
        image: names of the two pictures, ("exemplar", "search").
        maps: names of the outputs, in the order of the family (``hotpath.runtime.decode.shapes``).
        search_features: name of the output with the window's features; None if there is none.
    """

    precision: str
    exemplar: Any
    search: Any
    features: Tuple[str, ...]
    image: Tuple[str, str]
    maps: Tuple[str, ...]
    search_features: Optional[str] = None


def load(
    network: "Network",
    paths: "Mapping[str, pathlib.Path]",
    form: str = BYTES,
    log: Optional[Callable[[str], None]] = None,
    folder: str = FOLDER,
) -> CanonicalModels:
    """Load the canonical files of a network, and make them first if they are missing.

    Args:
        network: the ``Network``.
        paths: dict of part -> path, from ``network.locate()``.
        form: one of ``FORMS``.
        log: function that gets a sentence when they are made for a network of the user.
        folder: folder that stores them.

    Raises:
        BadNetwork: a file is no ONNX, its tensors don't fit the TOML, or nothing can make them.
    """
    # the TOML's hashes were checked when the files were located
    digests = {entry.part: entry.sha256 for entry in network.files}
    hashes = {part: digests.get(part) or sha256_of(path) for part, path in paths.items()}
    values = {key: value for key, value in vars(network).items() if key not in ("path", "files")}
    code = sorted(str(path) for source in SOURCES for path in PACKAGE.glob(source))
    parts = {entry.part: entry._replace(name="", url=None) for entry in network.files}
    facts = sorted(hashes.items()), sorted(values.items()), sorted(parts.items()), form
    own = os.path.join(folder, f"{network.name}-{cache.digest(facts, code)}")
    if not cache.is_whole(os.path.join(own, DESCRIPTION)):
        if _writer is None:
            from hotpath.base.messages import make_command

            raise BadNetwork(
                f"{network.name} is not prepared for engines, and nothing here can prepare it; run "
                "`{}` on a computer".format(make_command("engine", NETWORK=network.given)),
                what="not ready",
            )
        own = _writer(network, paths, form != FLOATS, form == PIXELS, own, DESCRIPTION)
        if log is not None and NETWORKS not in network.path.parents:
            log(f"prepared {network.name} for the engines, in {own}")
        return read(own)
    with contextlib.suppress(OSError):  # a folder of another user, or on a disk that is read-only
        os.utime(own)  # those that were used longest ago go first
    return read(own, is_sealed=True)


def read(folder: str, is_sealed: bool = False) -> CanonicalModels:
    """Check the models in a folder, which may be a stranger's, and return them.

    Args:
        folder: the folder.
        is_sealed: whether it was written, checked and sealed here, so that its form is known.

    Raises:
        BadNetwork: the description is not as it was written, or a file is over the budget.
    """
    description = os.path.join(folder, DESCRIPTION)
    try:
        with open(description, encoding="utf-8") as file:
            values = json.load(file)
        if not is_sealed:
            from hotpath.base import json_forms

            json_forms.check_json(values, FORM, DESCRIPTION)
        models = _models(folder, values)
    except (ValueError, RecursionError) as error:
        raise BadNetwork(
            f"{description} is not as it was written ({error}); remove {folder} and make it again",
            what="damaged",
        ) from None
    if not is_sealed:
        from hotpath.runtime.networks import onnx_budget

        for model in (models.exemplar, models.search):
            onnx_budget.check(model.path)
    return models


def _models(folder: str, values: Dict[str, Any]) -> CanonicalModels:
    """The ``CanonicalModels`` of a description; raises ``ValueError`` for a wrong entry."""

    def model(entry: Dict[str, Any]) -> CanonicalModel:
        path = os.path.join(folder, entry["path"])
        inside = os.path.dirname(os.path.realpath(path)) == os.path.realpath(folder)
        if not inside or not os.path.isfile(path):
            raise ValueError("{!r} is not a file of it".format(entry["path"]))
        pictures = tuple(entry["bytes"]), tuple(entry["pixels"])
        return CanonicalModel(path, *pictures, entry["keeps_floats"], entry["shapes"])

    exemplar, search = values["image"]
    return CanonicalModels(
        precision=values["precision"],
        exemplar=model(values["exemplar"]),
        search=model(values["search"]),
        features=tuple(values["features"]),
        image=(exemplar, search),
        maps=tuple(values["maps"]),
        search_features=values.get("search_features"),
    )
