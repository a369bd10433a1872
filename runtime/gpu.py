"""What the NVIDIA driver says of a GPU, asked by ctypes before a library is loaded that needs one.

TensorRT's own classes end the process (a segmentation fault) where there is no driver.
"""

import ctypes
from collections import namedtuple

from kernels.cuda import device
from kernels.cuda.errors import NoGpu

MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR

Gpu = namedtuple("Gpu", "name compute_capability driver")
Gpu.__doc__ = """A GPU.

Attributes:
    name: such as "Orin".
    compute_capability: such as "8.7".
    driver: the CUDA version that the driver knows, such as "12.6".
"""


def look(index=0):
    """The GPU of that number.

    Raises:
        NoGpu: no driver, a driver that does not start, or no such GPU.
    """
    library = device.driver()
    _check(library, library.cuInit(0), "the NVIDIA driver does not start")
    handle, number, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(128)
    _check(library, library.cuDeviceGet(ctypes.byref(handle), index), "there is no GPU")
    _check(library, library.cuDeviceGetName(name, 128, handle), "the GPU has no name")
    capability = []
    for attribute in (MAJOR, MINOR):
        result = library.cuDeviceGetAttribute(ctypes.byref(number), attribute, handle)
        _check(library, result, "the GPU does not say what it is")
        capability.append(number.value)
    _check(library, library.cuDriverGetVersion(ctypes.byref(number)), "the driver has no version")
    version = "{}.{}".format(number.value // 1000, number.value % 1000 // 10)
    return Gpu(name.value.decode("utf-8", "replace"), "{}.{}".format(*capability), version)


def _check(library, result, what):
    if result:
        raise NoGpu("{} ({}); run `python -m boards`".format(what, _words(library, result)))


def _words(library, result):
    """The driver's own words for an error."""
    words = ctypes.c_char_p()
    describe = getattr(library, "cuGetErrorString", None)
    if describe is None or describe(result, ctypes.byref(words)) or not words.value:
        return "error {}".format(result)
    return words.value.decode("utf-8", "replace")
