"""A fake ``tensorrt`` for each family. It runs its plans with ONNX Runtime, in host memory.

The classes have the names of the real bindings that the product uses, of all versions. ``make``
leaves out those that a family of ``FAMILIES`` lacks by surfaces.txt. As far as the real behaviour
is known, the fakes build and refuse the same:

- A plan loads only in the version and on the GPU that it was built for. Otherwise the fake logs the
  message of the real TensorRT.
- The parser of 8.2 knows neither the operators of ``NEWER`` nor a convolution with a tensor as its
  kernel.
- INT8 without Q/DQ needs a calibration cache with the version's own header.
- A network with a dynamic shape needs an optimization profile. Its plan runs when shapes within the
  profile are set.
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
from hotpath_nogpu.tensorrt.prepare import read_surfaces

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


# Names of 8.6.1 that 8.2 lacks, by class, and the module's own by "tensorrt". No wheel of 8.2 tells
# them, but the releases' notes do: they came with pools of memory (8.4) and names of tensors (8.5).
NAMED = {
    "tensorrt": "MemoryPoolType TensorIOMode",
    "TacticSource": "EDGE_MASK_CONVOLUTIONS JIT_CONVOLUTIONS",
    "IBuilderConfig": "set_memory_pool_limit",
    "ICudaEngine": "num_io_tensors get_tensor_name get_tensor_mode get_tensor_shape "
    "get_tensor_dtype",
    "IExecutionContext": "set_tensor_address execute_async_v3 set_input_shape",
}
FAMILIES = {  # version, the one of surfaces.txt whose names it has, and what it lacks of them
    "8.2": ("8.2.1.8", "8.6.1", NAMED),
    "8.6": ("8.6.1", "8.6.1", {}),
    "10": ("10.3.0", "10.3.0", {}),
    "10.13": ("10.13.3.9", "10.13.3.9", {}),
    "11": ("11.4.0.106", "11.4.0.106", {}),
}


class Machine:
    """The computer that the fakes simulate. Tests may change it."""

    def __init__(self, capability="5.3"):
        self.capability = capability
        self.memory = None  # the most nodes of a plan that a context has memory for
        self.tensor_kernels = None  # does the parser take them; None: as the version does
        self.broken = False  # is the driver too old for TensorRT's CUDA
        self.graph = None  # that is being captured
        self.seen = []  # (what, value): flags set, caches read
        self.enqueue = lambda handle, work: work()  # of a stream's handle
        self.take_memory = lambda: None  # what a context does for a new shape
        self.spoil = lambda outputs: outputs  # what plans compute in place of a dict of arrays


def make(family, machine=None):
    """Return the fake module of a family, one of ``FAMILIES``."""
    trt, names = types.ModuleType("tensorrt"), names_of(family)
    shared = {"_trt": trt, "_family": family, "_machine": machine or Machine()}
    trt.__version__ = FAMILIES[family][0]
    trt.float32, trt.float16 = DataType.FLOAT, DataType.HALF
    for kind in CLASSES:
        name = kind.__name__
        if name not in names["tensorrt"]:
            continue
        if issubclass(kind, enum.IntEnum):
            kind = enum.IntEnum(name, [(m.name, m.value) for m in kind if m.name in names[name]])
        elif issubclass(kind, Fake):
            parts = {k: v for k, v in vars(kind).items() if k[0] == "_" or k in names[name]}
            kind = type(name, (Fake,), dict(parts, **shared))
        setattr(trt, name, kind)
    return trt


def names_of(family):
    """dict of class -> set of the names that a family has, and "tensorrt" -> the module's."""
    _, real, lacks = FAMILIES[family]
    found = read_surfaces()[real]
    for name, names in lacks.items():
        found[name] -= set(names.split())
    return found


class Fake:
    """What ``make`` copies for a family; as the real classes, it takes no new attributes."""

    _trt = _family = _machine = None

    def __setattr__(self, name, value):
        if not name.startswith("_") and not hasattr(type(self), name):
            raise AttributeError(f"TensorRT {self._family} has no {type(self).__name__}.{name}")
        object.__setattr__(self, name, value)


