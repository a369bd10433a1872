"""The tracker: it takes a target in one frame and finds it in every frame after it.

``init`` and ``update`` are the way of a frame. What they are composed of: a device crops, runs the
network and selects (``runtime.devices``); presence says whether the target is there; the search
chooses windows while it is lost; the learner knows the target by its features. A tracker has the
shape of the GOT-10k toolkit's.
"""

import math
import time
from collections import deque
from typing import Any, Deque, Optional, Sequence, Tuple

import cv2
import numpy as np

from kernels.errors import NO_SCORE
from runtime import geometry
from runtime.devices.base import Aim, Device
from runtime.errors import NetworkFailed, NoEngine, NotReady
from runtime.learner.classifier import Classifier
from runtime.learner.head import Head, Proposals
from runtime.pace import Expecting
from runtime.pictures import AnyFrame
from runtime.presence import (
    EARLY,
    JUDGED,
    ColoursUnder,
    Presence,
    ScoreAndFeatures,
    ScoreLooksColour,
    thresholds_of,
)
from runtime.search.looks import Looks
from runtime.search.search import SHARE, Budget, Search
from runtime.types import LOST, TRACKED, Found, Track, View, checked_box

# Why a lost target is not searched for
NOT_ASKED = "it was not asked for"
SEVERAL_IN_FLIGHT = "with several frames in flight only its state is known"

UINT8 = np.dtype(np.uint8)


