"""A Jetson's memory controller: clock and limits. The kernel shows them to root only.

Paths: NVIDIA's jetson_clocks script, which holds the clock by the file ``held``. That is the BPMP's
own lock on TX2, Xavier and later, and an override on Nano.
"""

from typing import NamedTuple, Optional

from hotpath.boards import Board
from hotpath.boards.files import Root
from hotpath.boards.sensors import Found, Sensor, reader

DEBUG = "sys/kernel/debug"


class Paths(NamedTuple):
    """The files of one family of chips."""

    rate: str
    low: str
    high: str
    held: str


BPMP = Paths(  # Xavier and later; TX2
    rate=DEBUG + "/bpmp/debug/clk/emc/rate",
    low=DEBUG + "/bpmp/debug/clk/emc/min_rate",
    high=DEBUG + "/bpmp/debug/clk/emc/max_rate",
    held=DEBUG + "/bpmp/debug/clk/emc/mrq_rate_locked",
)
TEGRA210 = Paths(  # Nano
    rate=DEBUG + "/clk/override.emc/clk_rate",
    low=DEBUG + "/tegra_bwmgr/emc_min_rate",
    high=DEBUG + "/tegra_bwmgr/emc_max_rate",
    held=DEBUG + "/clk/override.emc/clk_state",
)


class Emc(Sensor):
    """Clock of the memory."""

    def __init__(self, root: Root, paths: Paths) -> None:
        rate, low, high, self._held = (reader(root, path) for path in paths)
        readers = {"emc_clock_hz": rate, "emc_clock_min_hz": low, "emc_clock_max_hz": high}
        super().__init__(readers, ((low, high),))

    def locked(self) -> Optional[bool]:
        """Whether jetson_clocks holds the clock, or the limits are equal."""
        held = self._held()
        return super().locked() if held is None else held != 0


def find(root: Root, board: Optional[Board], found: Found) -> Optional[Sensor]:
    """Find the memory's clock and limits; returns their ``Sensor``, or None."""
    for paths in (BPMP, TEGRA210):
        if root.number(paths.rate) is not None:
            found["emc_clock_hz"] = paths.rate
            return Emc(root, paths)
    return None
