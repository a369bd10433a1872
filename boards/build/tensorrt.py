"""Builds TensorRT's plans out of prepared ONNX parts, on the board that will run them.

Needs NumPy and TensorRT alone. What differs between versions is asked of the library by
``hasattr``: where FP16 and INT8 are no flags any more (11), the model's own types say it.
"""

import os
import re
import sys
import threading
import time

from boards.errors import BuildFailed
from kernels.cuda import driver
from runtime.engines import tensorrt as adapter

HEARTBEAT_S = 10
WORKSPACE_SHARE = 8  # of the memory, one part for tactics


class Request:
    """What plans are built from.

    Args:
        precision: "fp32", "fp16" or "int8".
        dla: number of the DLA core, or None.
        scales: dict of tensor -> 8 hexadecimal digits (see ``calib.cache``), or None.
        quantised: whether the models say themselves what is INT8 (Q/DQ).
        memory_gb: of the board.
    """

    def __init__(self, precision, dla=None, scales=None, quantised=False, memory_gb=4):
        self.precision, self.dla, self.scales = precision, dla, scales
        self.quantised, self.memory_gb = quantised, memory_gb


class Builder:
    """TensorRT's builder on this board.

    Args:
        request: ``Request``.
        cache: folder for timing caches, made when it is missing.
        say: function of one sentence.

    Attributes:
        version: of TensorRT.
        gpu: ``kernels.cuda.driver.Gpu``.
        strong: whether precision is the model's own (TensorRT 11).

    Raises:
        NoGpu, NoEngine: no driver, no TensorRT.
        BuildFailed: it can't do what is asked for.
    """

    def __init__(self, request, cache, say):
        self.gpu = driver.describe_gpu()  # first: without a driver TensorRT ends the process
        self.trt = adapter.load_library()
        self.version = self.trt.__version__
        self.request, self._say = request, say
        self.strong = not hasattr(self.trt.BuilderFlag, "FP16")
        # 8.5, which named its tensors, is the first whose parser takes a tensor as Conv's kernel
        self.takes_tensor_kernels = hasattr(self.trt.ICudaEngine, "num_io_tensors")
        self._logger = adapter.make_logger(self.trt)
        try:
            self._builder = self.trt.Builder(self._logger)
        except TypeError:  # its words are of pybind11's factory, the logger's of the cause
            raise BuildFailed(
                "TensorRT {} can't use the GPU: {}; run `python -m boards`, the driver may be too "
                "old for it".format(self.version, self._logger.last())
            ) from None
        self._calibrator = None
        name = "timing-{}-sm{}.cache".format(self.version, self.gpu.compute_capability)
        self._cache = os.path.join(cache, name)
        self._check()

    def _check(self):
        request = self.request
        if request.precision == "int8" and self.strong and not request.quantised:
            raise BuildFailed(
                "TensorRT {} takes INT8 as a Q/DQ network alone; run `python -m calib.int8 "
                "--network NAME` and build NAME-int8-symmetric.toml".format(self.version)
            )
        if request.dla is not None and request.dla >= self._builder.num_DLA_cores:
            raise BuildFailed(
                "DLA core {} is not there, TensorRT finds {}; leave --dla away".format(
                    request.dla, self._builder.num_DLA_cores
                )
            )

    def build(self, path, what):
        """One plan.

        Args:
            path: of the ONNX model.
            what: its name in the progress lines.

        Returns:
            bytes.

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
            raise BuildFailed(
                "TensorRT {} can't read {}: {}; try another export of the network, or tell "
                "us".format(self.version, what, reasons[0] if reasons else self._logger.last())
            )
        config = self._configure()
        with Heartbeat(what, self._say, trt, config):
            plan = self._builder.build_serialized_network(network, config)
        if plan is None:
            raise BuildFailed(
                "TensorRT {} can't build {}: {}; try PRECISION=fp32, and close what else uses "
                "the memory".format(self.version, what, self._logger.last())
            )
        self._keep_timing(config)
        return bytes(plan)

    def _configure(self):
        trt, request = self.trt, self.request
        config = self._builder.create_builder_config()
        workspace = int(request.memory_gb * 1e9) // WORKSPACE_SHARE
        if hasattr(config, "set_memory_pool_limit"):
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
        else:  # before 8.4
            config.max_workspace_size = workspace
        if not self.strong:
            if request.precision in ("fp16", "int8"):  # what has no INT8 form then runs in FP16
                config.set_flag(trt.BuilderFlag.FP16)
            if request.precision == "int8":
                config.set_flag(trt.BuilderFlag.INT8)
                if not request.quantised:
                    self._calibrator = self._calibrator or make_calibrator(trt, request.scales)
                    config.int8_calibrator = self._calibrator
        if request.dla is not None:
            config.default_device_type = trt.DeviceType.DLA
            config.DLA_core = request.dla
            config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
        # where the kept one can't be read, start a new one
        cache = config.create_timing_cache(self._timing()) or config.create_timing_cache(b"")
        if cache is not None:
            config.set_timing_cache(cache, False)
        return config

    def _timing(self):
        try:
            with open(self._cache, "rb") as file:
                return file.read()
        except OSError:
            return b""

    def _keep_timing(self, config):
        """Write what the tactics took, for the next build; whole or not at all."""
        kept = config.get_timing_cache()
        if kept is None:
            return
        partial = "{}.{}.part".format(self._cache, os.getpid())
        try:
            os.makedirs(os.path.dirname(self._cache), exist_ok=True)
            with open(partial, "wb") as file:
                file.write(bytes(kept.serialize()))
            os.rename(partial, self._cache)
        except OSError as error:
            self._say("the timing cache could not be kept: {}".format(error))


def make_calibrator(trt, scales):
    """A calibrator that never runs: it gives the scales that were found on a computer."""
    text = "\n".join(
        ["TRT-{}-EntropyCalibration2".format(version_number(trt.__version__))]
        + ["{}: {}".format(name, digits) for name, digits in scales.items()]
    )

    class Calibrator(trt.IInt8EntropyCalibrator2):
        def __init__(self):
            trt.IInt8EntropyCalibrator2.__init__(self)

        def get_batch_size(self):
            return 1

        def get_batch(self, names):
            return None

        def read_calibration_cache(self):
            return (text + "\n").encode()

        def write_calibration_cache(self, cache):
            pass

    return Calibrator()


def version_number(text):
    """NV_TENSORRT_VERSION: 8203 of "8.2.3.0", 100300 of "10.3.0"."""
    major, minor, patch = ([int(n) for n in re.findall(r"\d+", text)] + [0, 0, 0])[:3]
    return major * (10000 if major >= 10 else 1000) + minor * 100 + patch


class Heartbeat:
    """Tells that a long build goes on: every few seconds, with its phase where TensorRT says it."""

    def __init__(self, what, say, trt, config):
        self._what, self._say = what, say
        self._phase, self._ended = "", threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        if hasattr(config, "progress_monitor"):  # from 10 on
            self._monitor = self._make_monitor(trt)
            config.progress_monitor = self._monitor

    def __enter__(self):
        self._started = time.monotonic()
        self._say("building {} (some seconds on a computer, minutes on a Nano)".format(self._what))
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._ended.set()
        self._thread.join()
        if kind is None:
            self._say("built {} in {:.0f} s".format(self._what, self._seconds()))

    def _seconds(self):
        return time.monotonic() - self._started

    def _beat(self):
        while not self._ended.wait(HEARTBEAT_S):
            self._say("  {}: {:.0f} s {}".format(self._what, self._seconds(), self._phase).rstrip())

    def _make_monitor(self, trt):
        beat = self

        class Monitor(trt.IProgressMonitor):
            def __init__(self):
                trt.IProgressMonitor.__init__(self)
                self._steps = {}

            def phase_start(self, phase_name, parent_phase, num_steps):
                self._steps[phase_name] = max(1, num_steps)

            def step_complete(self, phase_name, step):
                done = 100 * (step + 1) // self._steps.get(phase_name, 1)
                beat._phase = "{} {} %".format(phase_name, min(done, 100))
                return True

            def phase_finish(self, phase_name):
                beat._phase = ""

        return Monitor()


def say(sentence):
    """Tell the user how far it is."""
    print(sentence, file=sys.stderr, flush=True)
