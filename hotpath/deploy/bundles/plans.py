"""Run TensorRT's builder, which turns prepared ONNX models into plans on the board.

Needs only NumPy and TensorRT. Versions are told apart by ``hasattr``, not by their numbers. From
version 11 on there are no flags for FP16 and INT8: the model's own types say it.
"""

import os
import pathlib
import re
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Union

from hotpath.base import cache
from hotpath.boards.installed import at_least
from hotpath.deploy.bundles.build_progress import building
from hotpath.deploy.errors import BuildFailed
from hotpath.graphs import IN_FLOAT32, calibration_cache
from hotpath.kernels.cuda import driver
from hotpath.runtime.engines import tensorrt as adapter

OLDEST = (8, 2)  # that all of the below has
WORKSPACE_SHARE = 8  # tactics may use one part in eight of the memory
SMALL_GB = 4  # up to here plans do without the libraries below, which take .7 to 1 GB when loaded
LIBRARIES = ("CUBLAS", "CUBLAS_LT", "CUDNN")  # TensorRT 8 tries them by itself


# in the words of TensorRT 8 ("zeroPt must be all zeros") and 10
ZERO_POINT = re.compile("zero.?p(oin)?t", re.IGNORECASE)


class Request(NamedTuple):
    """How plans are built.

    Attributes:
        precision: "fp32", "fp16" or "int8".
        scales: dict of tensor -> 8 hexadecimal digits (see ``hotpath.deploy.bundles.int8_scales``),
            or None.
        quantised: whether the models themselves say what is INT8 (Q/DQ).
        memory_gb: memory of the board.
        half_tensors: whether plans take and give float16. TensorRT 11 reads that in the model.
        float_tensors: names of the tensors that an INT8 build computes in float16, since their
            layers stayed in floating point where INT8 was measured.
    """

    precision: str
    scales: Optional[Dict[str, str]] = None
    quantised: bool = False
    memory_gb: float = 4
    half_tensors: bool = False
    float_tensors: Sequence[str] = ()


