"""All sensors of a board: found once, then only read.

    telemetry = Telemetry()
    telemetry.read()  # {"gpu_clock_hz": 1020000000, "tj_temp_c": 52.1, "power_total_mw": 7421.0, …}

What is measured, and how, is in ``boards/sensors``: each file measures one thing.
"""

from typing import Dict, Optional, Union

from hotpath.boards import Board
from hotpath.boards.files import Root
from hotpath.boards.sensors import Found, Sample, Sensor, modules
from hotpath.boards.sensors.mode import Mode, PowerMode, fastest


class Telemetry:
    """Readings of the board under a root.

    Args:
        root: a folder that replaces ``/``, or a ``hotpath.boards.files.Root``.
        board: the ``hotpath.boards.Board``, which says what its sensors mean, or None when it is
            not known.

    Attributes:
        found: dict of key -> where it is read.
    """

    def __init__(self, root: Union[str, Root] = "/", board: Optional[Board] = None) -> None:
        root = root if isinstance(root, Root) else Root(root)
        self.found: Found = {}
        self._sensors: Dict[str, Sensor] = {}
        for module in modules():
            sensor = module.find(root, board, self.found)
            if sensor is not None:
                self._sensors[module.__name__.rsplit(".", 1)[1]] = sensor

    def read(self) -> Sample:
        """Take one sample: a flat dict whose keys end in their unit.

        A value that can't be read now is None. ``cpu_load_percent`` is the mean since the previous
        sample.
        """
        sample: Sample = {}
        for sensor in self._sensors.values():
            sample.update(sensor.read())
        return sample

    def locked(self) -> Dict[str, Optional[bool]]:
        """Tell whether clocks are held at one frequency, as ``jetson_clocks`` does.

        Returns:
            dict of "gpu", "emc", "cpu" -> True, False, or None when that is not known.
        """
        return {
            name: self._sensors[name].locked() if name in self._sensors else None
            for name in ("gpu", "emc", "cpu")
        }

    def power_mode(self) -> Optional[PowerMode]:
        """Return the power mode that is set, or None on boards without modes."""
        mode = self._sensors.get("mode")
        return mode.current() if isinstance(mode, Mode) else None

    def fastest_power_mode(self) -> Optional[PowerMode]:
        """Return the fastest mode of nvpmodel, by its name, not by its number; or None."""
        mode = self._sensors.get("mode")
        return fastest(mode.modes) if isinstance(mode, Mode) else None
