"""A fake ``tensorrt`` for each family. It runs its plans with ONNX Runtime, in host memory.

Every class has exactly the names of the real bindings that the product uses. A name that a family
lacks is missing here too: ``nogpu_tests/test_tensorrt_surface.py`` compares both with
surfaces.txt. As far as the real behaviour is known, the fakes build and refuse the same things:

- A plan loads only in the version and on the GPU that it was built for. Otherwise the fake logs the
  message of the real TensorRT.
- The parser of 8.2 knows neither the operators of ``NEWER`` nor a convolution with a tensor as its
  kernel.
- INT8 without Q/DQ needs a calibration cache with the version's own header.
- A network with a dynamic shape needs an optimization profile. Its plan runs when shapes within the
  profile are set, and on no DLA core.
- The first enqueue after a new shape takes memory, which ends a capture of its stream: see
  ``enqueueV2`` in NvInferRuntime.h of 8.2.
- A context serves one captured graph, and stays as it was captured (NVIDIA's guide, "CUDA Graphs").
- An enqueue reads and writes at the addresses that were bound. Each must be a multiple of 256
  bytes, as NvInferRuntime.h of 8.5 and later says; nothing is written about 8.2.
"""

import ctypes
import enum
import json
import struct
import types

import numpy as np

from hotpath_nogpu.tensorrt.models import Model

VERSIONS = {"8.0": "8.0.1.6", "8.2": "8.2.1.8", "8.6": "8.6.1", "10": "10.3.0", "11": "11.4.0.106"}
NEWER = ("HardSwish", "LayerNormalization", "Gelu")
MAGIC = b"fakeplan"
TAG = "Version tag does not match. Note: Current Version: {}, Serialized Engine Version: {}"
DEVICE = (
    "engine plan file is generated on an incompatible device, expecting compute {} got compute {}, "
    "please rebuild."
)
OLD_DRIVER = "CUDA initialization failure with error: 35"
NO_PLAN = "Serialization assertion plan->header.magicTag == rt::kPLAN_MAGIC_TAG failed."
NO_PROFILE = "Network has dynamic or shape inputs, but no optimization profile has been defined."
NO_SHAPE = "IExecutionContext::enqueueV3: not all input shapes are specified"
NOT_IN_PROFILE = "Static dimension or optimization profile of {} does not match the given shape"
ALIGNMENT = 256  # bytes
UNALIGNED = (
    "IExecutionContext::setTensorAddress: Error Code 3: API Usage Error (address of {} is not "
    "aligned to {} bytes)"
)
HELD = "a captured graph holds this execution context; use another one for each captured graph"
NO_MEMORY = "[defaultAllocator.cpp::allocate::20] Error Code 1: Cuda Runtime (out of memory)"


class Machine:
    """The computer that the fakes simulate. Tests may change it."""

    def __init__(self, capability="5.3"):
        self.capability = capability
        self.dla_cores = 0
        self.memory = None  # the most nodes of a plan that a context has memory for
        self.tensor_kernels = None  # does the parser take them; None: as the version does
        self.broken = False  # is the driver too old for TensorRT's CUDA
        self.graph = None  # that is being captured
        self.seen = []  # (what, value): flags set, caches read
        self.enqueue = lambda handle, work: work()  # of a stream's handle
        self.take_memory = lambda: None  # what a context does for a new shape
        self.spoil = lambda outputs: outputs  # what plans compute in place of a dict of arrays


