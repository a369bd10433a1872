"""Cooling devices, which slow a part down when it is hot.

A state above zero means that the device limits something. Two kinds of device are no throttle:
fans, and the hot-surface alert of Orin modules. On those, the trip at 70 degrees Celsius is bound
only to the alert. The trip that lowers the clocks is at 99 degrees.
"""

from typing import Dict, List, Mapping, Optional

from hotpath.boards import Board
from hotpath.boards.files import Root
from hotpath.boards.sensors import Found, Reader, Sensor, key_of, reader, unique

DEVICES = "sys/class/thermal"
NO_THROTTLE = ("fan", "hot-surface-alert")  # parts of a device's type


def find(root: Root, board: Optional[Board], found: Found) -> Optional[Sensor]:
    """Find the cooling devices; returns their ``Sensor``, or None."""
    readers: Dict[str, Reader] = {}
    for device in root.list(DEVICES):
        if not device.startswith("cooling_device"):
            continue
        folder = DEVICES + "/" + device
        kind = root.text(folder + "/type") or ""
        path = folder + "/cur_state"
        is_throttle = not any(part in kind.lower() for part in NO_THROTTLE)
        if is_throttle and root.number(path) is not None:
            key = unique("cooling_" + key_of(kind), "_state", readers)
            readers[key] = reader(root, path)
            found[key] = path
    return Sensor(readers) if readers else None


def active(sample: Mapping[str, object]) -> List[str]:
    """Return the keys of the cooling devices that slow something down in a sample, sorted."""
    states = [key for key in sample if key.startswith("cooling_") and key.endswith("_state")]
    numbers = [(key, sample[key]) for key in states]
    return sorted(key for key, value in numbers if isinstance(value, (int, float)) and value > 0)
