"""Counters of electrical throttling on Orin and Thor. They only grow, so differences count.

Names and meaning: NVIDIA's soctherm-oc-event driver and the Jetson Linux power pages.
"""

from typing import Dict, Optional

from boards import Board
from boards.files import Root
from boards.sensors import Notes, Sample, Sensor

HWMON = "sys/class/hwmon"
CHIP = "soctherm_oc"
COUNTERS = {
    "oc1_event_cnt": "oc1_undervoltage_count",
    "oc2_event_cnt": "oc2_average_overcurrent_count",
    "oc3_event_cnt": "oc3_peak_overcurrent_count",  # grows by thousands under normal load
}


class Throttle(Sensor):
    """Counts of over-current and under-voltage events since boot."""

    def __init__(self, root: Root, paths: Dict[str, str]) -> None:
        self.root = root
        self.paths = paths

    def read(self) -> Sample:
        return {key: self.root.number(path) for key, path in self.paths.items()}


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``."""
    paths: Dict[str, str] = {}
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
