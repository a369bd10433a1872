"""Cooling devices: what slows a part down when it is hot. A state above zero means that it does."""

from boards.sensors import key_of, unique

DEVICES = "sys/class/thermal"
FANS = ("fan",)  # their state is speed, which is no sign of throttling


class Cooling:
    def __init__(self, root, paths):
        self.root = root
        self.paths = paths

    def read(self):
        return {key: self.root.number(path) for key, path in self.paths.items()}


def find(root, board, notes):
    """See ``boards.sensors``."""
    paths = {}
    for device in root.list(DEVICES):
        if not device.startswith("cooling_device"):
            continue
        folder = DEVICES + "/" + device
        kind = root.text(folder + "/type") or ""
        if any(fan in kind.lower() for fan in FANS):
            notes.skip(folder, "{}: a fan, not a throttle".format(kind))
        elif root.number(folder + "/cur_state") is None:
            notes.skip(folder, "{}: its state can't be read".format(kind or "no type"))
        else:
            key = unique("cooling_" + key_of(kind), "_state", paths)
            paths[key] = folder + "/cur_state"
            notes.use(key, folder + "/cur_state")
    return Cooling(root, paths) if paths else None


def active(sample):
    """The cooling devices that slow something down in a sample of telemetry, as sorted keys."""
    return sorted(
        key
        for key, value in sample.items()
        if key.startswith("cooling_") and key.endswith("_state") and value is not None and value > 0
    )
