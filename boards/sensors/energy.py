"""Energy counters of x86 processors (RAPL). Kernels since 2020 show them to root only."""

import time
from typing import Dict, Optional, Tuple, Union

from boards import Board
from boards.files import Root
from boards.sensors import Notes, Sample, Sensor, key_of, unique

POWERCAP = "sys/class/powercap"


Zones = Dict[str, Tuple[str, Union[int, float, None]]]


class Energy(Sensor):
    """Energy and mean power of the zones that RAPL counts."""

    def __init__(self, root: Root, zones: Zones) -> None:
        super().__init__({})
        self._root = root
        self._before: Dict[str, Tuple[float, Union[int, float]]] = {}
        self._zones = zones  # key -> (folder, range of the counter in microjoules)

    def read(self) -> Sample:
        """Read the energy since the counters began, and the mean power since the last reading."""
        values: Sample = {}
        for key, (folder, span) in self._zones.items():
            energy, now = self._root.number(folder + "/energy_uj"), time.monotonic()
            values[key + "_energy_uj"] = energy
            values[key + "_power_mw"] = None
            if key in self._before and energy is not None:
                then, energy_then = self._before[key]
                used_uj = (energy - energy_then) % span if span else energy - energy_then
                values[key + "_power_mw"] = round(used_uj / 1000.0 / max(now - then, 1e-6), 1)
            if energy is not None:
                self._before[key] = (now, energy)
        return values


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``."""
    zones: Zones = {}
    for zone in root.list(POWERCAP):
        folder = POWERCAP + "/" + zone
        name = root.text(folder + "/name")
        if not name or ":" not in zone:
            continue
        if root.number(folder + "/energy_uj") is None:
            notes.skip(folder, f"{name}: the kernel shows it to root only")
            continue
        # the range is the counter's largest value; one step later it wraps to zero
        largest = root.number(folder + "/max_energy_range_uj")
        key = unique("rapl_" + key_of(name), "", zones)
        zones[key] = (folder, largest + 1 if largest else None)
        notes.use(key + "_energy_uj", folder + "/energy_uj")
    return Energy(root, zones) if zones else None
