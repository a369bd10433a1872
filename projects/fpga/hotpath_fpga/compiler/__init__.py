"""Compiles a network's graphs and ranges into programs of the engine. Runs off the board.

``Compiler`` reads the graphs (``graph``), gives every map an address (``layout``), quantises
(``quantise``), packs weights into tiles (``tiles``), orders the work (``schedule``) and writes the
commands (``program``). It loads no files; ``hotpath_fpga.bundle`` does.
"""

from typing import Any, Dict, List, NamedTuple, Tuple

from hotpath.kernels.fpga import tables
from hotpath_fpga.compiler import quantise, timing
from hotpath_fpga.compiler.features import Store
from hotpath_fpga.compiler.graph import CompiledGraph
from hotpath_fpga.compiler.layers import CannotCompile, Map, StoredFeatures, TensorView
from hotpath_fpga.compiler.layout import LANES, MapBuffer, lay_out
from hotpath_fpga.compiler.program import ProgramWriter
from hotpath_fpga.compiler.schedule import Scheduler, TiledLayer
from hotpath_fpga.compiler.tasks import Data

WORD = 16

Reference = Tuple[str, CompiledGraph, List[TiledLayer]]


class Compiled(NamedTuple):
    """A network for the engine.

    Attributes:
        image: bytes of region 0.
        run: dict that the driver needs, fit for JSON.
        reference: list of (part's name, ``CompiledGraph``, list of ``TiledLayer``), for tests.
    """

    image: bytes
    run: Dict[str, Any]
    reference: List[Reference]


