"""A fake ``tensorrt`` for each family of versions: ``bindings.py`` with the names of that family.

A family is a version, the one of ``surfaces.txt`` whose names it has, and what it lacks of them.
"""

import enum
import importlib.util
import pathlib

from hotpath_nogpu.tensorrt.prepare import read_surfaces

# Names of 8.6.1 that 8.2 lacks, by class, and the module's own by "tensorrt". No wheel of 8.2 tells
# them, but the releases' notes do: they came with pools of memory (8.4) and names of tensors (8.5).
LATER = {
    "tensorrt": "MemoryPoolType",
    "TacticSource": "EDGE_MASK_CONVOLUTIONS JIT_CONVOLUTIONS",
    "IBuilderConfig": "set_memory_pool_limit",
    "ICudaEngine": "num_io_tensors get_tensor_name get_tensor_shape get_tensor_dtype",
    "IExecutionContext": "set_tensor_address execute_async_v3",
}
FAMILIES = {
    "8.2": ("8.2.1.8", "8.6.1", LATER),
    "8.6": ("8.6.1", "8.6.1", {}),
    "10": ("10.3.0", "10.3.0", {}),
    "10.13": ("10.13.3.9", "10.13.3.9", {}),
    "11": ("11.4.0.106", "11.4.0.106", {}),
}


class FakeMachine:
    """The computer that the fakes simulate. Tests may change it."""

    def __init__(self, capability="5.3"):
        self.capability = capability
        self.memory = None  # the most nodes of a plan that a context has memory for
        self.tensor_kernels = None  # does the parser take them; None: as the version does
        self.broken = False  # is the driver too old for TensorRT's CUDA
        self.graph = None  # that is being captured
        self.seen = []  # (what, value): flags set, caches read
        self.enqueue = lambda handle, work: work()  # of a stream's handle
        self.take_memory = lambda: None  # what a context does in its first call
        self.spoil = lambda outputs: outputs  # what plans compute in place of a dict of arrays


def load():
    """Return a module with the names of all families, and a dict of its public classes."""
    path = pathlib.Path(__file__).with_name("bindings.py")
    spec = importlib.util.spec_from_file_location("tensorrt", str(path))
    trt = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(trt)
    classes = {name: kind for name, kind in vars(trt).items() if isinstance(kind, type)}
    return trt, {name: kind for name, kind in classes.items() if name[0] != "_"}


def make(family, machine=None):
    """Return the fake module of a family, one of ``FAMILIES``."""
    (trt, classes), names = load(), names_of(family)
    trt._family, trt._machine, trt.__version__ = (
        family,
        machine or FakeMachine(),
        FAMILIES[family][0],
    )
    for name, kind in classes.items():
        if name not in names["tensorrt"]:
            delattr(trt, name)
        elif issubclass(kind, enum.IntEnum):
            left = [(each.name, each.value) for each in kind if each.name in names[name]]
            setattr(trt, name, enum.IntEnum(name, left))
        elif not issubclass(kind, enum.Enum):
            for part in [part for part in vars(kind) if part[0] != "_" and part not in names[name]]:
                delattr(kind, part)
    return trt


def names_of(family):
    """dict of class -> set of the names that a family has, and "tensorrt" -> the module's."""
    _, real, lacks = FAMILIES[family]
    found = read_surfaces()[real]
    for name, names in lacks.items():
        found[name] -= set(names.split())
    return found
