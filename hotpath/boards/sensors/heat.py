"""Temperatures: Linux thermal zones, hwmon chips of processors, the ADC of Zynq chips (iio)."""

import re
from typing import Dict, Optional

from hotpath.boards import Board
from hotpath.boards.files import Root
from hotpath.boards.sensors import (
    HWMON,
    Found,
    Reader,
    Sample,
    Sensor,
    Value,
    key_of,
    reader,
    unique,
)

ZONES = ("sys/devices/virtual/thermal", "sys/class/thermal")
PROCESSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")  # chips that measure a processor
IIO = "sys/bus/iio/devices"
# The PMIC's zone always reports one of these on Nano, TX2 and Xavier.
PMIC_CONSTANTS_C = (50.0, 100.0)
SHORT = re.compile(r"[-_]therm(al)?$", re.I)  # what a zone's type may end in
COLDEST_C = -55.0  # no chip is rated for less; a lower figure (-256) means "no reading"


class Heat(Sensor):
    """All temperatures in degrees Celsius, and the hottest one."""

    def read(self) -> Sample:
        values: Sample = {key: _sane(read()) for key, read in self.readers.items()}
        readings = [value for value in values.values() if isinstance(value, (int, float))]
        # A Jetson's tj is the hottest of its sensors by definition, including those that are off.
        values["hottest_temp_c"] = values.get("tj_temp_c") or (max(readings) if readings else None)
        return values


def find(root: Root, board: Optional[Board], found: Found) -> Optional[Sensor]:
    """Find the temperatures; returns their ``Sensor``, or None."""
    readers: Dict[str, Reader] = {}
    _find_zones(root, board, found, readers)
    _find_chips(root, found, readers)
    _find_adc(root, found, readers)
    return Heat(readers) if readers else None


def _find_zones(
    root: Root, board: Optional[Board], found: Found, readers: Dict[str, Reader]
) -> None:
    skip = board.sensors["thermal_skip"] if board is not None else {}
    for base in ZONES:
        zones = [base + "/" + name for name in root.list(base) if name.startswith("thermal_zone")]
        for folder in zones:
            kind = root.text(folder + "/type")
            read = reader(root, folder + "/temp", 0.001, digits=3)
            is_constant = (kind or "").upper().startswith("PMIC") and read() in PMIC_CONSTANTS_C
            if kind and kind not in skip and not is_constant:
                # A zone that can't be read now may be readable later, when its part is awake.
                key = unique(key_of(SHORT.sub("", kind)), "_temp_c", readers)
                readers[key] = read
                found[key] = folder + "/temp"
        if zones:
            return


def _find_chips(root: Root, found: Found, readers: Dict[str, Reader]) -> None:
    for chip in root.list(HWMON):
        folder = HWMON + "/" + chip
        name = root.text(folder + "/name")
        if name not in PROCESSORS:
            continue
        for entry in root.list(folder):
            if entry.startswith("temp") and entry.endswith("_input"):
                label = root.text(folder + "/" + entry[: -len("input")] + "label") or ""
                key = unique(key_of(name + " " + label), "_temp_c", readers)
                readers[key] = reader(root, folder + "/" + entry, 0.001, digits=3)
                found[key] = folder + "/" + entry


def _find_adc(root: Root, found: Found, readers: Dict[str, Reader]) -> None:
    """Find the ADC of Zynq chips. (raw + offset) * scale is in thousandths of a degree."""
    for device in root.list(IIO):
        folder = IIO + "/" + device
        for entry in root.list(folder):
            if entry.startswith("in_temp") and entry.endswith("_raw"):
                stem = folder + "/" + entry[: -len("raw")]
                scale = root.number(stem + "scale")
                if scale is None:
                    continue
                words = entry[len("in_temp") : -len("_raw")].split("_", 1)
                part = words[1] if len(words) == 2 else "chip"
                key = unique(key_of(part.replace("_temp", "")), "_temp_c", readers)
                offset = root.number(stem + "offset") or 0
                readers[key] = reader(root, folder + "/" + entry, 0.001 * scale, offset, 3)
                found[key] = folder + "/" + entry


def _sane(temp_c: Value) -> Value:
    """Return None for the -256 of a sensor that is off, given in degrees or in thousandths."""
    is_off = isinstance(temp_c, (int, float)) and (temp_c < COLDEST_C or temp_c == -0.256)
    return None if is_off else temp_c
