"""Cooling devices, which slow a part down when it is hot.

A state above zero means that the device limits something. Two kinds of device are no throttle:
fans, and the hot-surface alert of Orin modules. On those, the trip at 70 degrees Celsius is bound
only to the alert. The trip that lowers the clocks is at 99 degrees.
"""

from typing import Dict, List, Mapping, Optional

from hotpath.boards import Board
from hotpath.boards.files import Root
from hotpath.boards.sensors import Notes, Reader, Sensor, key_of, reader, unique

DEVICES = "sys/class/thermal"
# Part of a device's type -> why its state says nothing of throttling.
NO_THROTTLE = {
    "fan": "a fan, not a throttle",
    "hot-surface-alert": "it warns people of a hot surface and slows nothing down",
}


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """Find the cooling devices; returns their ``Sensor``, or None."""
    readers: Dict[str, Reader] = {}
    for device in root.list(DEVICES):
        if not device.startswith("cooling_device"):
            continue
        folder = DEVICES + "/" + device
        kind = root.text(folder + "/type") or ""
        path = folder + "/cur_state"
        why = next((why for part, why in NO_THROTTLE.items() if part in kind.lower()), None)
        if why:
            notes.skip(folder, f"{kind}: {why}")
        elif root.number(path) is None:
            notes.skip(folder, f"{kind or 'no type'}: its state can't be read")
        else:
            key = unique("cooling_" + key_of(kind), "_state", readers)
            readers[key] = reader(root, path)
            notes.found[key] = path
    return Sensor(readers) if readers else None


def active(sample: Mapping[str, object]) -> List[str]:
    """Return the keys of the cooling devices that slow something down in a sample, sorted."""
    states = [key for key in sample if key.startswith("cooling_") and key.endswith("_state")]
    numbers = [(key, sample[key]) for key in states]
    return sorted(key for key, value in numbers if isinstance(value, (int, float)) and value > 0)
