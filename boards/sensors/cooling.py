"""Cooling devices, which slow a part down when it is hot.

A state above zero means that the device limits something. Two kinds of device are no throttle:
fans, and the hot-surface alert of Orin modules. On those, the trip at 70 degrees Celsius is bound
to the alert alone. The trip that lowers the clocks is at 99 degrees.
"""

from typing import Dict, List, Mapping, Optional

from boards import Board
from boards.files import Root
from boards.sensors import Notes, Sample, Sensor, key_of, unique

DEVICES = "sys/class/thermal"
# Part of a device's type -> why its state says nothing of throttling.
NO_THROTTLE = {
    "fan": "a fan, not a throttle",
    "hot-surface-alert": "it warns people of a hot surface and slows nothing down",
}


class Cooling(Sensor):
    """States of cooling devices."""

    def __init__(self, root: Root, paths: Dict[str, str]) -> None:
        self.root = root
        self.paths = paths

    def read(self) -> Sample:
        return {key: self.root.number(path) for key, path in self.paths.items()}


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``."""
    paths: Dict[str, str] = {}
    for device in root.list(DEVICES):
        if not device.startswith("cooling_device"):
            continue
        folder = DEVICES + "/" + device
        kind = root.text(folder + "/type") or ""
        why = next((why for part, why in NO_THROTTLE.items() if part in kind.lower()), None)
        if why:
            notes.skip(folder, f"{kind}: {why}")
        elif root.number(folder + "/cur_state") is None:
            notes.skip(folder, "{}: its state can't be read".format(kind or "no type"))
        else:
            key = unique("cooling_" + key_of(kind), "_state", paths)
            paths[key] = folder + "/cur_state"
            notes.use(key, folder + "/cur_state")
    return Cooling(root, paths) if paths else None


def active(sample: Mapping[str, object]) -> List[str]:
    """Return the keys of the cooling devices that slow something down in a sample, sorted."""
    return sorted(
        key
        for key, value in sample.items()
        if key.startswith("cooling_")
        and key.endswith("_state")
        and isinstance(value, (int, float))
        and value > 0
    )
