"""A Jetson's power mode: its number, its name, and the modes that there are (nvpmodel)."""

import re
from typing import NamedTuple, Optional, Sequence, Tuple

from hotpath.boards import Board
from hotpath.boards.files import Root
from hotpath.boards.sensors import Found, Sample, Sensor

STATUS = "var/lib/nvpmodel/status"
CONF = "etc/nvpmodel.conf"


class PowerMode(NamedTuple):
    """A mode of nvpmodel. ``name`` is None when nvpmodel.conf does not list it."""

    id: int
    name: Optional[str]


class Mode(Sensor):
    """The power mode that is set, and those that there are."""

    def __init__(self, root: Root, modes: Sequence[PowerMode]) -> None:
        super().__init__({})
        self._root, self.modes = root, modes

    def read(self) -> Sample:
        mode = self.current()
        number, name = mode or (None, None)
        return {"power_mode_id": number, "power_mode_name": name}

    def current(self) -> Optional[PowerMode]:
        """Return the mode that is set, or None when nvpmodel has not said."""
        match = re.search(r"pmode:\s*(\d+)", self._root.text(STATUS) or "")
        if not match:
            return None
        number = int(match.group(1))
        name = next((mode.name for mode in self.modes if mode.id == number), None)
        return PowerMode(number, name)


def find(root: Root, board: Optional[Board], found: Found) -> Optional[Sensor]:
    """Find the power mode of nvpmodel; returns its ``Sensor``, or None."""
    conf = root.text(CONF, keep=_headers)
    modes = [
        PowerMode(int(number), name)
        for number, name in re.findall(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=([^\s>]+)", conf or "")
    ]
    mode = Mode(root, modes)
    if mode.current() is None:
        return mode if modes else None
    found["power_mode_id"] = STATUS
    return mode


def fastest(modes: Sequence[PowerMode]) -> Optional[PowerMode]:
    """Choose the mode in which a board runs fastest, by name: MAXN, most watts, most cores.

    The number says nothing: mode 0 is 15 W on an Orin Nano Super and two cores on a Xavier NX.

    Args:
        modes: the modes to choose from, all with a name.

    Returns:
        One of them, or None for an empty list.
    """
    return max(modes, key=_speed) if modes else None


def _speed(mode: PowerMode) -> Tuple[bool, int, float, int]:
    name = (mode.name or "").upper()
    watts = re.search(r"(\d+)W", name)
    cores = re.search(r"(\d+)_?CORE", name)
    return (
        name.startswith("MAXN"),
        int(watts.group(1)) if watts else 0,
        float("inf") if "ALL" in name else int(cores.group(1)) if cores else 0,
        -mode.id,
    )


def _headers(text: str) -> str:
    """Keep the lines that name modes; the rest is long."""
    lines = [line for line in text.split("\n") if re.match(r"\s*<\s*(POWER_MODEL|PM_CONFIG)", line)]
    return "\n".join(lines)
