"""Power rails, in mW.

Reads the INA3221 as JetPack 4 shows it (iio) and as JetPack 5 and later do (hwmon), and other
hwmon chips that report a power.
"""

import re
from typing import Callable, Dict, List, Mapping, Optional

from boards import Board
from boards.files import Root
from boards.sensors import Notes, Sample, Sensor, key_of

I2C = "sys/bus/i2c/devices"
HWMON = "sys/class/hwmon"
WHOLE = ("VDD_IN", "POM_5V_IN", "VIN")  # rails that measure the whole module or board
SUM_OF_SHUNTS = 7  # the INA3221's seventh channel is no rail

Reader = Callable[[], Optional[float]]


class Power(Sensor):
    """Power of each rail and of the whole board."""

    def __init__(
        self, rails: Dict[str, Reader], alarms: Dict[str, Reader], total: List[str]
    ) -> None:
        self.rails = rails  # functions that return mW, or None
        self.alarms = alarms  # functions that return 1 while the current is critical
        self.total = total  # names of the rails that make up the total

    def read(self) -> Sample:
        power = {name: read() for name, read in self.rails.items()}
        values: Sample = {key_of(name) + "_power_mw": value for name, value in power.items()}
        for name, read in self.alarms.items():
            values[key_of(name) + "_alarm_state"] = read()
        parts = [part for part in (power[name] for name in self.total) if part is not None]
        whole = bool(parts) and len(parts) == len(self.total)
        values["power_total_mw"] = round(sum(parts), 1) if whole else None
        return values


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``."""
    rails: Dict[str, Reader] = {}
    sources: Dict[str, str] = {}
    alarms: Dict[str, Reader] = {}

    def add(name: str, read: Reader, where: str, alarm: Optional[str] = None) -> None:
        if name in rails:
            notes.skip(where, f"{name} is already measured by {sources[name]}")
            return
        rails[name], sources[name] = read, where
        if alarm and root.has(alarm):
            alarms[name] = _reader(root, alarm, 1)
        notes.use(key_of(name) + "_power_mw", where)

    unlabelled = board.sensors["unlabelled"] if board is not None else {}
    for folder in root.glob(I2C + "/*/iio:device*"):
        _find_iio(root, folder, notes, add)
    chips = root.glob(I2C + "/*/hwmon/hwmon*")
    seen = {folder.rsplit("/", 1)[1] for folder in chips}
    chips += [f for f in root.glob(HWMON + "/hwmon*") if f.rsplit("/", 1)[1] not in seen]
    for folder in chips:
        _find_hwmon(root, folder, unlabelled, notes, add)
    if not rails:
        return None
    total = _total(rails, board)
    if total:
        notes.use("power_total_mw", " + ".join(total))
    else:
        notes.skip("power_total_mw", "no known rail measures the whole board")
    return Power(rails, alarms, total)


def _total(rails: Mapping[str, Reader], board: Optional[Board]) -> List[str]:
    """Return the rails to add up: those of the board's TOML, else one that measures everything."""
    named = list(board.sensors["total"]) if board is not None else []
    if named and all(name in rails for name in named):
        return named
    whole = next((name for name in WHOLE if name in rails), None)
    return [whole] if whole else []


def _find_iio(root: Root, folder: str, notes: Notes, add: Callable[..., None]) -> None:
    for entry in root.list(folder):
        if not entry.startswith("rail_name_"):
            continue
        number = entry[len("rail_name_") :]
        name = root.text(folder + "/" + entry) or ""
        if _is_no_rail(name):
            notes.skip(folder + "/" + entry, "nothing is connected")
            continue
        stem = folder + "/in_{}" + number + "_input"
        power, volts, amps = (stem.format(kind) for kind in ("power", "voltage", "current"))
        if root.has(power):
            add(name, _reader(root, power, 1), power)
        else:
            add(name, _product(root, volts, amps), volts)


def _find_hwmon(
    root: Root,
    folder: str,
    unlabelled: Mapping[str, str],
    notes: Notes,
    add: Callable[..., None],
) -> None:
    chip = root.text(folder + "/name") or ""
    for entry in root.list(folder):
        label = re.match(r"in(\d+)_label$", entry)
        power = re.match(r"power(\d+)_(input|average)$", entry)
        if label and chip.startswith("ina"):
            _add_channel(root, folder, int(label.group(1)), notes, add)
        elif power:
            name = (
                root.text(f"{folder}/power{power.group(1)}_label")
                or root.text(folder + "/label")
                or unlabelled.get(chip)
                or chip
            )
            # hwmon's power is in microwatts
            add(name, _reader(root, folder + "/" + entry, 0.001), folder + "/" + entry)


def _add_channel(
    root: Root, folder: str, number: int, notes: Notes, add: Callable[..., None]
) -> None:
    name = root.text(f"{folder}/in{number}_label") or ""
    where = f"{folder}/in{number}"
    if number == SUM_OF_SHUNTS or "shunt" in name.lower():
        notes.skip(where, "the sum of shunt voltages is no rail")
    elif _is_no_rail(name):
        notes.skip(where, "nothing is connected")
    else:
        current = f"{folder}/curr{number}_"
        read = _product(root, where + "_input", current + "input")
        add(name, read, where + "_input", current + "crit_alarm")


def _is_no_rail(name: str) -> bool:
    return not name or name.upper() == "NC"


def _reader(root: Root, path: str, factor: float) -> Reader:
    def read() -> Optional[float]:
        number = root.number(path)
        return None if number is None else round(number * factor, 1)

    return read


def _product(root: Root, volts_path: str, amps_path: str) -> Reader:
    """Return a reader of mV times mA, in mW."""

    def read() -> Optional[float]:
        millivolts, milliamps = root.number(volts_path), root.number(amps_path)
        if millivolts is None or milliamps is None:
            return None
        return round(millivolts * milliamps / 1000.0, 1)

    return read
