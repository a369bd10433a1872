"""A Jetson's GPU: its clock, limits and load. Paths: Linux's devfreq class; jetson_stats."""

from typing import Optional

from hotpath.boards import Board
from hotpath.boards.files import Root
from hotpath.boards.sensors import Found, Sensor, reader

# The device tree's name of the GPU, one for each chip. From JetPack 6 on it is "gpu".
NODES = ("gpu", "gm20b", "gp10b", "gv11b", "ga10b", "gb10b")
# Thor's devfreq has no such node. It is recognised by the entry's name.
NAMES = ("gpu-gpc-",)
DEVFREQ = "sys/class/devfreq"
LOADS = (
    "sys/devices/gpu.0/load",
    "sys/devices/platform/gpu.0/load",
    "sys/devices/platform/bus@0/17000000.gpu/load",
)


def find(root: Root, board: Optional[Board], found: Found) -> Optional[Sensor]:
    """Find the GPU's clock, limits and load; returns their ``Sensor``, or None."""
    folder = _folder(root)
    if folder is None:
        return None
    found["gpu_clock_hz"] = folder + "/cur_freq"
    now, low, high = (reader(root, f"{folder}/{end}_freq") for end in ("cur", "min", "max"))
    readers = {"gpu_clock_hz": now, "gpu_clock_min_hz": low, "gpu_clock_max_hz": high}
    loads = (folder + "/device/load",) + LOADS
    load = next((path for path in loads if root.number(path) is not None), None)
    if load:
        readers["gpu_load_percent"] = reader(root, load, 0.1)  # from per mille
        found["gpu_load_percent"] = load
    return Sensor(readers, ((low, high),))


def _folder(root: Root) -> Optional[str]:
    for entry in root.list(DEVFREQ):
        folder = DEVFREQ + "/" + entry
        node = root.text(folder + "/device/of_node/name")
        is_gpu = node in NODES or entry.startswith(NAMES)
        if is_gpu and root.number(folder + "/cur_freq") is not None:
            return folder
    return None
