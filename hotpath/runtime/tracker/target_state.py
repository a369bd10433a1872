"""The state of one target in one network: what a frame reads and changes.

A ``Tracker`` has one ``TargetState``. ``hotpath.runtime.tracker.frame`` has the order in which a
frame calls its methods.
"""

import math
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from hotpath.base.errors import NO_SCORE
from hotpath.kernels.settings import ARGMAX
from hotpath.runtime import decode
from hotpath.runtime.devices.base import Device, WindowRequest, copy_of_result
from hotpath.runtime.errors import BadFrame, NetworkFailed
from hotpath.runtime.frames import geometry
from hotpath.runtime.identity.guard import DistractorGuard
from hotpath.runtime.identity.identity import Identity, IdentityPhase, rules_of
from hotpath.runtime.search.redetector import Redetector
from hotpath.runtime.search.wider import WiderSearch
from hotpath.runtime.tracker.first_box import UNSMOOTHED, bias_of
from hotpath.runtime.tracker.lock import ExclusiveLock
from hotpath.runtime.tracker.motion import Motion
from hotpath.runtime.types import LOST, Box, Track, WindowResult


class TargetState:
    """One target of one network, from frame to frame.

    Args:
        device: the ``Device`` that runs the network.
        lock: of the tracker.
        recover: as of a ``Tracker``, None also where the device allows no search.

    Attributes:
        network, device, lock: as above.
        identity: ``Identity`` of the target.
        guard, redetector: ``DistractorGuard`` and ``Redetector``; None if it can't be lost.
        searches: whether a lost target is searched for.
        state: float64 [cx, cy, w, h], frame pixels; each frame replaces the array. None before a
            target.
        last: the state in the last frame in which the target was not lost.
        shape: of the last frame.
        exemplar: the ``Exemplar`` that the device keeps.
        bias: of the drawn box, see ``hotpath.runtime.tracker.first_box``.
        motion: ``Motion`` of the target.
        shown: the last ``Track``.
    """

    def __init__(self, device: Device, lock: ExclusiveLock, recover: Optional[bool]) -> None:
        network, kernels = device.network, device.kernels
        self.network, self.device, self.lock = network, device, lock
        self.state: Any = None
        self.last: Any = None
        self.bias: Any = None
        self.exemplar: Any = None
        self.shape: Tuple[int, ...] = ()
        self.motion = Motion()
        self.shown: Optional[Track] = None
        self._legible: Any = None  # (shape, state, last) before frames in which it is too small
        self._scales = decode.scales(network)
        # of a family that searches several sizes
        self._decoder: Any = decode.create(network, kernels) if self._scales else None
        self.guard: Optional[DistractorGuard] = None
        self.redetector: Optional[Redetector] = None
        self.searches = bool(recover)
        self._prior = ARGMAX
        if recover is None:
            self.identity = Identity(rules_of(network))
        else:
            self.guard = DistractorGuard(network, kernels)
            self.identity = self.guard.identity
            self.redetector = Redetector(network, self.guard, recover)
            if recover:
                self._prior = self.guard.prior

    def begin(
        self, frame: Any, shape: Tuple[int, ...], box: Box, is_drawn: bool = False
    ) -> Iterator[None]:
        """Start with a new target, in two parts; there is none until both of them have worked.

        Args:
            frame, shape: from ``Device.take``.
            box: from ``checked_box``.
            is_drawn: whether later boxes follow the convention of this one.
        """
        network, device = self.network, self.device
        self.forget()
        state = geometry.state_of(network, box, shape[1], shape[0])

        # exemplar: crop and features, kept for all later frames
        self.exemplar = device.exemplar(frame, state)

        # the first search region: what later frames are compared with
        result = bias = None
        if self.guard is not None and self.redetector is not None:
            (shown,), _ = device.run(frame, [WindowRequest(self.exemplar, state, prior=UNSMOOTHED)])
            result = copy_of_result(shown)  # a later call overwrites it
            yield
            if is_drawn and self.searches:
                bias = bias_of(network, state, result, shape)
            self.guard.begin(state, result, self.exemplar.border)
            self.redetector.begin()
        self.identity.begin(device.picture(frame), state, result)
        self.state = self.last = state
        self.bias, self.shape = bias, shape

    def forget(self) -> None:
        """Drop the target."""
        self.state = self._legible = None
        if self.exemplar is not None:
            self.exemplar.close()
        self.exemplar = None

    def requests(self, frame: Any, shape: Tuple[int, ...]) -> List[WindowRequest]:
        """Return the windows of a frame that the device has to look at for a target.

        Args:
            frame, shape: from ``Device.take``.
        """
        if shape != self.shape:
            self._rescale(shape)
        exemplar, state, redetector = self.exemplar, self.state, self.redetector
        if redetector is not None and redetector.active:
            region = redetector.window(state, self.device.picture(frame))
            return [WindowRequest(exemplar, region.state, region.factor, region.prior, False)]
        if self._scales:
            return [WindowRequest(exemplar, state, scale, None) for scale in self._scales]
        reads = self.guard is not None and (not self.device.copies or self.guard.learns)
        return [WindowRequest(exemplar, state, 1.0, self._prior, reads)]

    def _rescale(self, shape: Tuple[int, ...]) -> None:
        """Scale the target's state after the source changed its resolution.

        In a frame where the target is smaller than the network's smallest box, its size and place
        cannot be measured. After such frames, those from before are restored.
        """
        self.check_size(shape)
        before = self._legible or (self.shape, self.state, self.last)
        (height, width), was_legible = before[0][:2], self._legible is None
        x, y = shape[1] / width, shape[0] / height
        factors = (x, y, x, y)
        self.state, self.last = before[1] * factors, before[2] * factors
        is_legible = min(self.state[2:]) >= min(self.network.min_size, *before[1][2:])
        self._legible = None if is_legible else before
        x, y = shape[1] / self.shape[1], shape[0] / self.shape[0]
        if self.guard is not None and self.redetector is not None:
            self.guard.rescale((x, y, x, y), None if was_legible else self.last)
            self.redetector.rescale((x, y, x, y))
        self.motion.rescale(x, y)
        self.shape = shape

    def check_size(self, shape: Sequence[int]) -> None:
        """Refuse a frame that is smaller than the network's smallest box."""
        network = self.network
        if min(shape[:2]) < network.min_size:
            raise BadFrame(
                f"a frame of {shape[1]}x{shape[0]} is smaller than the smallest box that "
                f"{network.name} gives, {network.min_size:g} pixels; scale the pictures up",
                what="too small",
            )

    def wider_search(self) -> Optional[WiderSearch]:
        """Return what a wider window needs; None while the target is lost, or without a search."""
        if self.guard is None or not self.searches or self.is_searched:
            return None
        return WiderSearch(self.guard, self.exemplar, self.state)

    @property
    def is_searched(self) -> bool:
        """Whether the next frame is searched for a lost target."""
        return self.redetector is not None and self.redetector.active

    def judge(self, frame: Any, results: Sequence[WindowResult]) -> Track:
        """Judge what the windows of a frame show, and move the target.

        Args:
            frame: the frame that ``requests`` got.
            results: a ``WindowResult`` for each of its windows.

        Raises:
            NetworkFailed: the output is not finite. The target stays where it was.
        """
        guard, identity, shown = self.guard, self.identity, results[0]
        value = appearance = None
        redetector = self.redetector if self.is_searched else None
        picture = frame if guard is None else self.device.picture(frame)
        if redetector is not None:
            value, score, place = redetector.update(picture, shown, self.state)
        elif self._decoder is not None:
            shown = results[len(results) // 2]
            maps, (height, width) = [scale.maps for scale in results], self.shape[:2]
            place, score = self._decoder.among(maps, self.state, shown.scale, width, height)
        else:
            chosen, appearance = (0, None) if guard is None else guard.choose(shown)
            place, score = shown.states[chosen], shown.scores[chosen]
        if not math.isfinite(sum(place.tolist()) + score):
            raise NetworkFailed(NO_SCORE, what="no score")
        self.state = place

        # whether that is the target, and where to look next
        if redetector is not None:
            identity.end_search_frame(place, value)
        else:
            identity.observe(picture, place, shown, score, appearance)

        # report the state; then learn, and search for a target that stays lost
        state, presence = identity.report()
        if state != LOST:
            self.last = place
        box = self.box_of(self.last)
        track = Track(box, score, state == LOST, state, presence=presence)
        track = track._replace(found=True) if identity.found else track
        if guard is not None and (redetector is None or value is not None):
            guard.learn(place, shown)
            self.redetector.end_frame()  # type: ignore[union-attr]  # a guard has one
        return track

    def with_velocity(self, track: Track, time_s: Optional[float]) -> Track:
        """Return a track of ``judge`` with ``velocity`` and ``predicted`` for that time."""
        return self.motion.step(track, time_s)

    def box_of(self, state: np.ndarray) -> Box:
        """Return the box that the user gets for a state, by the convention of the drawn box."""
        if self.bias is not None:
            state = state * self.bias
            geometry.clamp_state(self.network, state, self.shape[1], self.shape[0])
        return geometry.box_of(self.network, state)

    def state_in(self, box: Box) -> np.ndarray:
        """Return the state that ``box_of`` shows as a box of the last frame."""
        height, width = self.shape[:2]
        state = geometry.state_of(self.network, box, width, height)
        return state if self.bias is None else state / self.bias

    def follow_candidate(self, box: Box) -> None:
        """Track what a box of the last frame holds; it must be verified as after a loss."""
        with self.lock:
            self.state = self.state_in(box)
            self.identity.propose()
            if self.redetector is not None:
                self.redetector.active = False

    def hold_place(self, state: np.ndarray) -> None:
        """Set where a target may be while another target is in its place.

        The tracker learns nothing there. If it searches for lost targets, it searches from there.

        Args:
            state: float64 [cx, cy, w, h], frame pixels.
        """
        with self.lock:
            self.state = state.copy()
            self.identity.yield_to_other(IdentityPhase.DOUBTFUL)
            if self.redetector is not None:
                self.redetector.restart(self.state)

    def set_other_boxes(self, boxes: np.ndarray) -> None:
        """Set the boxes of other targets, in which a target is neither found nor suspected.

        Args:
            boxes: (n, 4) float64 (x, y, w, h), 0-based pixels of the frame.
        """
        with self.lock:
            if self.redetector is not None:
                self.redetector.set_other_boxes(boxes, self.state)
