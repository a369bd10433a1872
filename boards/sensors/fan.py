"""Fans: how hard they are driven and how fast they turn."""

from typing import Optional

from boards import Board
from boards.files import Root
from boards.sensors import HWMON, Notes, Sensor, reader

NANO = "sys/devices/pwm-fan"
FULL = 255.0  # pwm of a fan at full drive


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``."""
    chips = [HWMON + "/" + chip for chip in root.list(HWMON)]
    names = {folder: root.text(folder + "/name") or "" for folder in chips}
    fans = [folder for folder, name in names.items() if "fan" in name]
    drives = [folder + "/pwm1" for folder in fans] + [NANO + "/cur_pwm"]
    speeds = [folder + "/rpm" for folder, name in names.items() if name == "pwm_tach"]
    speeds += [folder + "/fan1_input" for folder in fans + chips] + [NANO + "/rpm_measured"]
    readers = {}
    for key, paths, factor, digits in (
        ("fan_percent", drives, 100 / FULL, 1),
        ("fan_rpm", speeds, 1, None),
    ):
        path = next((path for path in paths if root.number(path) is not None), None)
        if path:
            readers[key] = reader(root, path, factor, digits=digits)
            notes.use(key, path)
    return Sensor(readers) if readers else None
