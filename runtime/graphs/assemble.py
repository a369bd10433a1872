"""Makes the two graphs that a tracker runs from a network's ONNX files.

One graph runs once on the exemplar, the other one each frame. All nodes that depend on the exemplar
alone are in the first, so that a frame is one call and repeats nothing.
"""

import pathlib
from collections import namedtuple
from typing import Mapping, Tuple

import onnx
from onnx import ModelProto, helper, shape_inference, version_converter

from runtime.errors import BadNetwork
from runtime.graphs import fold_if, maps, models, normalise, parts, quantised
from runtime.graphs.models import shape_of
from runtime.graphs.parts import IMAGES
from runtime.network import Network

__all__ = ["Graphs", "IMAGES", "build", "shape_of"]

Graphs = namedtuple("Graphs", "exemplar search features image maps")
Graphs.__doc__ = """The two models of a network.

Attributes:
    exemplar: ONNX model, input ``exemplar`` (1, 3, e, e), outputs ``features``.
    search: ONNX model, inputs ``search`` (1, 3, s, s) and ``features``, outputs ``maps``.
    features: names of the tensors that the exemplar gives to the frames.
    image: names of the two pictures, ("exemplar", "search").
    maps: names of the outputs, in the order of the network's family (``runtime.decode.shapes``).
"""

_MISFITS = (
    ValueError,
    RuntimeError,
    KeyError,
    IndexError,
    StopIteration,
    TypeError,
    onnx.checker.ValidationError,
    shape_inference.InferenceError,
    getattr(version_converter, "ConvertError", RuntimeError),  # not in every version
)


def build(network: Network, paths: Mapping[str, pathlib.Path]) -> Graphs:
    """Build both graphs of a network.

    Args:
        network: the ``Network``.
        paths: dict of part name -> path, as ``network.locate()`` gives it.

    Returns:
        ``Graphs``.

    Raises:
        BadNetwork: a file is no ONNX, or its tensors don't fit the TOML.
    """
    files = {part: normalise.to_float32(models.read(path)) for part, path in paths.items()}
    has_correlation = set(files) != {"backbone"}
    try:
        files = {part: quantised.to_qdq(model) for part, model in files.items()}
        exemplar, search = _normalised(*parts.join(network, files))
        if has_correlation:
            exemplar, search = _hoist(exemplar, search)
        exemplar, search = (_without_if(models.infer_shapes(m)) for m in (exemplar, search))
        search = maps.order(network, search)
        for model, image in ((exemplar, IMAGES[0]), (search, IMAGES[1])):
            if not any(image in models.names_read(node) for node in model.graph.node):
                raise ValueError(f"no output depends on the picture of the {image}")
    except _MISFITS as error:
        raise BadNetwork(
            f"the ONNX files of {network.name} don't fit together: {models.first_line(error)}; "
            "run `python -m runtime.networks check "
            f"{network.path}`"
        ) from None
    features = tuple(value.name for value in exemplar.graph.output)
    outputs = tuple(value.name for value in search.graph.output)
    return Graphs(exemplar, search, features, IMAGES, outputs)


def _normalised(exemplar: ModelProto, search: ModelProto) -> Tuple[ModelProto, ModelProto]:
    """Normalise both models. The search model's features get the shapes that the exemplar gives."""
    exemplar = normalise.normalise(exemplar)
    features = {value.name for value in exemplar.graph.output}
    normalise.set_shapes(search, [v for v in models.values_of(exemplar) if v.name in features])
    return exemplar, normalise.normalise(search)


def _hoist(exemplar: ModelProto, search: ModelProto) -> Tuple[ModelProto, ModelProto]:
    """Move the nodes that depend on the exemplar alone from the search model to the exemplar's."""
    known = {v.name for v in exemplar.graph.output}
    constants = {tensor.name: tensor for tensor in search.graph.initializer}
    fixed = set(constants)
    moved, kept, carried = [], [], []
    for node in search.graph.node:
        names = models.names_read(node)
        if all(name in fixed for name in names):  # both models need the constant nodes
            fixed.update(node.output)
            carried.append(node)
            kept.append(node)
        elif all(name in known or name in fixed for name in names):
            known.update(node.output)
            moved.append(node)
        else:
            kept.append(node)
    needed = {name for node in kept for name in models.names_read(node)}
    needed.update(value.name for value in search.graph.output)
    given = [value.name for value in exemplar.graph.output]
    given += [name for node in moved for name in node.output]
    features = [name for name in given if name in known & needed]

    del search.graph.node[:]
    search.graph.node.extend(kept)
    exemplar.graph.node.extend(carried + moved)
    have = {tensor.name for tensor in exemplar.graph.initializer}
    exemplar.graph.initializer.extend(t for n, t in constants.items() if n not in have)
    del exemplar.graph.output[:]
    exemplar.graph.output.extend(helper.ValueInfoProto(name=name) for name in features)
    exemplar = models.infer_shapes(models.prune(exemplar))
    pictures = [value for value in search.graph.input if value.name == IMAGES[1]]
    del search.graph.input[:]
    search.graph.input.extend(pictures)
    search.graph.input.extend(exemplar.graph.output)
    return exemplar, models.prune(search)


def _without_if(model: ModelProto) -> ModelProto:
    whole = fold_if.fold(model)
    return model if whole is model else models.infer_shapes(models.prune(whole))
