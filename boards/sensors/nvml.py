"""An NVIDIA GPU through its driver's own library (NVML): Thor's load, and a computer's GPU.

Read by ctypes from libnvidia-ml.so.1, for the first GPU; names and numbers: NVML API reference. It
tells of this computer only, so it is not asked about a board under another root.
"""

import ctypes

LIBRARY = "libnvidia-ml.so.1"
GRAPHICS, GPU_TEMPERATURE = 0, 0  # NVML_CLOCK_GRAPHICS, NVML_TEMPERATURE_GPU
# Reasons why clocks are low that mean trouble: hardware slowdown, software and hardware thermal
# slowdown, power brake. Idling, chosen clocks and the power cap are left out.
TROUBLE = 0x08 | 0x20 | 0x40 | 0x80


class Utilization(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class Nvml:
    def __init__(self, library, device, readers):
        self.library = library  # it must stay loaded
        self.device = device
        self.readers = readers  # key -> function that gives the value, or None

    def read(self):
        return {key: read() for key, read in self.readers.items()}


def find(root, board, notes):
    """See ``boards.sensors``. Leaves out what the files of ``gpu.py`` gave already."""
    if not root.is_this_computer:
        return None
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return None  # no NVIDIA driver, which is no news
    device = ctypes.c_void_p()
    if _ask(library, "nvmlInit_v2") or _ask(
        library, "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(0), ctypes.byref(device)
    ):
        notes.skip(LIBRARY, "the driver gives no GPU")
        return None
    readers = {}
    for key, read in _readers(library, device).items():
        if key in notes.found:
            continue
        if read() is None:
            notes.skip(LIBRARY, "{}: the driver does not tell it here".format(key))
            continue
        readers[key] = read
        notes.use(key, LIBRARY)
    return Nvml(library, device, readers)


def _readers(library, device):
    def number(function, *arguments, kind=ctypes.c_uint, factor=1):
        def read():
            value = kind()
            failed = _ask(library, function, device, *arguments, ctypes.byref(value))
            return None if failed else value.value * factor

        return read

    def load():
        rates = Utilization()
        failed = _ask(library, "nvmlDeviceGetUtilizationRates", device, ctypes.byref(rates))
        return None if failed else rates.gpu

    reasons = number("nvmlDeviceGetCurrentClocksThrottleReasons", kind=ctypes.c_ulonglong)

    def trouble():
        bits = reasons()
        return None if bits is None else bits & TROUBLE

    clock = ctypes.c_uint(GRAPHICS)
    return {
        "gpu_clock_hz": number("nvmlDeviceGetClockInfo", clock, factor=1000000),
        "gpu_clock_max_hz": number("nvmlDeviceGetMaxClockInfo", clock, factor=1000000),
        "gpu_load_percent": load,
        "gpu_temp_c": number("nvmlDeviceGetTemperature", ctypes.c_uint(GPU_TEMPERATURE)),
        "gpu_power_mw": number("nvmlDeviceGetPowerUsage"),
        "cooling_nvidia_gpu_state": trouble,
    }


def _ask(library, function, *arguments):
    """Call a function; its status, 0 for success. A function that an old driver lacks fails."""
    try:
        return getattr(library, function)(*arguments)
    except AttributeError:
        return -1
