"""Run a network with ncnn on the CPU, as ARM processors and phones do.

pnnx converts the network off the board (``boards.build.engines.ncnn``), so the board needs no onnx.
The bundle's entry ``run`` has the names of all tensors, in the converted models' order:

    {"models": {"exemplar": MODEL, "search": MODEL}, "features": [name], "maps": [name],
     "search_features": name or null}
    MODEL: {"param": file, "bin": file, "inputs": [[name, shape]], "outputs": [[name, shape]]}
"""

import importlib
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from kernels.commands import make
from runtime.engines.base import Setup
from runtime.engines.cpu import CpuEngine
from runtime.errors import BadNetwork

FILES = ("param", "bin")  # of a model
IMAGES = ("exemplar", "search")
LISTS = ("features", "maps")


class Model(NamedTuple):
    """One of the two models: paths of its files, and its tensors in the model's order."""

    paths: Dict[str, str]
    inputs: Sequence[Tuple[str, Sequence[int]]]
    outputs: Sequence[Tuple[str, Sequence[int]]]


class Graphs(NamedTuple):
    """The two models; the attributes are those of ``runtime.canonical.Graphs``.

    A converted model has one size of its inputs, so a call takes one window.
    """

    precision: str
    exemplar: Model
    search: Model
    features: Sequence[str]
    image: Tuple[str, str]
    maps: Sequence[str]
    search_features: Optional[str]
    several: Dict[int, Model] = {}


class Engine(CpuEngine):
    """See ``runtime.engines.base.Engine``."""

    name = "ncnn"
    runs_files = False
    libraries = ("ncnn",)
    install = "python3 -m pip install ncnn"

    def __init__(self, setup: Setup) -> None:
        self._library = importlib.import_module("ncnn")
        super().__init__(setup)

    @classmethod
    def check_bundle(cls, run: Dict[str, Any], settings: Dict[str, Any]) -> List[str]:
        if not isinstance(run.get("models"), dict) or set(run["models"]) != set(IMAGES):
            raise ValueError("run.models does not have the models exemplar and search")
        named: List[str] = []
        for name, model in run["models"].items():
            if not isinstance(model, dict):
                raise ValueError(f"run.models.{name} is no table")
            for key in ("inputs", "outputs"):
                if not _are_shapes(model.get(key)):
                    raise ValueError(f"run.models.{name}.{key} is no list of names and shapes")
            named += [model.get(key, "") for key in FILES]
        for key in LISTS:
            if not isinstance(run.get(key), list):
                raise ValueError(f"run.{key} is no list of names")
        search = run["models"]["search"]
        given = {key: {name for name, _ in search[key]} for key in ("inputs", "outputs")}
        features = {name for name, _ in run["models"]["exemplar"]["outputs"]}
        complete = set(run["maps"]) <= given["outputs"] and set(run["features"]) <= features
        if not complete or IMAGES[1] not in given["inputs"]:
            raise ValueError("run.models lacks a tensor that run names")
        return named

    def read_graphs(self, setup: Setup) -> Graphs:
        bundle = self.bundle_of(setup)
        run = bundle.run
        models = []
        for name in IMAGES:
            entry = run["models"][name]
            paths = {key: str(bundle.path(entry[key])) for key in FILES}
            models.append(Model(paths, entry["inputs"], entry["outputs"]))
        return Graphs(
            precision=bundle.precision,
            exemplar=models[0],
            search=models[1],
            features=run["features"],
            image=IMAGES,
            maps=run["maps"],
            search_features=run.get("search_features"),
        )

    def bind(self, model: Any, threads: int) -> Any:
        return _Bound(self._library, self.network.name, model, threads, self._graphs.precision)


def _are_shapes(entries: Any) -> bool:
    return isinstance(entries, list) and all(
        isinstance(entry, list)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and isinstance(entry[1], list)
        and all(isinstance(side, int) and side > 0 for side in entry[1])
        for entry in entries
    )


class _Bound:
    """A loaded model whose inputs and outputs are fixed arrays; ncnn numbers them in0, out0."""

    def __init__(
        self, library: Any, network_name: str, model: Model, threads: int, precision: str
    ) -> None:
        import numpy as np

        self._net = library.Net()
        _set_options(self._net.opt, threads, precision)
        paths = model.paths
        if self._net.load_param(paths["param"]) or self._net.load_model(paths["bin"]):
            raise BadNetwork(
                "ncnn {} can't load {} of {}; build the bundle again with `{}`".format(
                    library.__version__, paths["param"], network_name, make("engine")
                )
            )
        self.arrays: Dict[str, Any] = {}
        self._inputs, self._outputs = [], []
        kernels = _kernels(paths["param"])
        for number, (name, shape) in enumerate(model.inputs):
            array = self.arrays[name] = np.zeros(shape, np.float32)
            blob = f"in{number}"
            whole = blob in kernels or shape[0] > 1  # ncnn's pictures have no first axis of 1
            self._inputs.append((blob, library.Mat(array if whole else array[0])))
        for number, (name, shape) in enumerate(model.outputs):
            array = self.arrays[name] = np.zeros(shape, np.float32)
            self._outputs.append((f"out{number}", array))

    def run(self) -> None:
        """Run the model on its arrays."""
        extractor = self._net.create_extractor()
        for name, mat in self._inputs:
            extractor.input(name, mat)
        for name, array in self._outputs:
            array[...] = extractor.extract(name)[1].numpy().reshape(array.shape)


def _kernels(param: str) -> Set[str]:
    """Blobs that a convolution takes as its kernel: (outputs, inputs, height, width)."""
    with open(param) as file:
        lines = [line.split() for line in file.read().splitlines()[2:]]
    return {
        words[5]
        for words in lines
        if len(words) > 5 and words[0].startswith("Convolution") and words[2] == "2"
    }


def _set_options(options: Any, threads: int, precision: str) -> None:
    """Compute in the bundle's numbers: ncnn takes fp16 or bf16 by itself where it is faster."""
    half = precision == "fp16"
    options.num_threads = threads
    options.use_vulkan_compute = False
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = half
    options.use_bf16_storage = options.use_bf16_packed = False
    options.use_int8_inference = precision == "int8"
