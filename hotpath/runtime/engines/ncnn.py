"""Run a network with ncnn on the CPU of an ARM board or a phone.

pnnx converts the network off the board (``hotpath.deploy.bundles.engines.ncnn``).
"""

import importlib
from types import ModuleType
from typing import Any, Dict, Set

from hotpath.base.messages import make_command
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.shared.converted_engine import ConvertedEngine, ConvertedModel
from hotpath.runtime.errors import BadNetwork


class NcnnEngine(ConvertedEngine):
    """Runs a bundle of ncnn models on the processor."""

    name = "ncnn"
    files = ("param", "bin")
    precisions = ("fp32", "fp16")
    libraries = ("ncnn",)
    install = "python3 -m pip install ncnn"

    def __init__(self, setup: Setup) -> None:
        self._library = importlib.import_module("ncnn")
        super().__init__(setup)

    def bind(self, model: Any, threads: int) -> Any:
        return _NcnnModel(self._library, self.network.name, model, threads, self._graphs.precision)


ENGINE = NcnnEngine


class _NcnnModel:
    """A loaded model with fixed arrays as inputs and outputs. ncnn names them in0, out0."""

    def __init__(
        self,
        library: ModuleType,
        network_name: str,
        model: ConvertedModel,
        threads: int,
        precision: str,
    ) -> None:
        import numpy as np

        self._net = library.Net()
        _set_options(self._net.opt, threads, precision)
        paths = model.paths
        if self._net.load_param(paths["param"]) or self._net.load_model(paths["bin"]):
            raise BadNetwork(
                "ncnn {} can't load {} of {}; build the bundle again with `{}`".format(
                    library.__version__, paths["param"], network_name, make_command("engine")
                )
            )
        self.arrays: Dict[str, Any] = {}
        self._inputs, self._outputs = [], []
        of_kernels = kernels(paths["param"])
        for number, (name, shape) in enumerate(model.inputs):
            array = self.arrays[name] = np.zeros(shape, np.float32)
            blob = f"in{number}"
            whole = blob in of_kernels or shape[0] > 1  # ncnn's pictures have no first axis of 1
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


def kernels(param: str) -> Set[str]:
    """Find blobs that a convolution takes as its kernel: (outputs, inputs, height, width)."""
    with open(param) as file:
        lines = [line.split() for line in file.read().splitlines()[2:]]
    return {
        words[5]
        for words in lines
        if len(words) > 5 and words[0].startswith("Convolution") and words[2] == "2"
    }


def _set_options(options: Any, threads: int, precision: str) -> None:
    """Set the bundle's precision, because ncnn else takes fp16 or bf16 if it is faster."""
    half = precision == "fp16"
    options.num_threads = threads
    options.use_vulkan_compute = False
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = half
    options.use_bf16_storage = False
    if hasattr(options, "use_bf16_packed"):  # newer than ncnn of May 2025
        options.use_bf16_packed = False
