"""Counters of electrical throttling on Orin and Thor. They only grow, so differences count.

Names and meaning: NVIDIA's soctherm-oc-event driver and the Jetson Linux power pages.
"""

from typing import Dict, Optional

from hotpath.boards import Board
from hotpath.boards.files import Root
from hotpath.boards.sensors import HWMON, Found, Reader, Sensor, reader

CHIP = "soctherm_oc"
COUNTERS = {
    "oc1_event_cnt": "oc1_undervoltage_count",
    "oc2_event_cnt": "oc2_average_overcurrent_count",
    "oc3_event_cnt": "oc3_peak_overcurrent_count",  # grows by thousands under normal load
}


def find(root: Root, board: Optional[Board], found: Found) -> Optional[Sensor]:
    """Find the counters of throttling; returns their ``Sensor``, or None."""
    readers: Dict[str, Reader] = {}
    folders = [HWMON + "/" + chip for chip in root.list(HWMON)]
    for folder in [
        folder_name for folder_name in folders if root.text(folder_name + "/name") == CHIP
    ]:
        for name, key in COUNTERS.items():
            path = folder + "/" + name
            if root.number(path) is not None:
                readers[key] = reader(root, path)
                found[key] = path
    return Sensor(readers) if readers else None
