"""Writes the canonical files of a network; ``hotpath.runtime.networks.canonical`` says what they
are."""

import atexit
import glob
import json
import os
import pathlib
import shutil
import tempfile
import time
from typing import Any, Dict, Mapping

from onnx import ModelProto, TensorProto

from hotpath.base import cache
from hotpath.graphs import assemble, byte_pictures, models
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import Network

MOST_NETWORKS = 64  # networks that are kept; those that were used longest ago go first
UNUSED_S = 3600.0  # age from which one may go: another process may be reading a younger one


def make(
    network: Network,
    paths: Mapping[str, pathlib.Path],
    in_bytes: bool,
    pixels: bool,
    own: str,
    description: str,
) -> str:
    """Make a folder with a network's files, whole or not at all; returns its path.

    Args:
        network, paths, in_bytes, pixels: as for ``write``.
        own: path of the folder. Where it can't be written, the result is a folder that lasts as
            long as this process.
        description: name of the file that describes the others.

    Raises:
        BadNetwork: see ``write``; or no folder can be written.
        OSError: the disk is full.
    """
    folder = os.path.dirname(own)
    try:
        cache.make(folder)
        beside = tempfile.mkdtemp(dir=folder)
    except OSError as error:
        try:
            beside = own = tempfile.mkdtemp(prefix="hotpath-")
        except OSError:  # there is none for temporary files either
            raise BadNetwork(
                f"{folder} can't be written ({error.strerror}), and there is no folder for "
                "temporary files; make one and name it in the variable TMPDIR"
            ) from None
        atexit.register(shutil.rmtree, own, ignore_errors=True)
    own_description = os.path.join(own, description)
    try:
        values = write(network, paths, in_bytes, pixels, beside)
        values["files"] = {name: _kept(os.path.join(beside, name)) for name in os.listdir(beside)}
        cache.seal(os.path.join(beside, description), json.dumps(values, indent=1).encode())
        if beside != own and not cache.is_whole(own_description):  # else another process was first
            shutil.rmtree(own, ignore_errors=True)  # a damaged one
            os.rename(beside, own)
    except OSError:  # another process was first, or the disk is full
        if not cache.is_whole(own_description):
            raise
    finally:
        if beside != own:
            shutil.rmtree(beside, ignore_errors=True)
    if os.path.dirname(own) == folder:
        _drop_unused(folder)
    return own


def _drop_unused(folder: str) -> None:
    """Remove what was used longest ago where a folder has more than ``MOST_NETWORKS``."""
    kept = sorted(glob.glob(os.path.join(folder, "*-*")), key=_age_s)
    for old in kept[MOST_NETWORKS:]:
        if _age_s(old) > UNUSED_S:
            shutil.rmtree(old, ignore_errors=True)


def write(
    network: Network,
    paths: Mapping[str, pathlib.Path],
    in_bytes: bool,
    pixels: bool,
    folder: str,
) -> Dict[str, Any]:
    """Write all models of a network into a folder; returns their description.

    Args:
        network: the ``Network``.
        paths: dict of part -> path.
        in_bytes: whether pictures are taken in bytes if the network allows it.
        pixels: whether those are (n, h, w, 3).
        folder: is there.

    Raises:
        BadNetwork: see ``assemble.build``.
        OSError: the folder can't be written.
    """
    graphs = assemble.with_search_features(network, assemble.build(network, paths))
    if in_bytes:
        graphs = byte_pictures.with_byte_pictures(network, graphs)

    def written(name: str, model: ModelProto) -> Dict[str, Any]:
        inputs = model.graph.input
        uint8 = [v.name for v in inputs if v.type.tensor_type.elem_type == TensorProto.UINT8]
        turned = []
        if pixels:
            model, pictures = byte_pictures.with_pixels(model)
            turned = sorted(pictures)
        with open(os.path.join(folder, name), "wb") as file:
            file.write(model.SerializeToString())
        floats = models.has_float_layer(model.graph)
        values = [*model.graph.input, *model.graph.output]
        return {
            "path": name,
            "bytes": uint8,
            "pixels": turned,
            "keeps_floats": floats,
            "shapes": {value.name: models.shape_of(value) for value in values},
        }

    return {
        "precision": graphs.precision,
        "exemplar": written("exemplar.onnx", graphs.exemplar),
        "search": written("search.onnx", graphs.search),
        "features": graphs.features,
        "image": graphs.image,
        "maps": graphs.maps,
        "search_features": graphs.search_features,
    }


def _kept(path: str) -> str:
    """The hash of a file that is on the disk now."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return cache.hash_of(path)


def _age_s(path: str) -> float:
    """Seconds since a network was made or used; 0 if it is gone."""
    try:
        return time.time() - os.path.getmtime(path)
    except OSError:
        return 0.0
