"""Report all that the engine refuses of a network, before a table of ranges exists.

The compiler stops at the first node that it refuses. A survey goes on behind it. Where no node is
refused, the compiler runs with invented ranges: cycles and memory do not depend on them.
"""

from typing import Any, Dict, List, NamedTuple, Tuple

import hotpath_fpga as design
from hotpath_fpga.compiler import Compiler
from hotpath_fpga.compiler.graph import CompiledGraph, Output
from hotpath_fpga.compiler.layers import CannotCompile, Map, StoredFeatures, TensorView

LAYOUTS = {3: "turned", 4: "map"}  # of a tensor with so many dimensions


class Survey(NamedTuple):
    """What was found.

    Attributes:
        refused: list of (operator, or "" for the network as a whole; sentence).
        cycles: of a frame, without those in which the camera's frame is read; 0 if it is refused.
    """

    refused: List[Tuple[str, str]]
    cycles: int


def survey(network: Any, models: Dict[str, Any], board: str) -> Survey:
    """Read both graphs to their ends.

    Args:
        network: as ``Compiler`` takes it.
        models: dict of "exemplar" and "search", of ``prepare.graphs.quantisable.parts``.
        board: with a section in ``sizes.toml``.
    """
    exemplar = _Read(models["exemplar"], {})
    views = {name: view for name, view, _ in exemplar.outputs}
    search = _Read(models["search"], _features(models["search"].graph, views))
    refused = list(search.refused)
    names = {_base(name) for name, _, _ in refused}
    refused += [refusal for refusal in exemplar.refused if _base(refusal[0]) not in names]
    if refused:
        return Survey([(operator, sentence) for _, operator, sentence in refused], 0)
    ranges: Dict[str, Any] = {part: _AnyRanges() for part in models}
    try:
        program = Compiler(network, models, ranges, board, design.sizes()[board]).run()
    except CannotCompile as error:
        return Survey([("", str(error))], 0)
    return Survey([], program.run["programs"]["search"]["cycles"])


class _Read(CompiledGraph):
    """A graph that is read to its end.

    Attributes:
        refused: list of (name of a node, operator, sentence).
    """

    def __init__(self, model: Any, features: Dict[str, TensorView]) -> None:
        self.refused: List[Tuple[str, str, str]] = []
        graph = model.graph
        self._shapes = {
            value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in [*graph.input, *graph.value_info, *graph.output]
        }
        self._unknown = {value.name for value in graph.input} - set(self._shapes)
        super().__init__(model, features)

    def _read(self, node: Any) -> None:
        if not self._unknown.intersection(node.input):
            try:
                super()._read(node)
                return
            except CannotCompile as error:
                self.refused.append((node.name, node.op_type, str(error)))
        for name in node.output:
            shape = self._shapes.get(name, [])
            if len(shape) == 4:
                self._views[name] = TensorView("map", [Map(name, *shape[1:])])
            else:  # what reads it is not judged
                self._unknown.add(name)

    def _output(self, output: str) -> Output:
        try:
            return super()._output(output)
        except CannotCompile:  # it was said of a node before
            return output, TensorView("map", []), None


def _features(graph: Any, views: Dict[str, TensorView]) -> Dict[str, TensorView]:
    """Views of the exemplar's features, as the search's inputs."""
    features = {}
    for value in graph.input:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if len(shape) == 4 and shape[1] == 3:
            continue
        view = views.get(value.name)
        if view is not None and len(view.maps) == 1:
            features[value.name] = TensorView(view.layout, [StoredFeatures(view.maps[0])])
        elif len(shape) in LAYOUTS:
            sides = shape[1:] if len(shape) == 4 else [shape[2], shape[1], 1]
            features[value.name] = TensorView(
                LAYOUTS[len(shape)], [StoredFeatures(Map(value.name, *sides))]
            )
    return features


class _AnyRanges(Dict[str, Tuple[float, float]]):
    """A range for every tensor. Cycles do not depend on them."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Tuple[float, float]:
        return -1.0, 1.0


def _base(name: str) -> str:
    """A node's name without the prefix of its part."""
    return name[2:] if name[:2] in ("z/", "x/") else name
