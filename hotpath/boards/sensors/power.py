"""Power rails, in mW.

Reads the INA3221 as JetPack 4 shows it (iio) and as JetPack 5 and later do (hwmon), and other
hwmon chips that report a power.
"""

import re
from typing import Dict, List, Mapping, Optional

from hotpath.boards import Board
from hotpath.boards.files import Root
from hotpath.boards.sensors import HWMON, Found, Reader, Sample, Sensor, Value, key_of, reader

I2C = "sys/bus/i2c/devices"
WHOLE = ("VDD_IN", "POM_5V_IN", "VIN")  # rails that measure the whole module or board
SUM_OF_SHUNTS = 7  # the INA3221's seventh channel is no rail


class Power(Sensor):
    """Power of each rail and of the whole board, whose rails are ``total``."""

    def __init__(self, readers: Mapping[str, Reader], total: List[str]) -> None:
        super().__init__(readers)
        self._total = [key_of(name) + "_power_mw" for name in total]

    def read(self) -> Sample:
        values = super().read()
        parts = [part for part in map(values.get, self._total) if isinstance(part, (int, float))]
        whole = bool(parts) and len(parts) == len(self._total)
        values["power_total_mw"] = round(sum(parts), 1) if whole else None
        return values


class Rails:
    """The rails that were found so far.

    Attributes:
        power: name -> reader of mW.
        alarms: name -> reader of 1 while the current is critical.
    """

    def __init__(self, root: Root, found: Found) -> None:
        self.root, self.found = root, found
        self.power: Dict[str, Reader] = {}
        self.alarms: Dict[str, Reader] = {}

    def add(self, name: str, read: Reader, where: str, alarm: Optional[str] = None) -> None:
        """Take a rail, unless one of its name is there already."""
        if name in self.power:
            return
        self.power[name] = read
        if alarm and self.root.has(alarm):
            self.alarms[name] = reader(self.root, alarm)
        self.found[key_of(name) + "_power_mw"] = where

    def add_product(self, name: str, volts: str, amps: str, alarm: Optional[str] = None) -> None:
        """Take a rail whose voltage (mV) and current (mA) are two files."""

        def read() -> Value:
            millivolts, milliamps = self.root.number(volts), self.root.number(amps)
            if millivolts is None or milliamps is None:
                return None
            return round(millivolts * milliamps / 1000.0, 1)

        self.add(name, read, volts, alarm)


def find(root: Root, board: Optional[Board], found: Found) -> Optional[Sensor]:
    """Find the power rails; returns their ``Sensor``, or None."""
    rails = Rails(root, found)
    for folder in root.glob(I2C + "/*/iio:device*"):
        _find_iio(rails, folder)
    chips = root.glob(I2C + "/*/hwmon/hwmon*")
    seen = {folder.rsplit("/", 1)[1] for folder in chips}
    chips += [f for f in root.glob(HWMON + "/hwmon*") if f.rsplit("/", 1)[1] not in seen]
    for folder in chips:
        _find_hwmon(rails, folder, board.sensors["unlabelled"] if board is not None else {})
    if not rails.power:
        return None
    total = _total(rails.power, board)
    if total:
        found["power_total_mw"] = " + ".join(total)
    readers = {key_of(name) + "_power_mw": read for name, read in rails.power.items()}
    readers.update({key_of(name) + "_alarm_state": read for name, read in rails.alarms.items()})
    return Power(readers, total)


def _total(rails: Mapping[str, Reader], board: Optional[Board]) -> List[str]:
    """Return the rails to add up: those of the board's TOML, else one that measures everything."""
    named = list(board.sensors["total"]) if board is not None else []
    if named and all(name in rails for name in named):
        return named
    return [name for name in WHOLE if name in rails][:1]


def _find_iio(rails: Rails, folder: str) -> None:
    root = rails.root
    for entry in root.list(folder):
        if not entry.startswith("rail_name_"):
            continue
        number = entry[len("rail_name_") :]
        name = root.text(folder + "/" + entry) or ""
        stem = folder + "/in_{}" + number + "_input"
        power, volts, amps = (stem.format(kind) for kind in ("power", "voltage", "current"))
        if not _is_no_rail(name) and root.has(power):
            rails.add(name, reader(root, power, digits=1), power)
        elif not _is_no_rail(name):
            rails.add_product(name, volts, amps)


def _find_hwmon(rails: Rails, folder: str, unlabelled: Mapping[str, str]) -> None:
    root = rails.root
    chip = root.text(folder + "/name") or ""
    for entry in root.list(folder):
        label = re.match(r"in(\d+)_label$", entry)
        power = re.match(r"power(\d+)_(input|average)$", entry)
        if label and chip.startswith("ina"):
            _add_channel(rails, folder, int(label.group(1)))
        elif power:
            named = root.text(f"{folder}/power{power.group(1)}_label")
            name = named or root.text(folder + "/label") or unlabelled.get(chip) or chip
            path = folder + "/" + entry
            rails.add(name, reader(root, path, 0.001, digits=1), path)  # hwmon's is in microwatts


def _add_channel(rails: Rails, folder: str, number: int) -> None:
    name = rails.root.text(f"{folder}/in{number}_label") or ""
    volts, current = f"{folder}/in{number}", f"{folder}/curr{number}_"
    is_sum = number == SUM_OF_SHUNTS or "shunt" in name.lower()
    if not is_sum and not _is_no_rail(name):
        rails.add_product(name, volts + "_input", current + "input", current + "crit_alarm")


def _is_no_rail(name: str) -> bool:
    return not name or name.upper() == "NC"
