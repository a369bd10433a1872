"""What a tracker is: it takes a target in one frame and finds it in every frame after it.

``runtime.loading.create_tracker`` chooses among the files of this folder: the host's, the GPU's and
the FPGA's. All have the shape of the GOT-10k toolkit's trackers.
"""

import time
from typing import Any, Dict, Optional, Sequence, Tuple

import cv2
import numpy as np

from runtime.engines.base import Engine
from runtime.errors import NotReady
from runtime.networks import Network
from runtime.pictures import AnyFrame
from runtime.types import Track

# Why a lost target is not searched for
NOT_ASKED = "it was not asked for"
SEVERAL_IN_FLIGHT = "with several frames in flight only its state is known"


class Tracker:
    """Follows one target.

    Args:
        network: the ``Network``.
        engine: an engine that holds it; several trackers may share it.

    Attributes:
        name: of the network.
        state: float64 [cx, cy, w, h], centre and size in frame pixels; None before ``init``.
        step_ms: dict of the last frame's time in each step, milliseconds: crop, network, select.
        kernels_name: which kernels crop and select: "c++", "numpy" or "cuda".
        can_rehearse: whether ``rehearse`` does anything.
        searches: whether a lost target is searched for (``runtime.search``).
        why_no_search: the reason why it is not.
        is_deterministic: for the GOT-10k toolkit, as ``name`` and ``track`` are.
    """

    is_deterministic = True
    kernels_name = ""
    can_rehearse = False  # whether ``rehearse`` does anything
    searches = False
    why_no_search = "this tracker cannot"

    def __init__(self, network: Network, engine: Engine) -> None:
        self.name = network.name
        self.network = network
        self.engine = engine
        self.state: Any = None
        self.step_ms: Dict[str, float] = {"crop": 0.0, "network": 0.0, "select": 0.0}
        self._closed = False

    def init(self, frame: AnyFrame, box: Sequence[float]) -> None:
        """Take a target.

        Args:
            frame: BGR uint8 (H, W, 3), or a ``Picture`` of ``runtime.pictures``.
            box: (x, y, w, h), 0-based pixels of the frame; it may reach beyond the frame.

        Raises:
            BadFrame, BadBox: not a picture, or a box that no target can have.
            NotReady: the tracker was closed.
        """
        raise NotImplementedError

    def update(self, frame: AnyFrame) -> Track:
        """Find the target in the next frame.

        Args:
            frame: BGR uint8 (H, W, 3), or a ``Picture`` of ``runtime.pictures``. When its size is
                not the last one's, the target is scaled with it.

        Raises:
            BadFrame: not a picture.
            NotReady: ``init`` was not called yet, or the tracker was closed.
            NetworkFailed: the network gave nothing finite.
        """
        raise NotImplementedError

    def rehearse(self, frame: AnyFrame) -> None:
        """Do the work of a frame again and forget what it finds, where ``can_rehearse``.

        Afterwards the processor's caches hold the network's weights and the code of a frame, so
        that the next frame takes less time. See ``runtime.pace``.

        Args:
            frame: the last one that ``update`` or ``init`` took.
        """

    def track(
        self, img_files: Sequence[Any], box: Sequence[float], visualize: bool = False
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Run over a list of pictures, as the GOT-10k toolkit's experiments ask.

        Args:
            img_files: paths of the frames in order.
            box: (x, y, w, h) in the first of them.
            visualize: not used; the toolkit passes it.

        Returns:
            (boxes, times): (frames, 4) and (frames,) float64, pixels and seconds.
        """
        boxes, times = np.zeros((len(img_files), 4)), np.zeros(len(img_files))
        boxes[0] = box
        for index, path in enumerate(img_files):
            frame: Any = cv2.imread(str(path))  # None where it can't be read: a ``BadFrame``
            started = time.perf_counter()
            if index == 0:
                self.init(frame, box)
            else:
                boxes[index] = self.update(frame).box
            times[index] = time.perf_counter() - started
        return boxes, times

    forward_test = track  # its name in the toolkit's later versions

    def suggest(self, boxes: np.ndarray) -> None:
        """Take places where a lost target may be, such as a detector's boxes.

        The search for the target looks there first. Without such a search, nothing happens.

        Args:
            boxes: (n, 4) float64 (x, y, w, h), 0-based pixels of the frame, the best first.
        """

    @property
    def certainty(self) -> Optional[float]:
        """How certain it is that the target is there, 0 to 1; None where nothing watches it."""
        return None

    @property
    def widened(self) -> float:
        """How many times as wide as usual the search region of the next frame is."""
        return 1.0

    def check_open(self) -> None:
        """Raise ``NotReady`` after ``close``."""
        if self._closed:
            raise NotReady("the tracker was closed; make another one with load_tracker()")

    def check_target(self) -> None:
        """Raise ``NotReady`` after ``close`` and before ``init``."""
        self.check_open()
        if self.state is None:
            raise NotReady("the tracker has no target yet; call init(frame, box) first")

    def release(self) -> None:
        """Stop following the target. The engine, which others may share, stays open."""
        self._closed = True

    def close(self) -> None:
        """Release the engine's memory too; may be called twice."""
        if not self._closed:
            self.release()
            self.engine.close()


class PipelinedTracker(Tracker):
    """A tracker that takes the next frame before it has given the last one's ``Track``."""

    @property
    def in_flight(self) -> int:
        """Frames that were submitted and not collected."""
        raise NotImplementedError

    def submit(self, frame: AnyFrame, is_kept: bool = False) -> None:
        """Send the next frame to the device; returns at once.

        Args:
            frame: as in ``update``.
            is_kept: whether nobody writes into the frame before its ``Track`` is collected; it need
                not be copied then.

        Raises:
            BadFrame, NotReady, NetworkFailed, GpuFailed: as ``update``; the frame is not in flight
                then.
            RuntimeError: as many frames are in flight as the tracker was made for.
        """
        raise NotImplementedError

    def collect(self) -> Track:
        """Wait for the oldest frame in flight; returns its ``Track``.

        Raises:
            NetworkFailed, GpuFailed: as ``update``, for that frame only.
            RuntimeError: none is in flight.
        """
        raise NotImplementedError

    def update(self, frame: AnyFrame) -> Track:
        """Find the target in the next frame; see ``Tracker.update``.

        Raises:
            RuntimeError: frames are in flight, whose results come first.
        """
        if self.in_flight:
            raise RuntimeError("a frame is in flight; collect its result before this update")
        self.submit(frame)
        return self.collect()
