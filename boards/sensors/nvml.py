"""An NVIDIA GPU through its driver's own library (NVML): Thor's load, and a computer's GPU.

Reads the first GPU by ctypes from libnvidia-ml.so.1. Names and numbers: NVML API reference. The
library speaks of this computer only, so it is not asked about a board under another root.
"""

import ctypes
from typing import Any, Callable, Dict, Optional

from boards import Board
from boards.files import Root
from boards.sensors import Notes, Reader, Sensor

LIBRARY = "libnvidia-ml.so.1"
GRAPHICS, GPU_TEMPERATURE = 0, 0  # NVML_CLOCK_GRAPHICS, NVML_TEMPERATURE_GPU
# Reasons for low clocks that mean trouble: hardware slowdown, software and hardware thermal
# slowdown, power brake. Idling, chosen clocks and the power cap are left out.
TROUBLE = 0x08 | 0x20 | 0x40 | 0x80


class Utilization(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``. Leaves out what the files of ``gpu.py`` gave already."""
    if not root.is_this_computer:
        return None
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return None  # no NVIDIA driver: most computers have none
    device = ctypes.c_void_p()
    if _ask(library, "nvmlInit_v2") or _ask(
        library, "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(0), ctypes.byref(device)
    ):
        notes.skip(LIBRARY, "the driver finds no GPU")
        return None
    readers: Dict[str, Reader] = {}
    for key, read in _readers(library, device).items():
        if key in notes.found:
            continue
        if read() is None:
            notes.skip(LIBRARY, f"{key}: the driver does not tell it here")
            continue
        readers[key] = read
        notes.use(key, LIBRARY)
    return Sensor(readers)


def _readers(library: ctypes.CDLL, device: ctypes.c_void_p) -> Dict[str, Reader]:
    def number(
        function: str, *arguments: Any, kind: Any = ctypes.c_uint, factor: int = 1
    ) -> Callable[[], Optional[int]]:
        def read() -> Optional[int]:
            value = kind()
            failed = _ask(library, function, device, *arguments, ctypes.byref(value))
            return None if failed else int(value.value) * factor

        return read

    def load() -> Optional[int]:
        rates = Utilization()
        failed = _ask(library, "nvmlDeviceGetUtilizationRates", device, ctypes.byref(rates))
        return None if failed else int(rates.gpu)

    reasons = number("nvmlDeviceGetCurrentClocksThrottleReasons", kind=ctypes.c_ulonglong)

    def trouble() -> Optional[int]:
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


def _ask(library: ctypes.CDLL, function: str, *arguments: Any) -> int:
    """Call a function and return its status, 0 for success. -1 when an old driver lacks it."""
    try:
        return int(getattr(library, function)(*arguments))
    except AttributeError:
        return -1
