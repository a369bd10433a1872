"""Makes the two graphs that a tracker runs from a network's ONNX files.

One graph runs once on the exemplar, the other one each frame. All nodes that depend only on the
exemplar are in the first, so that a frame is one call and repeats nothing. The outputs of the
second have the order that the network's family takes.
"""

import math
import pathlib
from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple

from onnx import ModelProto, ValueInfoProto

from hotpath.graphs import convert, lifting, models, normalise, pair_of_parts
from hotpath.graphs.models import shape_of
from hotpath.graphs.pair_of_parts import IMAGES
from hotpath.runtime import decode
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import Network, shapes_text, without_ones

__all__ = ["AssembledGraphs", "IMAGES", "build", "shape_of"]


class AssembledGraphs(NamedTuple):
    """The two models of a network.

    Attributes:
        exemplar: ONNX model, input ``exemplar`` (1, 3, e, e), outputs ``features``.
        search: ONNX model, inputs ``search`` (1, 3, s, s) and ``features``, outputs ``maps``.
        features: names of the tensors that the exemplar gives to the frames.
        image: names of the two pictures, ("exemplar", "search").
        maps: names of the outputs, in the order of the family (``hotpath.runtime.decode.shapes``).
        search_features: name of the output that ``with_search_features`` added; None for none.
    """

    exemplar: ModelProto
    search: ModelProto
    features: Tuple[str, ...]
    image: Tuple[str, str]
    maps: Tuple[str, ...]
    search_features: Optional[str] = None

    @property
    def precision(self) -> str:
        """The numbers that the network's files have: "fp32" or "int8"."""
        return "int8" if any(map(convert.is_quantised, (self.exemplar, self.search))) else "fp32"


def build(network: Network, paths: Mapping[str, pathlib.Path]) -> AssembledGraphs:
    """Build both graphs of a network.

    Args:
        network: the ``Network``.
        paths: dict of part name -> path, as ``network.locate()`` gives it.

    Returns:
        ``AssembledGraphs``.

    Raises:
        BadNetwork: a file is no ONNX or can't be lifted, or its tensors don't fit the TOML.
    """
    files = lifting.enter(paths)
    try:
        exemplar, search = _normalised(*pair_of_parts.join(network, files))
        exemplar, search = _hoist(exemplar, search)
        exemplar, search = models.infer_shapes(exemplar), models.infer_shapes(search)
        search = order_maps(network, search)
        for model, image in ((exemplar, IMAGES[0]), (search, IMAGES[1])):
            if not any(image in models.names_read(node) for node in model.graph.node):
                raise ValueError(f"no output depends on the picture of the {image}")
    except BadNetwork:
        raise
    except Exception as error:  # onnx's classes differ by version
        raise BadNetwork(
            f"the ONNX files of {network.name} don't fit together: {models.first_line(error)}; "
            f"run `hotpath networks check {network.path}`",
            what="parts do not fit",
        ) from None
    features = tuple(value.name for value in exemplar.graph.output)
    outputs = tuple(value.name for value in search.graph.output)
    return AssembledGraphs(exemplar, search, features, IMAGES, outputs)


def _normalised(exemplar: ModelProto, search: ModelProto) -> Tuple[ModelProto, ModelProto]:
    """Normalise both models. The search model's features get the shapes that the exemplar gives."""
    exemplar = normalise.normalise(exemplar)
    models.set_shapes(search, models.all_shapes(exemplar))
    return exemplar, normalise.normalise(search)


