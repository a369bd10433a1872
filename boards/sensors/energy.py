"""Energy counters of x86 processors (RAPL). Kernels since 2020 show them to root alone."""

import time

from boards.sensors import key_of, unique

POWERCAP = "sys/class/powercap"


class Energy:
    def __init__(self, root, zones):
        self.root = root
        self.zones = zones  # key -> (folder, range of the counter in microjoules)
        self.before = {}

    def read(self):
        """Energy since the start of the counters, and mean power since the last reading."""
        values = {}
        for key, (folder, span) in self.zones.items():
            energy, now = self.root.number(folder + "/energy_uj"), time.monotonic()
            values[key + "_energy_uj"] = energy
            values[key + "_power_mw"] = None
            if key in self.before and energy is not None:
                then, energy_then = self.before[key]
                used_uj = (energy - energy_then) % span if span else energy - energy_then
                values[key + "_power_mw"] = round(used_uj / 1000.0 / max(now - then, 1e-6), 1)
            if energy is not None:
                self.before[key] = (now, energy)
        return values


def find(root, board, notes):
    """See ``boards.sensors``."""
    zones = {}
    for zone in root.list(POWERCAP):
        folder = POWERCAP + "/" + zone
        name = root.text(folder + "/name")
        if not name or ":" not in zone:
            continue
        if root.number(folder + "/energy_uj") is None:
            notes.skip(folder, "{}: the kernel shows it to root alone".format(name))
            continue
        # the range is the counter's largest value, so it wraps to zero one step beyond
        largest = root.number(folder + "/max_energy_range_uj")
        key = unique("rapl_" + key_of(name), "", zones)
        zones[key] = (folder, largest + 1 if largest else None)
        notes.use(key + "_energy_uj", folder + "/energy_uj")
    return Energy(root, zones) if zones else None
