"""Control a run from outside: requests of the page or another program to the frame loop.

The loop never waits here. ``write`` only keeps a reference to a frame. The loop itself carries
requests out, between two frames. This file does not depend on HTTP or browsers.
"""

import math
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from hotpath.app.links.as_json import target_json
from hotpath.app.links.frame_buffer import FrameBuffer
from hotpath.app.links.requests import RequestRefused, Requests
from hotpath.app.links.target_controls import Controls
from hotpath.app.option_records import LinkOptions
from hotpath.video.base import TrackedFrame

if TYPE_CHECKING:
    from hotpath.runtime.targets.targets import Targets
    from hotpath.video.base import Source

WAIT_S = 0.2  # longest wait before the loop looks at signals again
STILL_S = 1.0  # without a new frame: the run stands still
RECENT = 300  # frames of the latency that the page shows
CONFIRM = "confirm the target"  # a reason of ``holds`` that ends so waits for somebody


class Controller(Controls):
    """Connects the frame loop with its remote controls. Links of projects know it as ``Run``.

    The loop calls ``next_frame_is_due``, ``write`` and ``end``. The methods
    from ``add_target`` to ``stop`` run in the loop's thread as well: other threads reach them
    through ``call``. ``wait``, ``state`` and ``notify`` may be called from any thread.

    Example:
        >>> def lose_target(run, number):
        ...     return run.call(run.drop_target, number)

    Args:
        options: the ``LinkOptions``.
        targets: ``hotpath.runtime.targets.targets.Targets``.
        source: ``hotpath.video.base.Source``.
        stop: object whose attribute ``requested`` ends the loop.
        outputs: ``hotpath.app.cli.outputs.Outputs``, whose ``profile``, ``selection`` and
            ``write_late`` are used.

    Attributes:
        buffer: ``FrameBuffer`` with the last frames.
        paused: True while a recording is paused.
        recording_since: since when results and pictures go to the files, seconds of the monotonic
            clock; None while they do not.
        ended: True once the run is over.
        can_record: whether the command line named files to record to.
        holds: steered device that stopped for lack of evidence -> reason.
    """

    def __init__(
        self,
        options: LinkOptions,
        targets: "Targets",
        source: "Source",
        stop: Any,
        outputs: Any,
    ) -> None:
        super().__init__(targets, outputs.selection, outputs.write_late)
        self.source = source
        self.buffer = FrameBuffer()
        self.paused = False
        self.recording_since: Optional[float] = time.monotonic()
        self.ended = False
        self._stop, self._profile = stop, outputs.profile
        self.can_record, self._fov = bool(options.results or options.save), options.fov
        self._engine = targets.engine.describe()["engine"]
        self._changes = threading.Condition()
        self._version = 0  # grows with each frame and each change
        self._requests = Requests(self._changes)
        self._wait_for_target = not source.live
        self._began = time.monotonic()  # when the newest frame was due
        self._came_s = math.inf  # when the newest frame came
        self.holds: Dict[str, str] = {}

    # called by the loop

    def next_frame_is_due(self) -> bool:
        """Carry out requests, wait a little, and say whether to read the next frame now."""
        self._requests.carry_out(self.notify)
        period_s = self.source.period_s
        with self._changes:
            left_s = self._began + period_s - time.monotonic()
            wait_s = WAIT_S if self.paused else min(WAIT_S, left_s)
            if wait_s > 0 and not self._requests:
                self._changes.wait(wait_s)
        self._requests.carry_out(self.notify)
        now = time.monotonic()
        if self.paused or self._stop.requested or now < self._began + period_s:
            return False
        # play at the recording's own speed; do not hurry after a pause
        self._began = max(self._began + period_s, now - period_s)
        return True

    def write(self, tracked: TrackedFrame) -> None:
        """Make a tracked frame the newest one; its picture must not be changed afterwards."""
        self.buffer.add(tracked)
        self._came_s = time.monotonic()
        if self._wait_for_target:
            self.paused = not tracked.tracks
            self._wait_for_target = self.paused
        self.notify(tracked)

    def end(self) -> None:
        """The run is over: refuse all requests and wake everybody who waits."""
        self.ended = True
        self.notify()
        self._requests.refuse()

    def notify(self, tracked: Optional[TrackedFrame] = None) -> None:
        """Count a change and wake everybody who waits for one; may be called from any thread."""
        with self._changes:
            self.newest = tracked or self.newest
            self._version += 1
            self._changes.notify_all()

    # what may be requested: the loop carries it out between two frames

    def frames_since(self, index: int) -> List[TrackedFrame]:
        """The frame of that index and the later ones that are kept; empty if it has expired."""
        return self.buffer.since(index)

    def add_target(self, *arguments: Any, **more: Any) -> int:
        """The same; a recording that waits for its first target goes on."""
        number = super().add_target(*arguments, **more)
        if self._wait_for_target:
            self.pause(False)
        return number

    def pause(self, paused: bool) -> None:
        """Pause a recording, or resume it."""
        if self.source.live:
            raise RequestRefused(409, "a live source can't be paused; freeze the picture to select")
        self._wait_for_target = False
        self.paused = paused

    def record(self, on: bool) -> None:
        """Start or stop writing to the files that the command line named."""
        if not self.can_record:
            raise RequestRefused(
                409, "no file to record to; start the run with --save or --results", what="no file"
            )
        if on != self.recording:
            self.recording_since = time.monotonic() if on else None

    @property
    def recording(self) -> bool:
        """Whether results and pictures go to the files now."""
        return self.recording_since is not None

    def stop(self) -> None:
        """End the run."""
        self._stop.requested = True

    def frame_at(self, seen_s: float) -> Optional[TrackedFrame]:
        """The frame that was newest at a time of the monotonic clock, else the newest one."""
        return self.buffer.at(seen_s) or self.newest

    # called from other threads

    def call(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Have the loop call one of the methods above between two frames; see ``Requests.add``."""
        return self._requests.add(function, arguments)

    def wait(self, version: int, timeout_s: float) -> Tuple[int, Optional[TrackedFrame]]:
        """Wait for a frame or a change after ``version``.

        Returns:
            (version, newest ``TrackedFrame`` or None).
        """
        with self._changes:
            if self._version == version and not self.ended:
                self._changes.wait(timeout_s)
            return self._version, self.newest

    def state(self, tracked: TrackedFrame) -> Dict[str, Any]:
        """All that is displayed beside the picture of ``tracked``, ready for JSON."""
        source = self.source
        steps = self._profile.recent_ms()
        latency_ms = self._profile.figures("latency", RECENT)
        size = tracked.frame.shape[1], tracked.frame.shape[0]
        drawn = tracked.drawn_tracks()
        return {
            "frame": tracked.index,
            "time_s": None if tracked.time_s is None else round(tracked.time_s, 3),
            "size": list(size),
            "targets": [
                dict(target_json(number, track, size, self._fov), drawn=drawn[number].state)
                for number, track in tracked.tracks.items()
            ],
            "can_lose": self.targets.can_lose,
            "live": source.live,
            "paused": self.paused,
            "waiting": self._waiting_for(),
            "holds": dict(self.holds),
            "confirm": any(why.endswith(CONFIRM) for why in list(self.holds.values())),
            "selected": self.selection.among(tracked.tracks),
            "ended": self.ended,
            "source": source.name,
            "frames": source.frames,
            "network": self.targets.title,
            "engine": self._engine,
            "fps": self.fps,
            "ms": {name: round(steps[name], 3) for name in steps if name != "wait"},
            "latency_ms": {name: round(ms, 2) for name, ms in latency_ms.items()},
            "latency_from": source.captured_at,
            "dropped": source.dropped,
            "gaps": {
                "count": len(source.gaps),
                "seconds": round(sum(s for _, s in source.gaps), 1),
            },
        }

    def _waiting_for(self) -> Optional[str]:
        """What the run waits for: "target", "frames", or None."""
        if self.paused and self._wait_for_target:
            return "target"
        return "frames" if self.source.live and self._is_still else None

    @property
    def _is_still(self) -> bool:
        return time.monotonic() - self._came_s > STILL_S

    @property
    def fps(self) -> Optional[float]:
        """Frames a second over the last frames; None while the run is paused."""
        fps = None if self.paused or self._is_still else self._profile.recent_fps()
        return None if fps is None else round(fps, 1)