class PlanBuilder:
    """TensorRT's builder on this board.

    Args:
        request: ``Request``.
        cache: folder for timing caches; it is made when it is missing.
        say: function of one sentence.

    Attributes:
        version: version of TensorRT.
        gpu: ``hotpath.kernels.cuda.driver.GpuFacts``.
        strong: whether the model's own types decide the precision (TensorRT 11).

    Raises:
        NoGpu: there is no driver, or it finds no GPU.
        NoEngine: TensorRT can't be imported.
        BuildFailed: it can't do what is asked for.
    """

    def __init__(self, request: Request, cache: str, say: Callable[[str], None]) -> None:
        self.gpu = driver.describe_gpu()  # first: without a driver TensorRT ends the process
        self.trt = adapter.load_library()
        self.version: str = self.trt.__version__
        self.request = request
        self._say = say
        self.strong = not hasattr(self.trt.BuilderFlag, "FP16")
        # 8.5 is the first to name its tensors, and to parse a Conv whose kernel is a tensor
        self.takes_tensor_kernels = hasattr(self.trt.ICudaEngine, "num_io_tensors")
        self._logger = adapter.make_logger(self.trt)
        try:
            self._builder = self.trt.Builder(self._logger)
        except TypeError:  # its text is about pybind11; the logger has the cause
            raise BuildFailed(
                f"TensorRT {self.version} can't use the GPU: {self._logger.last()}; run "
                "`python -m hotpath boards`, the driver may be too old for it",
                what="no GPU",
            ) from None
        self._calibrator: Any = None
        self._is_mixed = False  # whether layers are marked to stay in floating point
        name = f"timing-{self.version}-sm{self.gpu.compute_capability}.cache"
        self._cache = os.path.join(cache, name)
        self._check()

    def _check(self) -> None:
        request = self.request
        if not at_least(self.version, OLDEST):
            raise BuildFailed(
                f"TensorRT {self.version} can't build a bundle, which takes 8.2 or newer; flash "
                "JetPack 4.6.1 or newer",
                what="old TensorRT",
            )
        if request.precision == "int8" and self.strong and not request.quantised:
            raise BuildFailed(
                f"TensorRT {self.version} takes INT8 only from a Q/DQ network; run `hotpath "
                "int8 --network NAME` and build NAME-int8-symmetric.toml",
                what="precision",
            )

    def build(self, path: Union[str, pathlib.Path], what: str) -> bytes:
        """Build one plan.

        Args:
            path: path of the ONNX model.
            what: its name in the progress lines.

        Returns:
            The plan.

        Raises:
            BuildFailed: the parser or the builder refuses.
        """
        trt = self.trt
        explicit = getattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
        flags = 0 if explicit is None else 1 << int(explicit)
        network = self._builder.create_network(flags)
        parser = trt.OnnxParser(network, self._logger)
        with open(str(path), "rb") as file:
            model = file.read()
        if not parser.parse(model):
            reasons = [parser.get_error(i).desc() for i in range(parser.num_errors)]
            reason = (reasons or [self._logger.last()])[0]
            way_out = "try another export of it"
            if ZERO_POINT.search(reason):  # a Q/DQ network for processors
                way_out = "build the NAME-int8-symmetric.toml that `hotpath int8` writes"
            raise BuildFailed(f"TensorRT {self.version} can't read {what}: {reason}; {way_out}")
        if self.request.half_tensors and not self.strong:
            self._halve(network)
        self._is_mixed = not self.strong and self._keep_floats(network)
        config = self._configure()
        is_limited = self._leave_libraries_out(config)
        with building(what, self._say):
            plan = self._builder.build_serialized_network(network, config)
        if plan is None and is_limited:
            self._say(f"{what}: not without cuBLAS and cuDNN ({self._logger.last()}); once more")
            config = self._configure()
            with building(what, self._say):
                plan = self._builder.build_serialized_network(network, config)
        if plan is None:
            raise BuildFailed(
                f"TensorRT {self.version} can't build {what}: {self._logger.last()}; try "
                "PRECISION=fp32, and close other programs that use the memory",
                what="not built",
            )
        self._keep_timing(config)
        return bytes(plan)

    def _leave_libraries_out(self, config: Any) -> bool:
        """Let a board with little memory do without ``LIBRARIES``; returns whether it does."""
        if self.request.memory_gb > SMALL_GB:
            return False
        before = left = config.get_tactic_sources()
        for name in LIBRARIES:
            source = getattr(self.trt.TacticSource, name, None)
            left &= ~(0 if source is None else 1 << int(source))
        config.set_tactic_sources(left)
        return bool(left != before)

    def _halve(self, network: Any) -> None:
        """Make the inputs and outputs float16, in the order in which our kernels write them."""
        trt = self.trt
        tensors = [network.get_input(index) for index in range(network.num_inputs)]
        tensors += [network.get_output(index) for index in range(network.num_outputs)]
        for tensor in tensors:
            if tensor.dtype == trt.float32:
                tensor.dtype = trt.float16
                tensor.allowed_formats = 1 << int(trt.TensorFormat.LINEAR)

    def _keep_floats(self, network: Any) -> bool:
        """Fix the precision of layers that must not run in INT8; returns whether there are any.

        Marked layers compute in float32. Those of ``Request.float_tensors`` compute in float16.
        Their tensors keep their scales, by which a layer in INT8 reads them.
        """
        trt, count = self.trt, 0
        names = set(self.request.float_tensors)
        for layer in (network.get_layer(index) for index in range(network.num_layers)):
            outputs = [layer.get_output(index) for index in range(layer.num_outputs)]
            if IN_FLOAT32 in layer.name:
                kind = trt.float32
            elif outputs and outputs[0].name in names and outputs[0].dtype == trt.float32:
                kind = trt.float16
            else:
                continue
            layer.precision = kind
            layer.set_output_type(0, kind)
            count += 1
        return bool(count)

    def _configure(self) -> Any:
        trt, request = self.trt, self.request
        config = self._builder.create_builder_config()
        workspace = int(request.memory_gb * 1e9) // WORKSPACE_SHARE
        if hasattr(config, "set_memory_pool_limit"):
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
        else:  # before 8.4
            config.max_workspace_size = workspace
        if not self.strong:
            if request.precision != "fp32":  # layers without an INT8 form then run in FP16
                config.set_flag(trt.BuilderFlag.FP16)
                if self._is_mixed:
                    config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)
            if request.precision == "int8":
                config.set_flag(trt.BuilderFlag.INT8)
                if not request.quantised:
                    self._calibrator = self._calibrator or make_calibrator(trt, request.scales)
                    config.int8_calibrator = self._calibrator
        # start a new cache where the kept one can't be read
        cache = config.create_timing_cache(self._timing()) or config.create_timing_cache(b"")
        if cache is not None:
            config.set_timing_cache(cache, False)
        return config

    def _timing(self) -> bytes:
        try:
            with open(self._cache, "rb") as file:
                return file.read()
        except OSError:
            return b""

    def _keep_timing(self, config: Any) -> None:
        """Write the tactics' times for the next build, whole or not at all."""
        kept = config.get_timing_cache()
        if kept is None:
            return
        partial = f"{self._cache}.{os.getpid()}.part"
        try:
            os.makedirs(os.path.dirname(self._cache), exist_ok=True)
            with open(partial, "wb") as file:
                file.write(bytes(kept.serialize()))
            cache.replace(partial, self._cache)
        except OSError as error:
            self._say(f"the timing cache could not be written: {error}")


def make_calibrator(trt: Any, scales: Optional[Dict[str, str]]) -> Any:
    """Make a calibrator that never runs: it returns the scales that were found on a computer."""
    text = calibration_cache.text(scales or {}, trt.__version__)

    class Calibrator(trt.IInt8EntropyCalibrator2):
        def __init__(self) -> None:
            trt.IInt8EntropyCalibrator2.__init__(self)

        def get_batch_size(self) -> int:
            return 1

        def get_batch(self, names: Any) -> None:
            return None

        def read_calibration_cache(self) -> bytes:
            return text.encode()

        def write_calibration_cache(self, cache: Any) -> None:
            pass

    return Calibrator()
