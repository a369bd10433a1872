"""A Jetson's memory controller: clock and limits. The kernel shows them to root only.

Paths: NVIDIA's jetson_clocks script, which holds the clock by the file ``held``. That is the BPMP's
own lock on TX2, Xavier and later, and an override on Nano.
"""

from typing import NamedTuple, Optional

from boards import Board
from boards.files import Root
from boards.sensors import Notes, Sample, Sensor

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
        self.root = root
        self.paths = paths

    def read(self) -> Sample:
        return {
            "emc_clock_hz": self.root.number(self.paths.rate),
            "emc_clock_min_hz": self.root.number(self.paths.low),
            "emc_clock_max_hz": self.root.number(self.paths.high),
        }

    def locked(self) -> Optional[bool]:
        """Whether jetson_clocks holds the clock, or the limits are equal."""
        held = self.root.number(self.paths.held)
        if held is not None:
            return held != 0
        low, high = self.root.number(self.paths.low), self.root.number(self.paths.high)
        return None if low is None or high is None else low == high


def find(root: Root, board: Optional[Board], notes: Notes) -> Optional[Sensor]:
    """See ``boards.sensors``."""
    for paths in (BPMP, TEGRA210):
        if root.number(paths.rate) is not None:
            notes.use("emc_clock_hz", paths.rate)
            return Emc(root, paths)
    if board is not None and board.family == "jetson":
        notes.skip(DEBUG, "the memory clock can't be read; the kernel shows it to root only")
    return None