class Tracker(Expecting):
    """Follows one target.

    Args:
        device: of the target.
        recover: whether a lost target is searched for, where network and device allow it.
        budget_ms, budget_share: see ``runtime.search.search``.
        online: whether a classifier learns the target and may overrule the network; None for what
            the network's TOML says, where the device allows it.

    Attributes:
        name: of the network.
        state: float64 [cx, cy, w, h], centre and size in frame pixels; None before ``init``.
        step_ms: dict of the last frame's time in each step, milliseconds: crop, network, select.
        kernels_name: which kernels crop and select: "c++", "numpy" or "cuda".
        presence: the ``Presence``; its ``value`` says how certain it is that the target is there.
        searches: whether a lost target is searched for.
        recovery: the ``Search`` for it; None where it is not searched for.
        why_no_search: the reason why it is not; empty where it is.
        is_deterministic: for the GOT-10k toolkit, as ``name`` and ``track`` are.

    Raises:
        NoEngine: ``online`` is asked for, and network or device do not allow it.
        NotOnGpu, NoCompiler, GpuFailed: see ``runtime.devices.gpu``.
    """

    is_deterministic = True

    def __init__(
        self,
        device: Device,
        *,
        recover: bool = False,
        budget_ms: Optional[float] = None,
        budget_share: float = SHARE,
        online: Optional[bool] = None,
    ) -> None:
        network = self.network = device.network
        self.device, self.engine, self.name = device, device.engine, network.name
        self.kernels_name, self.step_ms = device.kernels_name, device.step_ms
        self.state: Any = None
        self._shape: Tuple[int, ...] = ()
        self._waiting: Deque[Optional[Track]] = deque()  # frames in flight; None on the device
        self._closed = False
        recover = recover or device.slots > 1  # several in flight is the reason to name first
        self.why_no_search = _why_no_search(device) if recover else NOT_ASKED
        self.searches = not self.why_no_search
        device.open(self.searches)
        why_not_online = _why_not_online(device)
        if online and why_not_online:
            raise NoEngine(f"no online head: {why_not_online}")
        if online is None:
            online = not why_not_online and network.online
        kernels, self._budget = device.kernels, Budget(budget_ms, budget_share)
        self._classifier: Optional[Classifier] = None
        self._head: Optional[Head] = None
        self.recovery: Optional[Search] = None
        self._looks: Optional[Looks] = None
        if self.searches or online:
            self._classifier = Classifier(network, kernels)
            if online:
                self._head = Head(Proposals(network, kernels), self._classifier)
        cues: Any = None
        if self._classifier is not None and self.searches:
            self._colours = ColoursUnder(network, kernels)
            cues = ScoreLooksColour(self._classifier, self._colours)
        elif network.lost_below > 0 and not device.judges:
            cues = ScoreAndFeatures(network, kernels)
        self.presence = presence = Presence(
            thresholds_of(network, self.searches),
            cues,
            is_watched=self.searches or network.lost_below > 0,
            every=JUDGED if self.searches else 1,
        )
        if self.searches:
            projected = self._colours.project
            self.recovery = Search(network, kernels, presence, self._budget, projected)
            self._looks = Looks(self.recovery, device, self._budget)

    def init(self, frame: Any, box: Sequence[float]) -> None:
        """Take a target. Results of frames in flight are dropped.

        Args:
            frame: BGR uint8 (H, W, 3), a ``Picture`` of ``runtime.pictures``, or what the device
                takes besides.
            box: (x, y, w, h), 0-based pixels of the frame; it may reach beyond the frame.

        Raises:
            BadFrame, BadBox: not a picture, or a box that no target can have.
            NotReady: the tracker was closed.
        """
        if self._closed:
            self._check_target()
        device, presence = self.device, self.presence
        frame, shape = device.take(frame)
        box = checked_box(box, shape)
        self.state = None  # there is no target until all of this has worked
        self._waiting.clear()
        device.settle()
        state = geometry.state_of(self.network, box, shape[1], shape[0])

        # exemplar: crop and features, kept for all later frames; then the first search region
        compares = presence.cues is not None or self._classifier is not None
        view = device.begin(frame, state, shape, compares)
        picture = device.picture(frame)
        if self.recovery is not None:
            self._colours.border = device.border
        presence.begin(picture, state, view)
        device.hand_over(presence)
        if self._classifier is not None and view is not None:
            self._classifier.begin(state, view)
        if self.recovery is not None and self._looks is not None:
            self.recovery.begin(state)
            self._looks.begin(frame, state)
        self.state, self._shape = state, shape

    def update(self, frame: Any) -> Track:
        """Find the target in the next frame.

        Args:
            frame: as in ``init``. When its size is not the last one's, the target is scaled.

        Raises:
            BadFrame: not a picture.
            NotReady: ``init`` was not called yet, or the tracker was closed.
            NetworkFailed: the network gave nothing finite.
            RuntimeError: frames are in flight, whose results come first.
        """
        if self._waiting and self.device.pipelines:
            raise RuntimeError("a frame is in flight; collect its result before this update")
        frame = self.begin(frame)
        if self.searching:
            return self.search(frame)

        # crop, features, correlate, head, select; then presence, and learning
        track = self.judge(frame, self.device.follow(frame))

        # a target that stays lost: windows of the search, where the budget allows
        if self.searching:
            track = self.search(frame, track)

        # networks with a second exemplar refresh it, where the target was found
        if self.device.learns:
            self.device.learn(frame)
        return track

    # the steps of a frame, which ``runtime.targets.schedule`` takes with several trackers at once

    def begin(self, frame: Any) -> Any:
        """Check a frame, and scale the target where the frame's size changed.

        Returns:
            the frame as the device takes it.
        """
        if self._closed or self.state is None:
            self._check_target()
        if type(frame) is not np.ndarray or frame.shape != self._shape or frame.dtype != UINT8:
            frame, shape = self.device.take(frame)
            if shape != self._shape:
                self._rescale(shape)
        if self.recovery is not None:
            self._budget.begin()
            self.step_ms.update(crop=0.0, network=0.0, select=0.0)
        return frame

    @property
    def searching(self) -> bool:
        """Whether the target is searched for, in windows instead of the usual one."""
        return self.recovery is not None and self.recovery.active

    def judge(self, frame: Any, found: Found) -> Track:
        """Judge where the device has found the target, and learn from it; returns the ``Track``.

        Args:
            frame: as the device takes it; None where it is not at hand, and nothing is searched.
            found: of this frame.
        """
        started, presence = time.perf_counter(), self.presence
        box, score, view = found.box, found.score, found.view
        if found.judgement is not None:
            return Track(box, score, found.judgement.lost, presence.told(found.judgement))
        assert view is not None, "the device shows nothing to judge"
        certain, rejected = found.certain, None

        # the learner may prefer another of the network's proposals
        if self._head is not None:
            size = self._shape[1], self._shape[0]
            score = certain = self._head.choose(found.best, score, view, self.state, size)
            rejected = self._head.rejected
            box = geometry.box_of(self.network, self.state)

        # presence: whether that is the target, and where to look next
        picture = frame if self.recovery is None else self.device.picture(frame)
        state = presence.watch(picture, self.state, view, certain)

        # learning, and the search of a target that stays lost
        if self._classifier is not None:
            self._learn(view, state, rejected)
        if self.recovery is not None:
            self.recovery.follow(self.state)
        self.step_ms["select"] += (time.perf_counter() - started) * 1e3
        return Track(box, score, state == LOST, state)

    def _learn(self, view: View, state: str, rejected: Optional[np.ndarray] = None) -> None:
        """Let the classifier take a frame, where that may change what it says (``JUDGED``)."""
        classifier, since = self._classifier, self.presence.since
        assert classifier is not None, "there is nothing to learn with"
        often = self._head is not None or classifier.updates < EARLY
        if (
            self.recovery is None
            or state != TRACKED
            or (since > 0 if often else since == JUDGED // 2)
        ):
            classifier.follow(self.state, view, state == TRACKED, rejected)

    def search(self, frame: Any, track: Optional[Track] = None) -> Track:
        """Search for a lost target, in as many windows as the budget allows.

        Args:
            frame: as the device takes it.
            track: of a window of this frame; None where none was looked at.
        """
        assert self._looks is not None, "no target is searched for"
        looks, picture = self._looks, self.device.picture(frame)
        try:
            while track is None or looks.another_fits(self.state):
                track = self.judge_window(frame, looks.look(frame, picture, self.state))
            return track
        finally:
            looks.end()

    def judge_window(self, frame: Any, view: View) -> Track:
        """Judge what a window of the search shows; returns the ``Track``."""
        assert self.recovery is not None, "no target is searched for"
        started, search = time.perf_counter(), self.recovery
        found, score = search.judge(self.device.picture(frame), view, self.state)
        if not math.isfinite(score):
            raise NetworkFailed(NO_SCORE)
        state = self.presence.step(not found)
        if found:
            self._learn(view, state)
            search.follow(self.state)
        self.step_ms["select"] += (time.perf_counter() - started) * 1e3
        return Track(geometry.box_of(self.network, self.state), score, not found, state)

    def aim(self, frame: Any) -> Aim:
        """The window of the search that comes next."""
        assert self.recovery is not None, "no target is searched for"
        _, state, factor = self.recovery.next_window(self.state, self.device.picture(frame))
        return state, factor

    def submit(self, frame: Any, is_kept: bool = False) -> None:
        """Send the next frame to the device; returns at once, where the device can.

        Args:
            frame: as in ``update``.
            is_kept: whether nobody writes into the frame before its ``Track`` is collected; it need
                not be copied then.

        Raises:
            BadFrame, NotReady, NetworkFailed, GpuFailed: as ``update``; the frame is not in flight
                then.
            RuntimeError: as many frames are in flight as the device was made for.
        """
        if self.in_flight == self.device.slots:
            raise RuntimeError(f"{self.in_flight} frames are in flight; collect one first")
        if not self.device.pipelines:
            self._waiting.append(self.update(frame))
            return
        self.device.submit(self.begin(frame), is_kept)
        self._waiting.append(None)

    def collect(self) -> Track:
        """Wait for the oldest frame in flight; returns its ``Track``.

        Raises:
            NetworkFailed, GpuFailed: as ``update``, for that frame only.
            RuntimeError: none is in flight.
        """
        if not self._waiting:
            raise RuntimeError("no frame is in flight; submit one first")
        return self._waiting.popleft() or self.judge(None, self.device.collect())

    @property
    def in_flight(self) -> int:
        """Frames that were submitted and not collected."""
        return len(self._waiting)

    def rehearse(self, frame: AnyFrame) -> None:
        """Do the work of a frame again and forget what it finds, where ``can_rehearse``.

        Afterwards the processor's caches hold the network's weights and the code of a frame, so
        that the next frame takes less time. See ``runtime.pace``.

        Args:
            frame: the last one that ``update`` or ``init`` took.
        """
        # while it searches, the next window belongs to the next frame
        if self.state is not None and frame.shape == self._shape and not self.searching:
            self.device.rehearse(frame)

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
        if self.recovery is not None and self.recovery.active:
            height, width = self._shape[:2]
            states = [geometry.state_of(self.network, box, width, height) for box in boxes]
            self.recovery.suggest(np.array(states).reshape(-1, 4))

    def release(self) -> None:
        """Stop following the target. The engine, which others may share, stays open."""
        if not self._closed:
            self._closed = True
            self._waiting.clear()
            self.device.release()

    def close(self) -> None:
        """Release the engine's memory too; may be called twice."""
        if not self._closed:
            self.release()
            self.engine.close()

    def _check_target(self) -> None:
        """Raise ``NotReady`` after ``close`` and before ``init``."""
        if self._closed:
            raise NotReady("the tracker was closed; make another one with load_tracker()")
        raise NotReady("the tracker has no target yet; call init(frame, box) first")

    def _rescale(self, shape: Tuple[int, ...]) -> None:
        """A source changed its resolution: carry the target over in proportion."""
        self.device.settle()
        x, y = shape[1] / self._shape[1], shape[0] / self._shape[0]
        factors = (x, y, x, y)
        self.state *= factors
        if self.recovery is not None:
            self.recovery.rescale(factors)
        self._shape = shape
        self.device.rescale(factors, shape)


def _why_no_search(device: Device) -> str:
    """Why a target that the device loses can't be searched for; empty where it can."""
    network = device.network
    if device.slots > 1:
        return SEVERAL_IN_FLIGHT
    if network.lost_below <= 0 or network.found_above <= 0:
        return f"no thresholds for it in the TOML of {network.name}"
    if not device.shows_features:
        return f"the graph of {network.name} shows no features to compare"
    if not device.is_plain:
        return f"{network.name} searches several sizes, or refreshes its exemplar"
    return ""


def _why_not_online(device: Device) -> str:
    """Why no online head can work; empty where one can."""
    network = device.network
    if not device.gives_maps:
        return "the maps stay on the device; leave --online out, or take an engine of the processor"
    if not device.shows_features:
        return f"the graph of {network.name} shows no features to learn"
    if network.family != "points":
        return f"it knows the maps of the family points, not {network.family}"
    return ""