# -- enumerations, and what the product derives from


class Severity(enum.IntEnum):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class DataType(enum.Enum):
    FLOAT, HALF = 0, 1


BuilderFlag = enum.IntEnum("BuilderFlag", "FP16 INT8 OBEY_PRECISION_CONSTRAINTS", start=0)
TacticSource = enum.IntEnum(
    "TacticSource", "CUBLAS CUBLAS_LT CUDNN EDGE_MASK_CONVOLUTIONS JIT_CONVOLUTIONS", start=0
)
NetworkDefinitionCreationFlag = enum.IntEnum(
    "NetworkDefinitionCreationFlag", "EXPLICIT_BATCH STRONGLY_TYPED", start=0
)
MemoryPoolType = enum.Enum("MemoryPoolType", "WORKSPACE")
TensorIOMode = enum.Enum("TensorIOMode", "NONE INPUT OUTPUT")
TensorFormat = enum.IntEnum("TensorFormat", "LINEAR", start=0)
ILogger = type("ILogger", (), dict(Severity.__members__, Severity=Severity))
IInt8EntropyCalibrator2 = type("IInt8EntropyCalibrator2", (), {})
IHostMemory = type("IHostMemory", (bytes,), {})
TYPES = {"float32": DataType.FLOAT, "float16": DataType.HALF}


# -- building


class ITensor(Fake):
    name = shape = None
    allowed_formats = 0

    def __init__(self, name, kind, shape):
        self.name, self._kind, self.shape = name, kind, shape

    @property
    def dtype(self):
        return TYPES[self._kind]

    @dtype.setter
    def dtype(self, kind):
        if self._family == "11":
            raise AssertionError("a strongly typed network has the types of its model")
        self._kind = next(name for name, known in TYPES.items() if known == kind)


class ILayer(Fake):
    name = precision = None
    num_outputs = property(lambda self: len(self._outputs))

    def __init__(self, name, outputs):
        self.name, self._outputs = name, outputs

    def get_output(self, index):
        return self._outputs[index]

    def set_output_type(self, index, kind):
        self._machine.seen.append(("kept", (self.name, self.precision.name, kind.name)))
        self._machine.seen.append(("kept tensor", self._outputs[index].name))


class INetworkDefinition(Fake):
    num_layers = property(lambda self: len(self._layers))
    num_inputs = property(lambda self: len(self._inputs))
    num_outputs = property(lambda self: len(self._outputs))

    def _fill(self, model):
        trt = self._trt
        self._model = model
        self._inputs, self._outputs = (
            [trt.ITensor(name, model.types[name], shape) for name, shape in each]
            for each in (model.inputs, model.outputs)
        )
        self._layers = [
            trt.ILayer(name, [trt.ITensor(output, "float32", ()) for output in outputs])
            for name, (_, _, outputs) in zip(model.names, model.nodes)
        ]

    def get_layer(self, index):
        return self._layers[index]

    def get_input(self, index):
        return self._inputs[index]

    def get_output(self, index):
        return self._outputs[index]


class ParserError(Fake):
    def __init__(self, text):
        self._text = text

    def desc(self):
        return self._text


class OnnxParser(Fake):
    num_errors = property(lambda self: len(self._errors))

    def __init__(self, network, logger):
        self._network = network

    def parse(self, model):
        parsed = Model(model)
        self._errors = _problems(parsed, self._family, self._machine)
        self._network._fill(parsed)
        return not self._errors

    def get_error(self, index):
        return self._trt.ParserError(self._errors[index])


class ITimingCache(Fake):
    def __init__(self, data):
        self._data = data

    def serialize(self):
        return IHostMemory(self._data or b"timing of " + self._trt.__version__.encode())


class IOptimizationProfile(Fake):
    def __init__(self):
        self._shapes = {}

    def set_shape(self, input, min, opt, max):
        self._machine.seen.append(("profile", (input, min, opt, max)))
        self._shapes[input] = min, max


