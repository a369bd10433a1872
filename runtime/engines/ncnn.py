"""Run a network with ncnn on the CPU, as ARM processors and phones do.

It runs bundles only: pnnx converts the network off the board (``boards.build.engines.ncnn``). The
bundle's entry ``run`` has the names of all tensors, so that the board needs no onnx:

    {"models": {"exemplar": MODEL, "search": MODEL}, "features": [name], "maps": [name],
     "search_features": name or null}
    MODEL: {"param", "bin": file names, "inputs": [[name, shape]], "outputs": [[name, shape]]}

ncnn calls the inputs in0, in1 and the outputs out0, out1, in this order.
"""

import importlib
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from runtime.engines.base import Batch, Lane, Setup
from runtime.engines.cpu import CpuEngine
from runtime.errors import BadNetwork

IMAGES = ("exemplar", "search")
LISTS = ("features", "maps")


class Model(NamedTuple):
    """One of the two models: paths of its files, and its tensors in ncnn's order."""

    param: str
    bin: str
    inputs: Sequence[Tuple[str, Sequence[int]]]
    outputs: Sequence[Tuple[str, Sequence[int]]]


class Graphs(NamedTuple):
    """The two models; the attributes are those of ``runtime.graphs.assemble.Graphs``."""

    exemplar: Model
    search: Model
    features: Sequence[str]
    image: Tuple[str, str]
    maps: Sequence[str]


class Engine(CpuEngine):
    """See ``runtime.engines.base.Engine``."""

    name = "ncnn"
    runs_files = False
    libraries = ("ncnn",)
    install = "pip install ncnn"

    def __init__(self, setup: Setup) -> None:
        self._library: Any = importlib.import_module("ncnn")
        self._precision = self.bundle_of(setup).precision
        super().__init__(setup)

    @classmethod
    def check_bundle(cls, run: Dict[str, Any], settings: Dict[str, Any]) -> List[str]:
        """See ``runtime.engines.base.Engine``."""
        if not isinstance(run.get("models"), dict) or set(run["models"]) != set(IMAGES):
            raise ValueError("run.models does not have the models exemplar and search")
        named: List[str] = []
        for name, model in run["models"].items():
            if not isinstance(model, dict):
                raise ValueError("run.models.{} is no table".format(name))
            for key in ("inputs", "outputs"):
                if not _are_shapes(model.get(key)):
                    raise ValueError(
                        "run.models.{}.{} is no list of names and shapes".format(name, key)
                    )
            named += [model.get("param", ""), model.get("bin", "")]
        for key in LISTS:
            if not isinstance(run.get(key), list):
                raise ValueError("run.{} is no list of names".format(key))
        search = run["models"]["search"]
        given = {key: {name for name, _ in search[key]} for key in ("inputs", "outputs")}
        features = {name for name, _ in run["models"]["exemplar"]["outputs"]}
        complete = set(run["maps"]) <= given["outputs"] and set(run["features"]) <= features
        if not complete or IMAGES[1] not in given["inputs"]:
            raise ValueError("run.models lacks a tensor that run names")
        return named

    def read_graphs(self, setup: Setup) -> Tuple[Any, Optional[str]]:
        """See ``CpuEngine.read_graphs``."""
        bundle = self.bundle_of(setup)
        models = [
            Model(
                str(bundle.path(entry["param"])),
                str(bundle.path(entry["bin"])),
                entry["inputs"],
                entry["outputs"],
            )
            for entry in (bundle.run["models"][name] for name in IMAGES)
        ]
        graphs = Graphs(models[0], models[1], bundle.run["features"], IMAGES, bundle.run["maps"])
        return graphs, bundle.run.get("search_features")

    def bind(self, model: Any, threads: int) -> Any:
        """See ``CpuEngine.bind``."""
        return _Bound(self._library, self.network.name, model, threads, self._precision)

    @property
    def precision(self) -> str:
        """That of the bundle."""
        return self._precision

    def batch(self, count: int) -> Optional[Batch]:
        """None: a model has one size of its inputs."""
        return None

    def lanes(self, count: int) -> Sequence[Lane]:
        """None: ncnn holds the interpreter's lock during a call, so threads gain nothing."""
        return ()

    def describe(self) -> Dict[str, Any]:
        """What runs where: engine, library version, device, precision, threads."""
        return {
            "engine": self.name,
            "version": self._library.__version__,
            "device": "CPU",
            "precision": self.precision,
            "threads": self.threads,
        }


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
    """A loaded model whose inputs and outputs are fixed arrays."""

    def __init__(
        self, library: Any, network_name: str, model: Model, threads: int, precision: str
    ) -> None:
        import numpy as np

        self._library = library
        self._net = library.Net()
        _set_options(self._net.opt, threads, precision)
        if self._net.load_param(model.param) or self._net.load_model(model.bin):
            raise BadNetwork(
                "ncnn {} can't load {} of {}; build the bundle again with `make engine`".format(
                    library.__version__, model.param, network_name
                )
            )
        self.arrays: Dict[str, Any] = {}
        self._inputs, self._outputs = [], []
        for number, (name, shape) in enumerate(model.inputs):
            array = self.arrays[name] = np.zeros(shape, np.float32)
            self._inputs.append(("in{}".format(number), library.Mat(array[0])))
        for number, (name, shape) in enumerate(model.outputs):
            array = self.arrays[name] = np.zeros(shape, np.float32)
            self._outputs.append(("out{}".format(number), array[0]))

    def run(self) -> None:
        """Run the model on its arrays."""
        extractor = self._net.create_extractor()
        for name, mat in self._inputs:
            extractor.input(name, mat)
        for name, array in self._outputs:
            array[...] = extractor.extract(name)[1].numpy()


def _set_options(options: Any, threads: int, precision: str) -> None:
    """Compute in the bundle's numbers: ncnn takes fp16 or bf16 by itself where it is faster."""
    half = precision == "fp16"
    options.num_threads = threads
    options.use_vulkan_compute = False
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = half
    options.use_bf16_storage = options.use_bf16_packed = False
    options.use_int8_inference = precision == "int8"
