"""Fans: how hard they are driven and how fast they turn."""

from typing import Optional, Sequence

from boards import Board
from boards.files import Root
from boards.sensors import Notes, Sample, Sensor

HWMON = "sys/class/hwmon"
NANO = "sys/devices/pwm-fan"
FULL = 255.0  # pwm of a fan at full drive


class Fan(Sensor):
    """Drive and speed of the fan."""

    def __init__(self, root: Root, pwm: Optional[str], rpm: Optional[str]) -> None:
        self.root = root
        self.pwm = pwm
        self.rpm = rpm

    def read(self) -> Sample:
        values: Sample = {}
        if self.pwm:
            pwm = self.root.number(self.pwm)
            values["fan_percent"] = None if pwm is None else round(100 * pwm / FULL, 1)
        if self.rpm:
            values["fan_rpm"] = self.root.number(self.rpm)
        return values


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``."""
    folders = [HWMON + "/" + chip for chip in root.list(HWMON)]
    fans = [folder for folder in folders if "fan" in (root.text(folder + "/name") or "")]
    tachs = [folder for folder in folders if root.text(folder + "/name") == "pwm_tach"]
    pwm = _first(root, [folder + "/pwm1" for folder in fans] + [NANO + "/cur_pwm"])
    rpm = _first(
        root,
        [folder + "/rpm" for folder in tachs]
        + [folder + "/fan1_input" for folder in fans + folders]
        + [NANO + "/rpm_measured"],
    )
    for key, path in (("fan_percent", pwm), ("fan_rpm", rpm)):
        if path:
            notes.use(key, path)
    return Fan(root, pwm, rpm) if pwm or rpm else None


def _first(root: Root, paths: Sequence[str]) -> Optional[str]:
    return next((path for path in paths if root.number(path) is not None), None)
