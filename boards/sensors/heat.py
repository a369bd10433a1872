"""Temperatures: Linux thermal zones, hwmon chips of processors, the ADC of Zynq chips (iio)."""

from typing import Callable, Dict, Optional

from boards import Board
from boards.files import Root
from boards.sensors import Notes, Sample, Sensor, key_of, unique

ZONES = ("sys/devices/virtual/thermal", "sys/class/thermal")
HWMON = "sys/class/hwmon"
PROCESSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")  # chips that measure a processor
IIO = "sys/bus/iio/devices"
# The PMIC's zone always reports one of these on Nano, TX2 and Xavier.
PMIC_CONSTANTS_C = (50.0, 100.0)
COLDEST_C = -55.0  # no chip is rated for less; a lower figure (-256) means "no reading"

Reader = Callable[[], Optional[float]]


class Heat(Sensor):
    """All temperatures, and the hottest one."""

    def __init__(self, readers: Dict[str, Reader]) -> None:
        self.readers = readers  # functions that return degrees Celsius, or None

    def read(self) -> Sample:
        temps = {key: _sane(read()) for key, read in self.readers.items()}
        known = [value for value in temps.values() if value is not None]
        values: Sample = dict(temps)
        # A Jetson's tj is the hottest of its sensors by definition, including those that are off.
        values["hottest_temp_c"] = temps.get("tj_temp_c") or (max(known) if known else None)
        return values


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``."""
    readers: Dict[str, Reader] = {}
    _find_zones(root, board, notes, readers)
    _find_chips(root, notes, readers)
    _find_adc(root, notes, readers)
    return Heat(readers) if readers else None


def _find_zones(
    root: Root, board: Optional[Board], notes: Notes, readers: Dict[str, Reader]
) -> None:
    skip = board.sensors["thermal_skip"] if board is not None else {}
    for base in ZONES:
        zones = [name for name in root.list(base) if name.startswith("thermal_zone")]
        for zone in zones:
            folder = base + "/" + zone
            kind = root.text(folder + "/type")
            if not kind:
                notes.skip(folder, "it has no type")
            elif kind in skip:
                notes.skip(folder, f"{kind}: {skip[kind]}")
            else:
                read = _reader(root, folder + "/temp", 0.001)
                if kind.upper().startswith("PMIC") and read() in PMIC_CONSTANTS_C:
                    notes.skip(folder, f"{kind}: a constant, not a measurement")
                    continue
                # A zone that can't be read now may be readable later, when its part is awake.
                key = unique(key_of(_short(kind)), "_temp_c", readers)
                readers[key] = read
                notes.use(key, folder + "/temp")
                if _sane(read()) is None:
                    notes.skip(folder, f"{kind}: no reading now, asked again each time")
        if zones:
            return


def _find_chips(root: Root, notes: Notes, readers: Dict[str, Reader]) -> None:
    for chip in root.list(HWMON):
        folder = HWMON + "/" + chip
        name = root.text(folder + "/name")
        if name not in PROCESSORS:
            continue
        for entry in root.list(folder):
            if entry.startswith("temp") and entry.endswith("_input"):
                label = root.text(folder + "/" + entry[: -len("input")] + "label") or ""
                key = unique(key_of(name + " " + label), "_temp_c", readers)
                readers[key] = _reader(root, folder + "/" + entry, 0.001)
                notes.use(key, folder + "/" + entry)


def _find_adc(root: Root, notes: Notes, readers: Dict[str, Reader]) -> None:
    """Find the ADC of Zynq chips. (raw + offset) * scale is in thousandths of a degree."""
    for device in root.list(IIO):
        folder = IIO + "/" + device
        for entry in root.list(folder):
            if entry.startswith("in_temp") and entry.endswith("_raw"):
                stem = folder + "/" + entry[: -len("raw")]
                scale = root.number(stem + "scale")
                if scale is None:
                    notes.skip(folder + "/" + entry, "it has no scale")
                    continue
                words = entry[len("in_temp") : -len("_raw")].split("_", 1)
                part = words[1] if len(words) == 2 else "chip"
                key = unique(key_of(part.replace("_temp", "")), "_temp_c", readers)
                offset = root.number(stem + "offset") or 0
                readers[key] = _reader(root, folder + "/" + entry, 0.001 * scale, offset)
                notes.use(key, folder + "/" + entry)


def _reader(root: Root, path: str, factor: float, offset: float = 0) -> Reader:
    def read() -> Optional[float]:
        number = root.number(path)
        return None if number is None else round((number + offset) * factor, 3)

    return read


def _sane(temp_c: Optional[float]) -> Optional[float]:
    """Return None for the -256 of a sensor that is off, given in degrees or in thousandths."""
    if temp_c is None or temp_c < COLDEST_C or temp_c == -0.256:
        return None
    return temp_c


def _short(kind: str) -> str:
    for ending in ("-thermal", "_thermal", "-therm", "_therm"):
        if kind.lower().endswith(ending):
            return kind[: -len(ending)]
    return kind