class IBuilderConfig(Fake):
    int8_calibrator = None
    max_workspace_size = 0

    def __init__(self):
        self._flags, self._cache, self._profiles = set(), None, []
        self._tactics = sum(1 << source for source in self._trt.TacticSource)

    def set_flag(self, flag):
        self._machine.seen.append(("flag", flag.name))
        self._flags.add(flag.name)

    def set_memory_pool_limit(self, pool, size):
        pass

    def get_tactic_sources(self):
        return self._tactics

    def set_tactic_sources(self, tactics):
        names = [source.name for source in self._trt.TacticSource if tactics >> source & 1]
        self._machine.seen.append(("tactics", names))
        self._tactics = tactics
        return True

    def create_timing_cache(self, data):
        self._machine.seen.append(("timing cache", bytes(data)))
        return self._trt.ITimingCache(bytes(data))

    def set_timing_cache(self, cache, ignore_mismatch):
        self._cache = cache
        return True

    def get_timing_cache(self):
        return self._cache

    def add_optimization_profile(self, profile):
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def set_calibration_profile(self, profile):
        return True


class Builder(Fake):
    def __init__(self, logger):
        if self._machine.broken:
            logger.log(Severity.ERROR, OLD_DRIVER)
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self._logger = logger

    def create_network(self, flags):
        explicit = getattr(self._trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
        if self._family.startswith("8") and flags != 1 << explicit:
            raise ValueError("implicit batch: no ONNX can be parsed into it")
        return self._trt.INetworkDefinition()

    def create_builder_config(self):
        return self._trt.IBuilderConfig()

    def create_optimization_profile(self):
        return self._trt.IOptimizationProfile()

    def build_serialized_network(self, network, config):
        model, machine, version = network._model, self._machine, self._trt.__version__
        problem = _unbuildable(model, config, version, machine)
        if problem:
            self._logger.log(Severity.ERROR, problem)
            return None
        tensors = network._inputs + network._outputs
        for tensor in tensors:
            if tensor._kind == "float16" and self._family != "11":
                machine.seen.append(("half tensor", (tensor.name, tensor.allowed_formats)))
        kinds = {tensor.name: tensor._kind for tensor in tensors}
        head = {"version": version, "capability": machine.capability, "types": kinds}
        head["profile"] = config._profiles[0]._shapes if config._profiles else {}
        return IHostMemory(_plan(head, model))


# -- running


class Runtime(Fake):
    def __init__(self, logger):
        self._logger = logger
        if self._machine.broken:
            logger.log(Severity.ERROR, "createInferRuntime: " + OLD_DRIVER)

    def deserialize_cuda_engine(self, data):
        machine, version = self._machine, self._trt.__version__
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
        return self._trt.ICudaEngine(model, head["types"], self._logger, head["profile"])


class ICudaEngine(Fake):
    num_io_tensors = num_bindings = property(lambda self: len(self._io))

    def __init__(self, model, types, logger, profile):
        self._model, self._types, self._logger = model, types, logger
        self._profile = profile
        self._io = model.inputs + model.outputs

    def create_execution_context(self):
        memory = self._machine.memory
        if memory is not None and len(self._model.nodes) > memory:
            self._logger.log(Severity.ERROR, NO_MEMORY)
            return None
        self._session = self._model.session()
        return self._trt.IExecutionContext(self)

    def get_tensor_name(self, index):
        return self._io[index][0]

    get_binding_name = get_tensor_name

    def get_tensor_mode(self, name):
        is_input = name in dict(self._model.inputs)
        return TensorIOMode.INPUT if is_input else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name):
        return dict(self._io)[name]

    def get_tensor_dtype(self, name):
        return TYPES[self._types[name]]

    def get_binding_shape(self, index):
        return self._io[index][1]

    def get_binding_dtype(self, index):
        return TYPES[self._types[self._io[index][0]]]

    def binding_is_input(self, index):
        return index < len(self._model.inputs)

    def _compute(self, addresses, inputs):
        model, kinds = self._model, self._types
        feed = {
            name: _array(addresses[name], shape, kinds[name]).astype(model.types[name])
            for name, shape in inputs.items()
        }
        outputs = dict(zip((name for name, _ in model.outputs), self._session(feed)))
        for (name, _), result in zip(model.outputs, self._machine.spoil(outputs).values()):
            _array(addresses[name], result.shape, kinds[name])[...] = result


