"""A board's sensors, found once and then only read: clocks, load, heat, power, throttling, mode.

    telemetry = Telemetry()
    telemetry.read()  # {"gpu_clock_hz": 1020000000, "tj_temp_c": 52.1, "power_total_mw": 7421.0, …}

What is measured, and how, is in ``boards/sensors``, one file a thing.
"""

from boards.files import Root
from boards.sensors import Notes, modules
from boards.sensors.mode import Mode, fastest


class Telemetry:
    """Readings of the board under a root.

    Args:
        root: a folder that stands for ``/``, or a ``boards.files.Root``.
        board: its ``boards.Board``, which knows what its sensors mean; None for unknown.
        log: function of one sentence, told what was found and skipped; None for silence.

    Attributes:
        found: dict of key -> where it is read.
        skipped: list of (where, why).
    """

    def __init__(self, root="/", board=None, log=None):
        root = root if isinstance(root, Root) else Root(root)
        notes = Notes()
        self._sensors = {}
        for module in modules():
            sensor = module.find(root, board, notes)
            if sensor is not None:
                self._sensors[module.__name__.rsplit(".", 1)[1]] = sensor
        self.found, self.skipped = notes.found, notes.skipped
        if log is not None:
            for key, where in self.found.items():
                log("{} from {}".format(key, where))
            for where, why in self.skipped:
                log("skipped {}: {}".format(where, why))

    def read(self):
        """One sample: a flat dict whose keys end in their unit; None for what can't be read now.

        ``cpu_load_percent`` and RAPL's power are means since the sample before.
        """
        sample = {}
        for sensor in self._sensors.values():
            sample.update(sensor.read())
        return sample

    def locked(self):
        """Whether clocks are held at one frequency (as ``jetson_clocks`` does).

        Returns:
            dict of "gpu", "emc", "cpu" -> True, False, or None where that can't be told.
        """
        return {
            name: self._sensors[name].locked() if name in self._sensors else None
            for name in ("gpu", "emc", "cpu")
        }

    def power_mode(self):
        """The power mode that is set: ``PowerMode(id, name)``, or None on boards without modes."""
        mode = self._sensors.get("mode")
        return mode.current() if isinstance(mode, Mode) else None

    def power_modes(self):
        """The modes that nvpmodel offers: list of ``PowerMode``, empty on boards without modes."""
        mode = self._sensors.get("mode")
        return list(mode.modes) if isinstance(mode, Mode) else []

    def fastest_power_mode(self):
        """The fastest of ``power_modes()`` by name (not by number), or None."""
        return fastest(self.power_modes())