def make(family, machine=None):
    """Return the fake module of a family, one of ``VERSIONS``."""
    machine, version = machine or Machine(), VERSIONS[family]
    trt = types.ModuleType("tensorrt")
    trt.__version__ = version
    by_index, by_name = family in ("8.0", "8.2", "8.6"), family not in ("8.0", "8.2")
    strong = family == "11"

    # -- enumerations

    class Severity(enum.IntEnum):
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    class DataType(enum.Enum):
        FLOAT, HALF = 0, 1

    TYPES = {"float32": DataType.FLOAT, "float16": DataType.HALF}
    obey = "STRICT_TYPES" if family == "8.0" else "OBEY_PRECISION_CONSTRAINTS"
    flags = ["GPU_FALLBACK"] + ([] if strong else ["FP16", "INT8", obey])
    BuilderFlag = enum.Enum("BuilderFlag", flags)
    creation = ["STRONGLY_TYPED" if strong else "EXPLICIT_BATCH"]
    NetworkDefinitionCreationFlag = enum.IntEnum("NetworkDefinitionCreationFlag", creation, start=0)
    DeviceType = enum.Enum("DeviceType", "GPU DLA")
    # the members are those of the releases' notes
    tactics = [] if strong else ["CUBLAS", "CUBLAS_LT", "CUDNN"]
    tactics += ["EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS"] if by_name else []
    TacticSource = enum.IntEnum("TacticSource", tactics, start=0)

    # -- small things

    ILogger = type("ILogger", (), dict(Severity.__members__, Severity=Severity))
    IInt8EntropyCalibrator2 = type("IInt8EntropyCalibrator2", (), {})
    IProgressMonitor = type("IProgressMonitor", (), {})

    class TensorFormat(enum.IntEnum):
        LINEAR = 0

    class ITensor:
        def __init__(self, name, kind, shape):
            self.name = name
            self._kind = kind
            self.allowed_formats = 0
            self.shape = shape

        @property
        def dtype(self):
            return TYPES[self._kind]

        @dtype.setter
        def dtype(self, kind):
            if strong:
                raise AssertionError("a strongly typed network has the types of its model")
            self._kind = next(name for name, known in TYPES.items() if known == kind)

    class IHostMemory(bytes):
        pass

    class ITimingCache:
        def __init__(self, data):
            self._data = data

        def serialize(self):
            return IHostMemory(self._data or b"timing of " + version.encode())

    class ParserError:
        def __init__(self, text):
            self.desc = lambda: text

    # -- building

    class ILayer:
        def __init__(self, name, outputs):
            self.name = name
            self._outputs = [ITensor(output, "float32", ()) for output in outputs]
            self.num_outputs, self.get_output = len(outputs), self._outputs.__getitem__

    class INetworkDefinition:
        def _fill(self, model):
            inputs, outputs = (
                [ITensor(name, model.types[name], shape) for name, shape in each]
                for each in (model.inputs, model.outputs)
            )
            self._model, self._tensors = model, inputs + outputs
            layers = [ILayer(*row) for row in zip(model.names, (row[2] for row in model.nodes))]
            self.num_layers, self.get_layer = len(layers), layers.__getitem__
            self.num_inputs, self.get_input = len(inputs), inputs.__getitem__
            self.num_outputs, self.get_output = len(outputs), outputs.__getitem__

    class OnnxParser:
        def __init__(self, network, logger):
            self._network = network

        def parse(self, model):
            parsed = Model(model)
            errors = _problems(parsed, family, machine)
            self.num_errors, self.get_error = len(errors), lambda n: ParserError(errors[n])
            self._network._fill(parsed)
            return not errors

    class IBuilderConfig:
        def __init__(self):
            self._flags = set()
            self._cache = None
            self._profiles = []
            self._tactics = (1 << len(TacticSource)) - 1
            self.DLA_core = -1
            self.default_device_type = DeviceType.GPU
            if not strong:
                self.int8_calibrator = None
            if by_index:
                self.max_workspace_size = 0
            if family in ("10", "11"):
                self.progress_monitor = None

        def set_flag(self, flag):
            machine.seen.append(("flag", flag.name))
            self._flags.add(flag.name)

        def get_tactic_sources(self):
            return self._tactics

        def set_tactic_sources(self, tactics):
            machine.seen.append(("tactics", [s.name for s in TacticSource if tactics >> s & 1]))
            self._tactics = tactics
            return True

        def create_timing_cache(self, data):
            machine.seen.append(("timing cache", bytes(data)))
            return ITimingCache(bytes(data))

        def set_timing_cache(self, cache, ignore_mismatch):
            self._cache = cache
            return True

        def get_timing_cache(self):
            return self._cache

        def add_optimization_profile(self, profile):
            self._profiles.append(profile)
            return len(self._profiles) - 1

    class IOptimizationProfile:
        def __init__(self):
            self._shapes = {}

        def set_shape(self, input, min, opt, max):
            machine.seen.append(("profile", (input, min, opt, max)))
            self._shapes[input] = min, max

    def set_output_type(self, index, kind):
        machine.seen.append(("kept", (self.name, self.precision.name, kind.name)))
        machine.seen.append(("kept tensor", self._outputs[index].name))

    if not strong:
        ILayer.precision = None
        ILayer.set_output_type = set_output_type
        IBuilderConfig.set_calibration_profile = lambda self, profile: True
    if by_name:
        IBuilderConfig.set_memory_pool_limit = lambda self, pool, size: None

    class Builder:
        def __init__(self, logger):
            if machine.broken:
                logger.log(Severity.ERROR, OLD_DRIVER)
                raise TypeError("pybind11::init(): factory function returned nullptr")
            self._logger = logger

        @property
        def num_DLA_cores(self):
            return machine.dla_cores

        def create_network(self, flags):
            if by_index and flags != 1 << NetworkDefinitionCreationFlag.EXPLICIT_BATCH:
                raise ValueError("implicit batch: no ONNX can be parsed into it")
            return INetworkDefinition()

        def create_builder_config(self):
            return IBuilderConfig()

        def create_optimization_profile(self):
            return IOptimizationProfile()

        def build_serialized_network(self, network, config):
            problem = _unbuildable(network._model, config, version, machine)
            if problem:
                self._logger.log(Severity.ERROR, problem)
                return None
            monitor = getattr(config, "progress_monitor", None)
            if monitor is not None:
                monitor.phase_start("Building Engine", None, 2)
                monitor.step_complete("Building Engine", 0)
                monitor.phase_finish("Building Engine")
            for tensor in network._tensors:
                if tensor._kind == "float16" and not strong:
                    machine.seen.append(("half tensor", (tensor.name, tensor.allowed_formats)))
            kinds = {tensor.name: tensor._kind for tensor in network._tensors}
            head = {"version": version, "capability": machine.capability, "types": kinds}
            head["profile"] = config._profiles[0]._shapes if config._profiles else {}
            return IHostMemory(_plan(head, network._model))

    # -- running

    class IExecutionContext:
        def __init__(self, engine):
            self._engine = engine
            self._bound = {}
            self._inputs = {name: tuple(shape) for name, shape in engine._model.inputs}
            self._is_new = True
            self._graph = None  # that captured it

        def _is_free(self):
            """Whether the context may change: no other graph holds it."""
            graph = self._graph
            if graph is None or graph is machine.graph or graph._graph is None:  # closed
                return True
            self._engine._logger.log(Severity.ERROR, HELD)
            return False

        def _set(self, name, shape):
            if not self._is_free():
                return False
            least, most = self._engine._profile.get(name, [self._inputs[name]] * 2)
            fits = all(a <= b <= c for a, b, c in zip(least, shape, most))
            if len(shape) != len(least) or not fits:
                self._engine._logger.log(Severity.ERROR, NOT_IN_PROFILE.format(name))
                return False
            self._inputs[name] = tuple(shape)
            self._is_new = True
            return True

    class ICudaEngine:
        def __init__(self, model, types, logger, profile):
            self._model, self._types, self._logger = model, types, logger
            self._profile = profile
            self._io = model.inputs + model.outputs

        def create_execution_context(self):
            if machine.memory is not None and len(self._model.nodes) > machine.memory:
                self._logger.log(Severity.ERROR, NO_MEMORY)
                return None
            self._session = self._model.session()
            return IExecutionContext(self)

    def is_aligned(context, name, address):
        if address % ALIGNMENT:
            context._engine._logger.log(Severity.ERROR, UNALIGNED.format(name, ALIGNMENT))
        return address % ALIGNMENT == 0

    def run(context, addresses, handle):
        addresses, inputs = dict(addresses), dict(context._inputs)
        if any(side < 0 for shape in inputs.values() for side in shape):
            context._engine._logger.log(Severity.ERROR, NO_SHAPE)
            return False
        if machine.graph is not None:
            if not context._is_free():
                return False
            context._graph = machine.graph
        if context._is_new:
            machine.take_memory()
            context._is_new = False
        machine.enqueue(handle, lambda: compute(context._engine, addresses, inputs))
        return True

    def compute(engine, addresses, inputs):
        model, types = engine._model, engine._types
        feed = {
            name: _array(addresses[name], shape, types[name]).astype(model.types[name])
            for name, shape in inputs.items()
        }
        outputs = dict(zip((name for name, _ in model.outputs), engine._session(feed)))
        for (name, _), result in zip(model.outputs, machine.spoil(outputs).values()):
            _array(addresses[name], result.shape, types[name])[...] = result

    def dtype_of(engine, name):
        return TYPES[engine._types[name]]

    if by_index:

        def execute_async_v2(self, bindings, stream_handle):
            bound = dict(zip((name for name, _ in self._engine._io), bindings))
            aligned = [is_aligned(self, name, address) for name, address in bound.items()]
            return all(aligned) and run(self, bound, stream_handle)

        IExecutionContext.execute_async_v2 = execute_async_v2
        ICudaEngine.num_bindings = property(lambda self: len(self._io))
        ICudaEngine.get_binding_name = lambda self, index: self._io[index][0]
        ICudaEngine.get_binding_shape = lambda self, index: self._io[index][1]
        ICudaEngine.get_binding_dtype = lambda self, index: dtype_of(self, self._io[index][0])
        ICudaEngine.binding_is_input = lambda self, index: index < len(self._model.inputs)
        IExecutionContext.set_binding_shape = lambda self, binding, shape: self._set(
            self._engine._io[binding][0], shape
        )
        ICudaEngine.get_binding_index = lambda self, name: [io[0] for io in self._io].index(name)
    if by_name:

        def set_tensor_address(self, name, address):
            if not is_aligned(self, name, address) or not self._is_free():
                return False
            self._bound[name] = address
            return True

        IExecutionContext.set_tensor_address = set_tensor_address
        IExecutionContext.execute_async_v3 = lambda self, handle: run(self, self._bound, handle)
        ICudaEngine.num_io_tensors = property(lambda self: len(self._io))
        ICudaEngine.get_tensor_name = lambda self, index: self._io[index][0]
        TensorIOMode = enum.Enum("TensorIOMode", "NONE INPUT OUTPUT")
        trt.TensorIOMode = TensorIOMode
        ICudaEngine.get_tensor_mode = lambda self, name: (
            TensorIOMode.INPUT if name in dict(self._model.inputs) else TensorIOMode.OUTPUT
        )
        IExecutionContext.set_input_shape = lambda self, name, shape: self._set(name, shape)
        ICudaEngine.get_tensor_shape = lambda self, name: dict(self._io)[name]
        ICudaEngine.get_tensor_dtype = lambda self, name: dtype_of(self, name)

    class Runtime:
        def __init__(self, logger):
            self._logger = logger
            self.DLA_core = -1
            if machine.broken:
                logger.log(Severity.ERROR, "createInferRuntime: " + OLD_DRIVER)

        def deserialize_cuda_engine(self, data):
            if machine.broken:
                raise SystemError("the real one would end the process here")
            problem = None
            head, model = _read(data)
            if head is None:
                problem = NO_PLAN
            elif head["version"] != version:
                problem = TAG.format(version, head["version"])
            elif head["capability"] != machine.capability:
                problem = DEVICE.format(head["capability"], machine.capability)
            if problem:
                self._logger.log(Severity.ERROR, problem)
                return None
            return ICudaEngine(model, head["types"], self._logger, head["profile"])

    hidden = {"Severity", "IInt8EntropyCalibrator2" if strong else ""}
    hidden |= {"IProgressMonitor"} if family in ("8.2", "8.6") else set()
    if by_name:
        trt.MemoryPoolType = enum.Enum("MemoryPoolType", "WORKSPACE")
    vars(trt).update((n, e) for n, e in locals().items() if isinstance(e, type) and n not in hidden)
    trt.float32, trt.float16 = DataType.FLOAT, DataType.HALF
    return trt