class IExecutionContext(Fake):
    def __init__(self, engine):
        self._engine = engine
        self._bound = {}
        self._inputs = {name: tuple(shape) for name, shape in engine._model.inputs}
        self._is_new = True
        self._graph = None  # that captured it

    def set_tensor_address(self, name, address):
        if not self._is_aligned(name, address) or not self._is_free():
            return False
        self._bound[name] = address
        return True

    def set_input_shape(self, name, shape):
        return self._set(name, shape)

    def set_binding_shape(self, binding, shape):
        return self._set(self._engine._io[binding][0], shape)

    def _set(self, name, shape):
        if not self._is_free():
            return False
        least, most = self._engine._profile.get(name, [self._inputs[name]] * 2)
        fits = all(a <= b <= c for a, b, c in zip(least, shape, most))
        if len(shape) != len(least) or not fits:
            return self._refuse(NOT_IN_PROFILE.format(name))
        self._inputs[name] = tuple(shape)
        self._is_new = True
        return True

    def execute_async_v3(self, handle):
        return self._run(self._bound, handle)

    def execute_async_v2(self, bindings, stream_handle):
        bound = dict(zip((name for name, _ in self._engine._io), bindings))
        aligned = [self._is_aligned(name, address) for name, address in bound.items()]
        return all(aligned) and self._run(bound, stream_handle)

    def _refuse(self, problem):
        self._engine._logger.log(Severity.ERROR, problem)
        return False

    def _is_aligned(self, name, address):
        return address % ALIGNMENT == 0 or self._refuse(UNALIGNED.format(name, ALIGNMENT))

    def _is_free(self):
        """Whether the context may change: no other graph holds it."""
        graph = self._graph
        is_free = graph is None or graph is self._machine.graph or graph._graph is None  # closed
        return is_free or self._refuse(HELD)

    def _run(self, addresses, handle):
        machine, engine = self._machine, self._engine
        addresses, inputs = dict(addresses), dict(self._inputs)
        if any(side < 0 for shape in inputs.values() for side in shape):
            return self._refuse(NO_SHAPE)
        if machine.graph is not None:
            if not self._is_free():
                return False
            self._graph = machine.graph
        if self._is_new:
            machine.take_memory()
            self._is_new = False
        machine.enqueue(handle, lambda: engine._compute(addresses, inputs))
        return True


CLASSES = (
    *(DataType, BuilderFlag, TacticSource, NetworkDefinitionCreationFlag),
    *(MemoryPoolType, TensorIOMode, TensorFormat),
    *(ILogger, IInt8EntropyCalibrator2, IHostMemory, ITensor, ILayer),
    *(INetworkDefinition, ParserError, OnnxParser, ITimingCache, IOptimizationProfile),
    *(IBuilderConfig, Builder, Runtime, ICudaEngine, IExecutionContext),
)


def _problems(model, family, machine):
    """The parser's messages, one for each thing that it refuses in a model."""
    takes = family != "8.2" if machine.tensor_kernels is None else machine.tensor_kernels
    problems = []
    for operator, inputs, outputs in model.nodes:
        if operator in NEWER and family == "8.2":
            problems.append(f"No importer registered for op: {operator}.")
        if operator == "Conv" and inputs[1] not in model.constants and not takes:
            problems.append(f"convMultiInput: kernel weights of {outputs[0]} vary")
    return problems


def _unbuildable(model, config, version, machine):
    """The message that the builder logs before it fails, or None if it can build."""
    if any(shape[0] < 0 for _, shape in model.inputs) and not config._profiles:
        return NO_PROFILE
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
