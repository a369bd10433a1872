"""The base of engines with bundles that have the two graphs in the engine's own format.

Such a network is converted off the board (``hotpath.deploy.bundles.engines.converted``), so the
board needs no onnx. The bundle's entry ``run`` has the names of all tensors, in the converted
models' order:

    {"models": {"exemplar": MODEL, "search": MODEL}, "features": [name], "maps": [name],
     "search_features": name or null}
    MODEL: {KEY: file name, "inputs": [[name, shape]], "outputs": [[name, shape]]}

KEY is each of the engine's ``files``.
"""

from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Sequence, Tuple

from hotpath.base.toml_keys import Table
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.shared.cpu import CpuEngine
from hotpath.runtime.networks.canonical import Graphs

if TYPE_CHECKING:
    from hotpath.runtime.networks.bundle import Bundle

IMAGES = ("exemplar", "search")
LISTS = ("features", "maps")


class Model(NamedTuple):
    """One of the two models: paths of its files, and its tensors in the model's order."""

    paths: Dict[str, str]
    inputs: Sequence[Tuple[str, Sequence[int]]]
    outputs: Sequence[Tuple[str, Sequence[int]]]


class ConvertedEngine(CpuEngine):
    """An engine of such bundles. A subclass defines ``bind``.

    Class attributes:
        files: the keys of a model's files.
    """

    runs_files = False
    bundle: "Bundle"
    files: Tuple[str, ...] = ()

    @classmethod
    def check_bundle(cls, run: Table, settings: Table) -> List[str]:
        if not isinstance(run.get("models"), dict) or set(run["models"]) != set(IMAGES):
            raise ValueError("run.models does not have the models exemplar and search")
        named: List[str] = []
        for name, model in run["models"].items():
            if not isinstance(model, dict):
                raise ValueError(f"run.models.{name} is not a table")
            for key in ("inputs", "outputs"):
                if not _are_shapes(model.get(key)):
                    raise ValueError(f"run.models.{name}.{key} is not a list of names and shapes")
            named += [model.get(key, "") for key in cls.files]
        for key in LISTS:
            names = run.get(key)
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError(f"run.{key} is not a list of names")
        search = run["models"]["search"]
        tensors = {key: {name for name, _ in search[key]} for key in ("inputs", "outputs")}
        features = {name for name, _ in run["models"]["exemplar"]["outputs"]}
        complete = set(run["maps"]) <= tensors["outputs"] and set(run["features"]) <= features
        if not complete or IMAGES[1] not in tensors["inputs"]:
            raise ValueError("run.models lacks a tensor that run names")
        return named

    def read_graphs(self, setup: Setup) -> Graphs:
        bundle = self.bundle_of(setup)
        run = bundle.run
        models = []
        for name in IMAGES:
            entry = run["models"][name]
            paths = {key: str(bundle.path(entry[key])) for key in self.files}
            models.append(Model(paths, entry["inputs"], entry["outputs"]))
        return Graphs(
            precision=bundle.precision,
            exemplar=models[0],
            search=models[1],
            several={},  # a converted model has one size of its inputs
            features=tuple(run["features"]),
            image=IMAGES,
            maps=tuple(run["maps"]),
            search_features=run.get("search_features"),
        )


def _are_shapes(entries: Any) -> bool:
    return isinstance(entries, list) and all(
        isinstance(entry, list)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and isinstance(entry[1], list)
        and all(isinstance(side, int) and side > 0 for side in entry[1])
        for entry in entries
    )
