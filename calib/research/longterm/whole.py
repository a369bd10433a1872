"""python -m calib.research.longterm.whole: how long it takes to search a whole picture.

    python -m calib.research.longterm.whole --clips DIR --only NAME --size 1280x720 --targets 20,40

A target of each size is taken at the middle of the clip's first picture, and a search for it is
begun. Each frame searches one window. The times of all frames whose windows are of the grids are
added up, until the picture was searched once, and until all windows of the finer grids were
searched (``runtime.search.windows``). Nothing is claimed meanwhile. Windows of other kinds, as
those at places of the target's colours, come between them in a real search; they do not count.
"""

import copy
import time

import cv2
import numpy as np

from calib import command, trackers
from calib.clips import find_clips
from calib.command import chosen, say
from calib.errors import BadRun
from runtime import DEFAULT_NETWORK
from runtime.devices.processor import HostTracker
from runtime.garbage import short_collections
from runtime.search import windows
from runtime.search.search import PARTS

TRACKED = 20  # frames before the search, whose time the budget takes for a tracked frame's
MOST_FRAMES = 60  # pictures that are read of a clip
NEVER = 2.0  # evidence that nothing has


def main(arguments=None):
    """Run the command line; returns the exit code."""
    return command.run("calib.research.longterm.whole", run, parser(), arguments)


def parser():
    """The command line's options."""
    cli = command.parser("calib.research.longterm.whole", __doc__)
    command.add_clip_options(cli)
    cli.add_argument("--networks", default=DEFAULT_NETWORK, metavar="NAME,NAME")
    command.add_network_options(cli)
    cli.add_argument("--threads", type=int, default=1, metavar="N")
    cli.add_argument("--size", default="1280x720", metavar="WxH", help="of the picture, pixels")
    cli.add_argument(
        "--targets", default="20,30,40", metavar="N,N", help="sides of the targets, pixels"
    )
    cli.add_argument("--rounds", type=int, default=3, metavar="N", help="print the median of them")
    return cli


def run(options):
    """Search, and print a table."""
    cv2.setNumThreads(1)
    size, sides = _numbers(options.size, "x", 2), _numbers(options.targets, ",", None)
    (clip, *_) = chosen(find_clips(options.clips, log=say), options.only)
    pictures = [cv2.resize(frame, size) for _, frame in zip(range(MOST_FRAMES), clip)]
    say("{}x{} pixels, median of {} rounds".format(*size, options.rounds))
    titles = ("target", "windows", "ms", "cpu ms", "all windows", "ms", "cpu ms")
    say(" " * 16 + "".join(f"{title:>12}" for title in titles))
    for spec in trackers.fp32_specs(options):
        sweep = Sweep(trackers.build(spec, recover=False))
        for side in sides:
            rounds = [sweep.measure(pictures, side) for _ in range(options.rounds)]
            cells = [f"{value:.0f}" for value in np.median(rounds, axis=0)]
            say(spec.name.ljust(16) + "".join(f"{cell:>12}" for cell in [side, *cells]))


class Sweep(HostTracker):
    """A tracker whose search takes the windows of the grids.

    Args:
        base: the ``HostTracker`` that gives network, engine and kernels.
    """

    def __init__(self, base):
        network = copy.copy(base.network)
        network.found_above = NEVER if network.found_above > 0 else 0.0
        grids_only = PARTS - {"proposals", "last"}
        super().__init__(
            network, base.engine, base.kernels, recover=True, budget_ms=0.0, parts=grids_only
        )
        if not self.searches:
            raise BadRun(f"{network.name} can search for no target: {self.why_no_search}")

    @short_collections()  # as runtime.track does
    def measure(self, pictures, side):
        """Search pictures for a target of ``side`` pixels.

        Returns:
            (windows, ms, processor ms) until a picture was searched once, then the same until all
            windows of all grids were searched.
        """
        height, width = pictures[0].shape[:2]
        box = (width - side) / 2, (height - side) / 2, side, side
        self.init(pictures[0], box)
        for index in range(TRACKED):
            self.update(pictures[index % len(pictures)])
        self.init(pictures[0], box)  # its size may have changed
        self._search.start()
        spent, ends = np.zeros(3), []
        grids = [
            windows.grid(self.network, self.state, (width, height), factor)
            for factor in windows.GRIDS[1:]
        ]
        for passed in range(1, max(map(windows.parts, grids)) + 1):
            while self._search.passes < passed:
                last = spent.copy()
                spent += self._one(pictures[int(spent[0]) % len(pictures)])
            ends.append(last)  # the last window was the first of the next pass
        return np.concatenate([ends[0], ends[-1]])

    def _one(self, picture):
        """(1, ms, processor ms) of a frame that searches a window of a grid; else zeros."""
        self._search.evidence.smoothed = 0.0  # where it was followed, nothing looks like it
        started, spent_s = time.perf_counter(), time.process_time()
        self.update(picture)
        times = (time.perf_counter() - started) * 1e3, (time.process_time() - spent_s) * 1e3
        return np.array((1.0, *times)) * (self._search.searched == windows.WIDE)


def _numbers(text, divider, count):
    """Whole numbers above 0 of an option."""
    parts = text.split(divider)
    if not all(part.isdigit() and int(part) for part in parts) or count not in (None, len(parts)):
        raise BadRun(f"{text}: not numbers of pixels")
    return tuple(map(int, parts))


if __name__ == "__main__":
    raise SystemExit(main())
