"""What ``import tensorrt`` gives: plans run with ONNX Runtime, in host memory.

The classes have the names of the real bindings that the product uses, of all versions. ``fake``
runs this file once for each family and takes away what that family lacks. As far as the real
behaviour is known, the fakes build and refuse the same:

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

import numpy as np

from hotpath_nogpu.tensorrt import models

__version__ = _family = _machine = None  # set by ``fake.make``

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
ALIGNMENT = 256  # bytes
UNALIGNED = (
    "IExecutionContext::setTensorAddress: Error Code 3: API Usage Error (address of {} is not "
    "aligned to {} bytes)"
)
HELD = "a captured graph holds this execution context; use another one for each captured graph"
NO_MEMORY = "[defaultAllocator.cpp::allocate::20] Error Code 1: Cuda Runtime (out of memory)"

# -- enumerations, and what the product derives from

DataType = enum.Enum("DataType", "FLOAT HALF", start=0)
BuilderFlag = enum.IntEnum("BuilderFlag", "FP16 INT8 OBEY_PRECISION_CONSTRAINTS", start=0)
TacticSource = enum.IntEnum(
    "TacticSource", "CUBLAS CUBLAS_LT CUDNN EDGE_MASK_CONVOLUTIONS JIT_CONVOLUTIONS", start=0
)
NetworkDefinitionCreationFlag = enum.IntEnum(
    "NetworkDefinitionCreationFlag", "EXPLICIT_BATCH STRONGLY_TYPED", start=0
)
MemoryPoolType = enum.Enum("MemoryPoolType", "WORKSPACE")
TensorFormat = enum.IntEnum("TensorFormat", "LINEAR", start=0)
_Severity = enum.IntEnum("Severity", "INTERNAL_ERROR ERROR WARNING INFO VERBOSE", start=0)
ILogger = type("ILogger", (), dict(_Severity.__members__, Severity=_Severity))
IInt8EntropyCalibrator2 = type("IInt8EntropyCalibrator2", (), {})
IHostMemory = type("IHostMemory", (bytes,), {})
float32, float16 = DataType.FLOAT, DataType.HALF
_TYPES = {"float32": float32, "float16": float16}


class _Fake:
    """As the real classes, it takes no new attributes."""

    def __setattr__(self, name, value):
        if not name.startswith("_") and not hasattr(type(self), name):
            raise AttributeError(f"TensorRT {_family} has no {type(self).__name__}.{name}")
        object.__setattr__(self, name, value)


# -- building


class ITensor(_Fake):
    name = shape = None
    allowed_formats = 0

    def __init__(self, name, kind, shape):
        self.name, self._kind, self.shape = name, kind, shape

    @property
    def dtype(self):
        return _TYPES[self._kind]

    @dtype.setter
    def dtype(self, kind):
        if _family == "11":
            raise AssertionError("a strongly typed network has the types of its model")
        self._kind = next(name for name, known in _TYPES.items() if known == kind)


class ILayer(_Fake):
    name = precision = None
    num_outputs = property(lambda self: len(self._outputs))

    def __init__(self, node):
        self.name, self._outputs = node.name, [ITensor(name, "float32", ()) for name in node.output]

    def get_output(self, index):
        return self._outputs[index]

    def set_output_type(self, index, kind):
        _machine.seen.append(("kept", (self.name, self.precision.name, kind.name)))
        _machine.seen.append(("kept tensor", self._outputs[index].name))


class INetworkDefinition(_Fake):
    num_layers = property(lambda self: len(self._layers))
    num_inputs = property(lambda self: len(self._inputs))
    num_outputs = property(lambda self: len(self._outputs))

    def _fill(self, model):
        self._model = model
        self._inputs, self._outputs = (
            [ITensor(name, model.types[name], shape) for name, shape in shapes.items()]
            for shapes in (model.inputs, model.outputs)
        )
        self._layers = [ILayer(node) for node in model.nodes]

    def get_layer(self, index):
        return self._layers[index]

    def get_input(self, index):
        return self._inputs[index]

    def get_output(self, index):
        return self._outputs[index]


class ParserError(_Fake):
    def __init__(self, text):
        self._text = text

    def desc(self):
        return self._text


class OnnxParser(_Fake):
    num_errors = property(lambda self: len(self._errors))

    def __init__(self, network, logger):
        self._network = network

    def parse(self, model):
        parsed = models.FakeModel(model)
        self._errors = _problems(parsed)
        self._network._fill(parsed)
        return not self._errors

    def get_error(self, index):
        return ParserError(self._errors[index])


class ITimingCache(_Fake):
    def __init__(self, data):
        self._data = data

    def serialize(self):
        return IHostMemory(self._data or b"timing of " + __version__.encode())


class IBuilderConfig(_Fake):
    int8_calibrator = None
    max_workspace_size = 0

    def __init__(self):
        self._flags, self._cache = set(), None
        self._tactics = sum(1 << source for source in TacticSource)

    def set_flag(self, flag):
        _machine.seen.append(("flag", flag.name))
        self._flags.add(flag.name)

    def set_memory_pool_limit(self, pool, size):
        pass

    def get_tactic_sources(self):
        return self._tactics

    def set_tactic_sources(self, tactics):
        names = [source.name for source in TacticSource if tactics >> source & 1]
        _machine.seen.append(("tactics", names))
        self._tactics = tactics
        return True

    def create_timing_cache(self, data):
        _machine.seen.append(("timing cache", bytes(data)))
        return ITimingCache(bytes(data))

    def set_timing_cache(self, cache, ignore_mismatch):
        self._cache = cache
        return True

    def get_timing_cache(self):
        return self._cache


class Builder(_Fake):
    def __init__(self, logger):
        if _machine.broken:
            logger.log(ILogger.ERROR, OLD_DRIVER)
            raise TypeError("pybind11::init(): factory function returned nullptr")
        self._logger = logger

    def create_network(self, flags):
        if _family.startswith("8") and flags != 1 << NetworkDefinitionCreationFlag.EXPLICIT_BATCH:
            raise ValueError("implicit batch: no ONNX can be parsed into it")
        return INetworkDefinition()

    def create_builder_config(self):
        return IBuilderConfig()

    def build_serialized_network(self, network, config):
        problem = _unbuildable(network._model, config)
        if problem:
            self._logger.log(ILogger.ERROR, problem)
            return None
        tensors = network._inputs + network._outputs
        for tensor in tensors:
            if tensor._kind == "float16" and _family != "11":
                _machine.seen.append(("half tensor", (tensor.name, tensor.allowed_formats)))
        head = {
            "version": __version__,
            "capability": _machine.capability,
            "types": {tensor.name: tensor._kind for tensor in tensors},
        }
        return IHostMemory(MAGIC + json.dumps(head).encode() + b"\n" + network._model.data)


# -- running


class Runtime(_Fake):
    def __init__(self, logger):
        self._logger = logger
        if _machine.broken:
            logger.log(ILogger.ERROR, "createInferRuntime: " + OLD_DRIVER)

    def deserialize_cuda_engine(self, data):
        if _machine.broken:
            raise SystemError("the real one would end the process here")
        problem = None
        head, _, model = data[len(MAGIC) :].partition(b"\n")
        head = json.loads(head.decode()) if data.startswith(MAGIC) else None
        if head is None:
            problem = NO_PLAN
        elif head["version"] != __version__:
            problem = TAG.format(__version__, head["version"])
        elif head["capability"] != _machine.capability:
            problem = DEVICE.format(head["capability"], _machine.capability)
        if problem:
            self._logger.log(ILogger.ERROR, problem)
            return None
        return ICudaEngine(models.FakeModel(model), head["types"], self._logger)


class ICudaEngine(_Fake):
    num_io_tensors = num_bindings = property(lambda self: len(self._shapes))

    def __init__(self, model, types, logger):
        self._model, self._types, self._logger = model, types, logger
        self._shapes = dict(model.inputs, **model.outputs)

    def create_execution_context(self):
        if _machine.memory is not None and len(self._model.nodes) > _machine.memory:
            self._logger.log(ILogger.ERROR, NO_MEMORY)
            return None
        self._session = self._model.session()
        return IExecutionContext(self)

    def get_tensor_name(self, index):
        return list(self._shapes)[index]

    get_binding_name = get_tensor_name

    def get_tensor_shape(self, name):
        return self._shapes[name]

    def get_tensor_dtype(self, name):
        return _TYPES[self._types[name]]

    def get_binding_shape(self, index):
        return list(self._shapes.values())[index]

    def get_binding_dtype(self, index):
        return _TYPES[self._types[list(self._shapes)[index]]]

    def _compute(self, addresses):
        kinds = self._types
        feed = {
            name: _array(addresses[name], shape, kinds[name]).astype(self._model.types[name])
            for name, shape in self._model.inputs.items()
        }
        results = _machine.spoil(self._session(feed)).values()
        for name, result in zip(self._model.outputs, results):
            _array(addresses[name], result.shape, kinds[name])[...] = result


class IExecutionContext(_Fake):
    def __init__(self, engine):
        self._engine, self._bound = engine, {}
        self._is_new = True
        self._graph = None  # that captured it

    def set_tensor_address(self, name, address):
        if not self._is_aligned(name, address) or not self._is_free():
            return False
        self._bound[name] = address
        return True

    def execute_async_v3(self, handle):
        return self._run(self._bound, handle)

    def execute_async_v2(self, bindings, stream_handle):
        bound = dict(zip(self._engine._shapes, bindings))
        aligned = [self._is_aligned(name, address) for name, address in bound.items()]
        return all(aligned) and self._run(bound, stream_handle)

    def _refuse(self, problem):
        self._engine._logger.log(ILogger.ERROR, problem)
        return False

    def _is_aligned(self, name, address):
        return address % ALIGNMENT == 0 or self._refuse(UNALIGNED.format(name, ALIGNMENT))

    def _is_free(self):
        """Whether the context may change: no other graph holds it."""
        graph = self._graph
        is_free = graph is None or graph is _machine.graph or graph._graph is None  # closed
        return is_free or self._refuse(HELD)

    def _run(self, addresses, handle):
        addresses, engine = dict(addresses), self._engine
        if _machine.graph is not None:
            if not self._is_free():
                return False
            self._graph = _machine.graph
        if self._is_new:
            _machine.take_memory()
            self._is_new = False
        _machine.enqueue(handle, lambda: engine._compute(addresses))
        return True


def _problems(model):
    """The parser's messages, one for each thing that it refuses in a model."""
    takes = _family != "8.2" if _machine.tensor_kernels is None else _machine.tensor_kernels
    problems = []
    for node in model.nodes:
        if node.op_type in NEWER and _family == "8.2":
            problems.append(f"No importer registered for op: {node.op_type}.")
        if node.op_type == "Conv" and node.input[1] not in model.constants and not takes:
            problems.append(f"convMultiInput: kernel weights of {node.output[0]} vary")
    return problems


def _unbuildable(model, config):
    """The message that the builder logs before it fails, or None if it can build."""
    if any(shape[0] < 0 for shape in model.inputs.values()):
        return NO_PROFILE
    quantised = any(node.op_type == "QuantizeLinear" for node in model.nodes)
    if "INT8" not in config._flags or quantised:
        return None
    if config.int8_calibrator is None:
        return "Calibration failure: no calibrator"
    cache = bytes(config.int8_calibrator.read_calibration_cache()).decode()
    _machine.seen.append(("cache", cache))
    major, minor, patch = (int(number) for number in __version__.split(".")[:3])
    number = major * (10000 if major >= 10 else 1000) + minor * 100 + patch
    if cache.splitlines()[0] != f"TRT-{number}-EntropyCalibration2":
        return "Calibration table does not match calibrator algorithm type."
    return None


def _array(address, shape, kind):
    """The memory at an address, as an array of that shape and type."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    memory = (ctypes.c_char * size).from_address(address)
    return np.frombuffer(memory, kind).reshape(shape)
