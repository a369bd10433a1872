"""A Jetson's memory controller: clock and limits. The kernel shows it to root alone."""

BPMP = "sys/kernel/debug/bpmp/debug/clk/emc"  # Xavier and later; TX2
CLOCKS = "sys/kernel/debug/clk/emc"  # Nano


class Emc:
    def __init__(self, root, rate, low, high, held):
        self.root = root
        self.paths = (rate, low, high)
        self.held = held

    def read(self):
        rate, low, high = (self.root.number(path) for path in self.paths)
        return {"emc_clock_hz": rate, "emc_clock_min_hz": low, "emc_clock_max_hz": high}

    def locked(self):
        """Held by jetson_clocks (the BPMP's own flag), or by equal limits."""
        held = self.root.number(self.held) if self.held else None
        if held is not None:
            return held != 0
        low, high = (self.root.number(path) for path in self.paths[1:])
        return None if low is None or high is None else low == high


def find(root, board, notes):
    """See ``boards.sensors``."""
    for folder, names, held in (
        (BPMP, ("rate", "min_rate", "max_rate"), "mrq_rate_locked"),
        (CLOCKS, ("clk_rate", "clk_min_rate", "clk_max_rate"), None),
    ):
        rate, low, high = (folder + "/" + name for name in names)
        if root.number(rate) is not None:
            notes.use("emc_clock_hz", rate)
            return Emc(root, rate, low, high, held and folder + "/" + held)
    if board is not None and board.family == "jetson":
        notes.skip(BPMP, "the memory clock can't be read; the kernel shows it to root alone")
    return None
