"""What slows a board down: cooling devices by heat, and counters of electrical throttling.

A state of a cooling device above zero means that it limits something. Two kinds of device are no
throttle: fans, and the hot-surface alert of Orin modules. On those, the trip at 70 degrees Celsius
is bound only to the alert. The trip that lowers the clocks is at 99 degrees.

The counters are those of Orin and Thor. They only grow, so differences count. Names and meaning:
NVIDIA's soctherm-oc-event driver and the Jetson Linux power pages.
"""

from typing import Dict, List, Mapping, Optional

from hotpath.boards import Board
from hotpath.boards.files import Root
from hotpath.boards.sensors import HWMON, Found, Reader, Sensor, key_of, reader, unique

DEVICES = "sys/class/thermal"
NO_THROTTLE = ("fan", "hot-surface-alert")  # parts of a device's type
CHIP = "soctherm_oc"
COUNTERS = {
    "oc1_event_cnt": "oc1_undervoltage_count",
    "oc2_event_cnt": "oc2_average_overcurrent_count",
    "oc3_event_cnt": "oc3_peak_overcurrent_count",  # grows by thousands under normal load
}


def find(root: Root, board: Optional[Board], found: Found) -> Optional[Sensor]:
    """Find cooling devices and counters; returns their ``Sensor``, or None."""
    paths: Dict[str, str] = {}
    for device in root.list(DEVICES):
        if not device.startswith("cooling_device"):
            continue
        kind = root.text(f"{DEVICES}/{device}/type") or ""
        path = f"{DEVICES}/{device}/cur_state"
        is_throttle = not any(part in kind.lower() for part in NO_THROTTLE)
        if is_throttle and root.number(path) is not None:
            paths[unique("cooling_" + key_of(kind), "_state", paths)] = path
    for chip in root.list(HWMON):
        if root.text(f"{HWMON}/{chip}/name") == CHIP:
            files = {key: f"{HWMON}/{chip}/{name}" for name, key in COUNTERS.items()}
            paths.update((k, path) for k, path in files.items() if root.number(path) is not None)
    found.update(paths)
    readers: Dict[str, Reader] = {key: reader(root, path) for key, path in paths.items()}
    return Sensor(readers) if readers else None


def active(sample: Mapping[str, object]) -> List[str]:
    """Return the keys of the cooling devices that slow something down in a sample, sorted."""
    states = [key for key in sample if key.startswith("cooling_") and key.endswith("_state")]
    numbers = [(key, sample[key]) for key in states]
    return sorted(key for key, value in numbers if isinstance(value, (int, float)) and value > 0)
