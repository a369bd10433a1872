"""Several targets in one run: each has a tracker of its own, and all share one engine.

``runtime.targets.schedule`` decides how they take a frame.
"""

from typing import Dict, Optional, Sequence, Tuple

from kernels.cpu.interface import Kernels
from runtime.engines.base import Engine
from runtime.errors import HotpathError
from runtime.loading import check_pipeline, create_tracker
from runtime.network import Network
from runtime.options import DEFAULTS, Options
from runtime.pace import Expecting
from runtime.pictures import AnyFrame
from runtime.targets.exclusion import Exclusion
from runtime.targets.schedule import Sequential, schedule
from runtime.tracker import Tracker
from runtime.types import Track


class Targets(Expecting):
    """Follows any number of targets, numbered from 0 in the order in which they were added.

    Args:
        network: the ``Network``.
        engine: an engine that holds it; it serves all targets.
        kernels: crop and select.
        options: as in ``runtime.loading.create_tracker``.

    Raises:
        NoEngine: more than one frame at a time, and neither a GPU nor an FPGA.

    Attributes:
        step_ms: dict of the last frame's time in each step, milliseconds, all targets together.
    """

    def __init__(
        self,
        network: Network,
        engine: Engine,
        kernels: Kernels,
        options: Options = DEFAULTS,
    ) -> None:
        check_pipeline(engine, options.pipeline)
        self.network = network
        self.engine = engine
        self.kernels = kernels
        self.pipeline = options.pipeline
        self._options = options
        self.step_ms = {"crop": 0.0, "network": 0.0, "select": 0.0}
        self._trackers: Dict[int, Tracker] = {}
        self._next = 0
        self._exclusion = Exclusion()
        self._schedule: Optional[Sequential] = None  # of those that are followed now
        self._last: Optional[Sequential] = None  # also when targets have come or gone since
        self._say = options.log  # one sentence about the way

    def add(self, frame: AnyFrame, box: Sequence[float]) -> int:
        """Take a target; returns its number.

        Args:
            frame: BGR uint8 (H, W, 3).
            box: (x, y, w, h), 0-based pixels of the frame.

        Raises:
            BadFrame, BadBox: see ``Tracker.init``.
        """
        kernels = self.kernels.clone()  # they keep the addresses of their tracker's arrays
        tracker = create_tracker(self.network, self.engine, kernels, self._options)
        # what the next targets' trackers would say is the same
        self._options = self._options._replace(log=None)
        try:
            tracker.init(frame, box)
        except HotpathError:
            tracker.release()
            raise
        number, self._next = self._next, self._next + 1
        self._trackers[number] = tracker
        self._schedule = None
        return number

    def restart(self, number: int, frame: AnyFrame, box: Sequence[float]) -> None:
        """Give a target a new box; it keeps its number. See ``Tracker.init``."""
        self._trackers[number].init(frame, box)
        self._exclusion.forget(number, self._trackers)
        self._schedule = None  # it holds the old exemplar

    def drop(self, number: int) -> None:
        """Stop following a target; a number that does not exist is no error."""
        tracker = self._trackers.pop(number, None)
        self._exclusion.forget(number, self._trackers)
        if tracker is not None:
            tracker.release()
        self._schedule = None

    @property
    def numbers(self) -> Tuple[int, ...]:
        """Numbers of the targets that are followed now."""
        return tuple(self._trackers)

    @property
    def trackers(self) -> Dict[int, Tracker]:
        """dict of number -> tracker, of the targets that are followed now."""
        return dict(self._trackers)

    def follow(self, number: int, frame: AnyFrame) -> Track:
        """Find one target only in a frame, for a target that was added late."""
        return self._trackers[number].update(frame)

    def update(self, frame: AnyFrame) -> Dict[int, Track]:
        """Find every target in the next frame: dict of number -> ``Track``.

        No two of them claim the same object, see ``runtime.targets.exclusion``.
        """
        if self._schedule is None:
            self._schedule = self._scheduled()
        tracks = self._schedule.update(frame)
        self.sum_steps()
        return self._exclusion.resolve(
            self._trackers, dict(zip(self._trackers, tracks)), frame.shape
        )

    def _scheduled(self) -> Sequential:
        """The way of the targets that are followed now; the last one is closed."""
        made = schedule(list(self._trackers.values()))
        if self._last is not None:
            self._last.close()
        self._last = made
        if made.sentence and self._say is not None:
            self._say(made.sentence)
            self._say = None
        return made

    def rehearse(self, frame: AnyFrame) -> bool:
        """Do a frame's work again and forget it; see ``Tracker.rehearse``.

        Args:
            frame: the last one that ``update`` took.

        Returns:
            whether anything was done: not before the first ``update`` with the present targets,
            and not on a GPU or an FPGA.
        """
        trackers = self._trackers.values()
        if self._schedule is None or not all(tracker.device.can_rehearse for tracker in trackers):
            return False
        self._schedule.rehearse(frame)
        return len(trackers) > 0

    def sum_steps(self) -> None:
        """Fill ``step_ms`` from the trackers."""
        each = [tracker.step_ms for tracker in self._trackers.values()]
        for step in set(self.step_ms).union(*each):
            self.step_ms[step] = sum(spent.get(step, 0.0) for spent in each)

    def __len__(self) -> int:
        return len(self._trackers)

    def close(self) -> None:
        """Stop following all targets, and release the engine's memory."""
        for number in self.numbers:
            self.drop(number)
        if self._last is not None:
            self._last.close()
            self._last = None
        self.engine.close()