def _hoist(exemplar: ModelProto, search: ModelProto) -> Tuple[ModelProto, ModelProto]:
    """Move nodes that depend only on the exemplar from the search model to the exemplar's."""
    names_known = {v.name for v in exemplar.graph.output}
    constants = {tensor.name: tensor for tensor in search.graph.initializer}
    fixed = set(constants)
    moved, kept, carried = [], [], []
    for node in search.graph.node:
        names = models.names_read(node)
        if all(name in fixed for name in names):  # both models need the constant nodes
            fixed.update(node.output)
            carried.append(node)
            kept.append(node)
        elif all(name in names_known or name in fixed for name in names):
            names_known.update(node.output)
            moved.append(node)
        else:
            kept.append(node)
    needed = {name for node in kept for name in models.names_read(node)}
    needed.update(value.name for value in search.graph.output)
    produced = [value.name for value in exemplar.graph.output]
    produced += [name for node in moved for name in node.output]
    features = [name for name in produced if name in names_known & needed]

    models.replace(search.graph.node, kept)
    exemplar.graph.node.extend(carried + moved)
    have = {tensor.name for tensor in exemplar.graph.initializer}
    exemplar.graph.initializer.extend(t for n, t in constants.items() if n not in have)
    models.replace(exemplar.graph.output, [ValueInfoProto(name=name) for name in features])
    exemplar = models.infer_shapes(models.prune(exemplar))
    pictures = [value for value in search.graph.input if value.name == IMAGES[1]]
    models.replace(search.graph.input, pictures + list(exemplar.graph.output))
    return exemplar, models.prune(search)


def order_maps(network: Network, search: ModelProto) -> ModelProto:
    """Keep the outputs that the family takes, in its order; in place. Returns the model.

    Raises:
        BadNetwork: the outputs are not those that the TOML describes.
    """
    expected = decode.shapes(network)
    there = list(search.graph.output)
    chosen = _find(network, there, network.maps) if network.maps else _by_shape(expected, there)
    shapes = [models.shape_of(value) for value in chosen]
    if [without_ones(shape) for shape in shapes] != [without_ones(shape) for shape in expected]:
        raise BadNetwork(
            f"{network.path} says maps of {shapes_text(expected)}, but its ONNX gives "
            f"{shapes_text([models.shape_of(value) for value in there])} for a {network.search} px "
            "search region; correct the TOML or the file",
            what="other maps",
        )
    models.replace(search.graph.output, chosen)
    return models.prune(search)


def _base_name(name: str) -> str:
    """The name of an output in its file; in the search graph it has a prefix."""
    return name.split("/", 1)[-1]


def _find(
    network: Network, there: List[ValueInfoProto], names: Sequence[str]
) -> List[ValueInfoProto]:
    """The outputs with these names in their file."""
    named = {_base_name(value.name): value for value in there}
    for name in names:
        if name not in named:
            raise BadNetwork(
                f"{network.path}: [head] maps names {name!r}, but the ONNX gives "
                f"{', '.join(sorted(named))}; correct the name",
                what="unknown output",
            )
    return [named[name] for name in names]


def _by_shape(
    expected: Sequence[models.Shape], there: List[ValueInfoProto]
) -> List[ValueInfoProto]:
    """For each wanted shape the first output that has it; all outputs where one is missing."""
    left = list(there)
    chosen = []
    for shape in expected:
        fits = (v for v in left if without_ones(models.shape_of(v)) == without_ones(shape))
        value = next(fits, None)
        if value is None:
            return there
        left.remove(value)
        chosen.append(value)
    return chosen


def with_search_features(network: Network, graphs: AssembledGraphs) -> AssembledGraphs:
    """Add the search region's features as an output of the search graph, if it has them.

    In networks with pixel-wise correlation (NanoTrack, LightTrack, Kestrel) the exemplar's
    features are multiplied with those of the search region. The latter describe what each cell
    shows, at no cost. The learner reads them.

    Args:
        network: uses ``correlation``, and ``stride`` if its family has it.
        graphs: its ``AssembledGraphs``; not changed.

    Returns:
        ``AssembledGraphs``. The output ``search_features`` is (1, channels, cells); the cells are a
        square in row-major order.
    """
    if network.correlation not in ("pixelwise", "both") or not hasattr(network, "stride"):
        return graphs
    shapes = models.shapes(graphs.search.graph)
    for node in graphs.search.graph.node:
        if node.op_type != "MatMul" or node.input[0] not in graphs.features:
            continue
        name = node.input[1]
        shape = shapes.get(name, ())
        if len(shape) == 3 and shape[0] == 1 and math.sqrt(shape[2]) % 1 == 0:
            search = models.copy(graphs.search)
            search.graph.output.append(ValueInfoProto(name=name))
            return graphs._replace(search=models.infer_shapes(search), search_features=name)
    return graphs
