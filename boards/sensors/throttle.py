"""Orin's and Thor's counters of electrical throttling. They only grow: differences count.

Names and meaning: NVIDIA's soctherm-oc-event driver and the Jetson Linux power pages.
"""

HWMON = "sys/class/hwmon"
CHIP = "soctherm_oc"
COUNTERS = {
    "oc1_event_cnt": "oc1_undervoltage_count",
    "oc2_event_cnt": "oc2_average_overcurrent_count",
    "oc3_event_cnt": "oc3_peak_overcurrent_count",  # grows by thousands under plain load
}


class Throttle:
    def __init__(self, root, paths):
        self.root = root
        self.paths = paths

    def read(self):
        return {key: self.root.number(path) for key, path in self.paths.items()}


def find(root, board, notes):
    """See ``boards.sensors``."""
    paths = {}
    for chip in root.list(HWMON):
        folder = HWMON + "/" + chip
        if root.text(folder + "/name") != CHIP:
            continue
        for name, key in COUNTERS.items():
            if root.number(folder + "/" + name) is None:
                notes.skip(folder + "/" + name, "the counter can't be read")
            else:
                paths[key] = folder + "/" + name
                notes.use(key, folder + "/" + name)
    return Throttle(root, paths) if paths else None
