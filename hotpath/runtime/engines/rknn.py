"""Run a network on the NPU of a Rockchip RK3588, by rknn-toolkit-lite2.

It takes pictures whose last axis is the channels (NHWC). Before version 2.3 it takes nothing else,
and newer ones transpose each frame and print a warning. Rockchip's toolkit converts the network off
the board (``hotpath.deploy.bundles.engines.rknn``).
This never ran on hardware. Tests compare the calls with the published package, and the numbers with
the toolkit's simulator.
"""

import importlib
from typing import Any, Dict, Optional

from hotpath.base.messages import make_command
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.engines.shared.converted_engine import ConvertedEngine, ConvertedModel
from hotpath.runtime.errors import BadNetwork, NetworkFailed, NoEngine


class RknnEngine(ConvertedEngine):
    """Runs a bundle of RKNN models on the NPU."""

    name = "rknn"
    title = "Rockchip NPU"
    files = ("model",)
    processor = "RK3588 NPU"
    precisions = ("fp16", "int8")
    libraries = ("rknnlite",)
    install = "python3 -m pip install rknn-toolkit-lite2"

    def __init__(self, setup: Setup) -> None:
        self._library = importlib.import_module("rknnlite.api").RKNNLite
        super().__init__(setup)

    def bind(self, model: Any, threads: int) -> Any:
        return _RknnModel(self._library, self.network.name, model)

    @property
    def version(self) -> Optional[str]:
        """Return the version of the toolkit that converted the network.

        rknn-toolkit-lite2 does not state its own version.
        """
        version: Optional[str] = self.bundle.libraries.get(self.name)
        return version

    def close(self) -> None:
        for bound in (self._exemplar, self._bound):
            if bound is not None:
                bound.release()
        super().close()


ENGINE = RknnEngine


class _RknnModel:
    """A loaded model. Its inputs and outputs are copied from and to fixed arrays."""

    def __init__(self, library: Any, network_name: str, model: ConvertedModel) -> None:
        import numpy as np

        self._name = network_name
        self._npu = library(verbose=False)
        if self._npu.load_rknn(model.paths["model"]) != 0:
            raise BadNetwork(
                "rknn-toolkit-lite2 can't load {} of {}; build the bundle again with `{}`".format(
                    model.paths["model"], network_name, make_command("engine")
                ),
                what="not loaded",
            )
        # one core: the frame's chain of small layers does not gain from more
        if self._npu.init_runtime(core_mask=library.NPU_CORE_0) != 0:
            raise NoEngine(
                "the NPU can't be opened; this must be an RK3588 with Rockchip's driver and a "
                "librknnrt.so as new as the bundle (its text is above)",
                what="no NPU",
            )
        self.arrays: Dict[str, Any] = {
            name: np.zeros(shape, np.float32)
            for name, shape in list(model.inputs) + list(model.outputs)
        }
        self._given = [self.arrays[name] for name, _ in model.inputs]
        self._inputs = [np.ascontiguousarray(channels_last(array)) for array in self._given]
        self._outputs = [self.arrays[name] for name, _ in model.outputs]

    def run(self) -> None:
        """Run the model on its arrays."""
        for array, values in zip(self._inputs, self._given):
            array[...] = channels_last(values)
        formats = ["nhwc"] * len(self._inputs)
        results = self._npu.inference(inputs=self._inputs, data_type="float32", data_format=formats)
        if results is None or len(results) != len(self._outputs):
            raise NetworkFailed(
                f"the NPU did not finish {self._name}; rknn-toolkit-lite2 said why above",
                what="no NPU",
            )
        for array, values in zip(self._outputs, results):
            array[...] = values.reshape(array.shape)

    def release(self) -> None:
        """Give the NPU back."""
        self._npu.release()


def channels_last(array: Any) -> Any:
    """A picture's view with the channels as its last axis; any other array as it is."""
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