def _problems(model, family, machine):
    """The parser's messages, one for each thing that it refuses in a model."""
    takes = (
        family not in ("8.0", "8.2") if machine.tensor_kernels is None else machine.tensor_kernels
    )
    problems = []
    for operator, inputs, outputs in model.nodes:
        if operator in NEWER and family in ("8.0", "8.2"):
            problems.append(f"No importer registered for op: {operator}.")
        if operator == "Conv" and inputs[1] not in model.constants and not takes:
            problems.append(f"convMultiInput: kernel weights of {outputs[0]} vary")
    return problems


def _unbuildable(model, config, version, machine):
    """The message that the builder logs before it fails, or None if it can build."""
    if any(shape[0] < 0 for _, shape in model.inputs):
        if not config._profiles:
            return NO_PROFILE
        if config.DLA_core >= 0:
            return "Dynamic shapes are not supported on DLA."
    quantised = any(operator == "QuantizeLinear" for operator, _, _ in model.nodes)
    if "INT8" not in config._flags or quantised:
        return None
    if config.int8_calibrator is None:
        return "Calibration failure: no calibrator"
    cache = bytes(config.int8_calibrator.read_calibration_cache()).decode()
    machine.seen.append(("cache", cache))
    numbers = [int(number) for number in version.split(".")[:3]]
    thousand = 10000 if numbers[0] >= 10 else 1000
    wanted = f"TRT-{numbers[0] * thousand + numbers[1] * 100 + numbers[2]}-EntropyCalibration2"
    if cache.splitlines()[0] != wanted:
        return "Calibration table does not match calibrator algorithm type."
    return None


def _plan(head, model):
    text = json.dumps(head).encode()
    return MAGIC + struct.pack("<I", len(text)) + text + model.data


def _read(data):
    if data[: len(MAGIC)] != MAGIC:
        return None, None
    start = len(MAGIC) + 4
    size = struct.unpack("<I", data[len(MAGIC) : start])[0]
    head = json.loads(data[start : start + size].decode())
    return head, Model(data[start + size :])


def _array(address, shape, kind):
    """The memory at an address, as an array of that shape and type."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    memory = (ctypes.c_char * size).from_address(address)
    return np.frombuffer(memory, kind).reshape(shape)