class Compiler:
    """One compilation of a network for one size of the engine.

    Args:
        network: an object with ``name``, ``mean``, ``scale``, ``channels`` and, optionally,
            ``score``, as ``hotpath.runtime.networks.Network`` has them.
        models: dict of "exemplar" and "search" -> ONNX model.
        ranges: dict of "exemplar" and "search" -> dict of tensor -> (low, high).
        size_name: a section of ``sizes.toml``.
        size: that section.
    """

    def __init__(
        self,
        network: Any,
        models: Dict[str, Any],
        ranges: Dict[str, quantise.Ranges],
        size_name: str,
        size: tables.Size,
    ) -> None:
        self.network, self.models, self.ranges = network, models, ranges
        self.size_name, self.size = size_name, size
        self.data = Data()
        self.work_bytes = 0
        self.reference: List[Reference] = []

    def run(self) -> Compiled:
        """Compile both parts.

        Raises:
            CannotCompile: the engine can't run the network; the sentence names the node.
        """
        search = CompiledGraph(self.models["search"], self._features())
        self.stores = self._stores(search)
        programs: Dict[str, Tuple[bytes, Dict[str, Any]]] = {}
        description: Dict[str, Any] = {"maps": [], "seen": None}
        for name, part in (("exemplar", self.exemplar), ("search", search)):
            programs[name] = self._part(name, part, description)
        image = bytearray(self.data.content)
        for code, entry in programs.values():
            image += bytes(-len(image) % tables.COMMAND_BYTES)
            entry["offset"] = len(image)
            image += code
        image += bytes(-len(image) % tables.COMMAND_BYTES)
        run = {
            "size": self.size_name,
            "network": self.network.name,
            "work_bytes": self.work_bytes,
            "programs": {name: entry for name, (_, entry) in programs.items()},
        }
        run.update(description)
        return Compiled(bytes(image), run, self.reference)

    def _features(self) -> Dict[str, TensorView]:
        """Read the exemplar's part; views of its results as the search's inputs."""
        self.exemplar = CompiledGraph(self.models["exemplar"], {})
        views = {}
        for name, view, function in self.exemplar.outputs:
            if len(view.maps) != 1 or function is not None:
                raise CannotCompile(
                    f"the exemplar leaves {name}, which is more than the map of one layer"
                )
            views[name] = TensorView(view.layout, [StoredFeatures(view.maps[0])])
        return views

    def _stores(self, search: CompiledGraph) -> Dict[Map, Store]:
        """How the exemplar's features are kept, a ``Store`` for each map of them."""
        stores = {}
        for layer in search.layers:
            if layer.features is not None:
                source = layer.features.source
                if source not in stores:
                    stores[source] = Store(source, self.work_bytes)
                    self.work_bytes += stores[source].bytes
        return stores

    def _part(
        self, name: str, part: CompiledGraph, description: Dict[str, Any]
    ) -> Tuple[bytes, Dict[str, Any]]:
        lay_out(part, self.size["lanes"])
        if name == "exemplar":
            for store in self.stores.values():
                store.check()
        ends = self._ends(part) if name == "search" else {}
        quantiser = quantise.Quantiser(part, self.ranges[name], self.network, ends)
        works = []
        for layer in part.layers:
            if layer.features is not None:
                layer.features.exponent = layer.features.source.exponent
            works.append(TiledLayer(layer, quantiser.layer(layer), self.data))
            if layer.features is not None:
                self.stores[layer.features.source].give(works[-1])
        self.reference.append((name, part, works))
        keeps = self._keeps(part, description) if name == "search" else []

        def finish(writer: ProgramWriter) -> None:
            if name == "exemplar":
                for store in self.stores.values():
                    store.tasks(writer)
            task_of = {
                buffer_written: n
                for n, task in enumerate(writer.tasks)
                for buffer_written, _, _ in task.writes
            }
            for buffer, block, offset in sorted(keeps, key=lambda keep: task_of[keep[0]]):
                writer.store("out", buffer, block, 0, buffer.height, offset)

        scheduler = Scheduler(part, works, self.size, self.data, self.network)
        program, commands, cycles, words = scheduler.best(finish)
        entry = {
            "side": part.picture.width,
            "commands": len(commands),
            "cycles": int(cycles),
            "steps": sum(timing.steps(f, self.size) for name, f, _ in commands if name == "CONV"),
            "macs": sum(work.macs() for work in works),
            "map_words": words,
        }
        return program, entry

    def _ends(self, part: CompiledGraph) -> Dict[Map, float]:
        """Return a dict of maps that only the processor reads -> share of the range to cut off."""
        read = {source for layer in part.layers for source in layer.inputs}
        ends = {}
        for number, (_, view, function) in enumerate(part.outputs):
            sigmoid = number == 0 and getattr(self.network, "score", None) == "sigmoid"
            for source in view.maps:
                if source not in read:
                    ends[source] = quantise.CUT if function or sigmoid else 0.0
        return ends

    def _keeps(
        self, part: CompiledGraph, description: Dict[str, Any]
    ) -> List[Tuple[MapBuffer, int, int]]:
        """What the search leaves in region 1: list of (``MapBuffer``, block, offset)."""
        keeps: List[Tuple[MapBuffer, int, int]] = []
        offsets: Dict[Tuple[MapBuffer, int, int], int] = {}

        def keep(feature: Map) -> Dict[str, Any]:
            blocks = -(-feature.channels // LANES)
            key = feature.buffer, feature.block, blocks
            if key not in offsets:
                offsets[key] = self.work_bytes
                for block in range(feature.block, feature.block + blocks):
                    keeps.append((feature.buffer, block, self.work_bytes))
                    self.work_bytes += feature.height * feature.width * WORD
            kept = "name", "channels", "height", "width", "exponent", "centre"
            return dict({field: getattr(feature, field) for field in kept}, offset=offsets[key])

        for name, view, function in part.outputs:
            if len(view.maps) != 1:
                raise CannotCompile(f"the output {name} joins several maps")
            entry = keep(view.maps[0])
            entry["name"] = name
            entry["values"] = [float(v) for v in quantise.values(view.maps[0], function)]
            description["maps"].append(entry)
        for layer in part.layers:
            if layer.kind == "pixelwise" and len(layer.inputs) == 1:
                description["seen"] = keep(layer.inputs[0])
                break
        return keeps
