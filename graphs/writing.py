"""Writes the canonical files of a network; ``hotpath.runtime.canonical`` says what they are."""

import os
import pathlib
from typing import Any, Dict, Mapping, Sequence

from onnx import ModelProto, TensorProto

from hotpath.graphs import assemble, batch, byte_pictures, models
from hotpath.runtime.network import Network


def write(
    network: Network,
    paths: Mapping[str, pathlib.Path],
    in_bytes: bool,
    pixels: bool,
    counts: Sequence[int],
    folder: str,
) -> Dict[str, Any]:
    """Write all models of a network into a folder; returns their description.

    Args:
        network: the ``Network``.
        paths: dict of part -> path.
        in_bytes: whether pictures are taken in bytes if the network allows it.
        pixels: whether those are (n, h, w, 3).
        counts: windows of the calls that take several.
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

    description: Dict[str, Any] = {
        "precision": graphs.precision,
        "exemplar": written("exemplar.onnx", graphs.exemplar),
        "search": written("search.onnx", graphs.search),
        "several": {},
        "features": graphs.features,
        "image": graphs.image,
        "maps": graphs.maps,
        "search_features": graphs.search_features,
    }
    for count in counts:
        model = batch.several(graphs.search, count)
        if model is None:
            break
        description["several"][count] = written(f"search-{count}.onnx", model)
    return description
