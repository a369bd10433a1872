"""Base class of engines whose bundles have the two graphs in the engine's own format.

Such a network is converted off the board (``hotpath.deploy.bundles.engines.converted``), so the
board needs no onnx. The bundle's entry ``run`` has the form ``RUN``, with names and shapes of all
tensors in the converted models' order.
"""

from typing import TYPE_CHECKING, Dict, List, NamedTuple, Sequence, Tuple

from hotpath.base import json_forms
from hotpath.base.toml_keys import Key, Table
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.shared.cpu_engine import CpuEngine
from hotpath.runtime.networks.canonical import CanonicalModels

if TYPE_CHECKING:
    from hotpath.runtime.networks.bundle import Bundle

IMAGES = ("exemplar", "search")
NAME = Key(str)
TENSORS = [(NAME, [Key(int, low=1)])]
MODEL = {"inputs": TENSORS, "outputs": TENSORS}  # an engine adds its keys for names of files
RUN = {
    "models": dict.fromkeys(IMAGES, MODEL),
    "features": [NAME],
    "maps": [NAME],
    "search_features": Key(str, default=None),
}


class ConvertedModel(NamedTuple):
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
        json_forms.check_json(run, RUN, "run")
        exemplar, search = (run["models"][name] for name in IMAGES)
        inputs, outputs, features = (
            {name for name, _ in tensors}
            for tensors in (search["inputs"], search["outputs"], exemplar["outputs"])
        )
        complete = set(run["maps"]) <= outputs and set(run["features"]) <= features
        if not complete or IMAGES[1] not in inputs:
            raise ValueError("run.models lacks a tensor that run names")
        return [each.get(key, "") for each in (exemplar, search) for key in cls.files]

    def read_graphs(self, setup: Setup) -> CanonicalModels:
        bundle = self.bundle_of(setup)
        run = bundle.run
        models = []
        for name in IMAGES:
            entry = run["models"][name]
            paths = {key: str(bundle.path(entry[key])) for key in self.files}
            models.append(ConvertedModel(paths, entry["inputs"], entry["outputs"]))
        return CanonicalModels(
            precision=bundle.precision,
            exemplar=models[0],
            search=models[1],
            features=tuple(run["features"]),
            image=IMAGES,
            maps=tuple(run["maps"]),
            search_features=run.get("search_features"),
        )
