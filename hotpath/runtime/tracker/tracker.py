"""``Tracker``: takes a target in one frame, and follows it through the following frames.

``Tracker.init`` takes the first frame, and ``hotpath.runtime.tracker.frame`` has the path of each
later one. A device crops the windows, runs the network and selects the best location
(``hotpath.runtime.devices``). The identity decides whether that is the target. The search chooses
windows while the target is lost. The learner recognises the target by its features.
"""

import warnings
from typing import Any, NoReturn, Optional, Sequence, Tuple

import numpy as np

from hotpath.base.log import users_level
from hotpath.runtime import decode
from hotpath.runtime.devices.base import STEPS, Device, StepMs
from hotpath.runtime.errors import NotReady
from hotpath.runtime.frames import geometry
from hotpath.runtime.tracker.first_box import DoubtfulBox, doubt_of
from hotpath.runtime.tracker.frame import decide_targets, run_windows, tracks_or_raise
from hotpath.runtime.tracker.lock import ExclusiveLock, exclusive
from hotpath.runtime.tracker.motion import Motion, is_time
from hotpath.runtime.tracker.target_state import TargetState
from hotpath.runtime.tracker.trail import Trail, end_frame
from hotpath.runtime.types import Box, Boxes, Track, checked_box, checked_boxes, given_track

NO_COPY = (
    "a tracker holds a loaded network, so it can't be copied or pickled; call load_tracker() in "
    "each process or thread, or load_targets() for several targets in one picture"
)
NO_BOX = "the target is lost, so there is no box to confirm or reject; give a new box"
CANNOT_LOSE = "this tracker cannot lose a target, so there is nothing to reject; give a new box"


class Tracker:
    """Follows one target.

    Args:
        device: the ``Device`` that runs the network. Several trackers may share it.
        recover: whether to search for a lost target, if the network allows it. False only reports
            a loss. None does neither: the target is always tracked.

    Attributes:
        name: name of the network.
        first: the ``Track`` of the frame of ``init``; None before it.
        doubt: a sentence that says why the first box is hard to track; "" if it is not.
        step_ms: milliseconds of each step of the last frame: a dict with crop, network, select.
            The last one includes all decisions.
        kernels_name: the kernels that crop and select: "c++", "numpy" or "cuda".
        searches: whether the tracker searches for a lost target.
        why_no_search: why the tracker does not search. Empty if it does.

    Example:
        >>> tracker = load_tracker()
        >>> track = tracker.init(frame, (440, 270, 60, 90), time_s=0.0)
        >>> track = tracker.update(frame, time_s=0.04)  # of the next frame
        >>> track.state, round(track.presence), track.lost
        ('tracked', 1, False)
    """

    _warns = True  # of a first box that is hard to track

    def __init__(
        self,
        device: Device,
        *,
        recover: Optional[bool] = None,
    ) -> None:
        network = device.network
        self.network, self.device, self.name = network, device, network.name
        self.engine = device.engine
        self.kernels_name = device.kernels_name
        self.step_ms: StepMs = dict.fromkeys(STEPS, 0.0)
        self.first: Optional[Track] = None
        self.doubt = ""
        self._drawn: Any = None  # the state of the drawn box, which has its bias already
        self._closed = False
        self.lock = ExclusiveLock()
        self.why_no_search = why_no_search_on(device) if recover else "it was not asked for"
        self.searches = not self.why_no_search
        can_lose = recover is not None and not why_no_search_on(device)
        self.target = TargetState(device, self.lock, recover if can_lose else None)
        self._trail: Any = Trail(TargetState(device, self.lock, False)) if self.searches else None

    @exclusive
    def init(
        self,
        frame: Any,
        box: Optional[Sequence[float]] = None,
        time_s: Optional[float] = None,
        *,
        point: Optional[Sequence[float]] = None,
        snug: bool = False,
        besides: Optional[Sequence[float]] = None,
    ) -> Track:
        """Start to follow a target, in a box or at a point; returns its first ``Track``.

        A ``DoubtfulBox`` warning is issued if tracking from the box will hardly work.

        Args:
            frame: BGR uint8 (H, W, 3), or a ``Picture`` of ``hotpath.runtime.frames.pictures``. On
                a GPU also such an array in its memory (CuPy, PyTorch, Numba), or the pair of planes
                of NV12, (H, W) and (H/2, W): they are read where they are.
            box: (x, y, w, h), 0-based pixels. A quarter of it must be in the frame.
            time_s: time of the frame, as in ``update``.
            point: (x, y) of a point on the target, instead of a box. The head of kestrel finds
                the object, whichever network tracks.
            snug: whether a box that is much too large is replaced by the box of the object inside.
            besides: box of an object at the point that you do not mean, such as a part; the larger
                object around it is selected.

        Raises:
            BadFrame: the frame is not a picture, or smaller than the network's smallest box.
            BadBox: no target can have this box.
            NoObject: there is no object at the point.
            BadOption: ``time_s`` is no number, the network has no head, or box and point are both
                given, or neither.
            NotReady: the tracker was closed.
        """
        if self._closed:
            self._check_target()
        device, target = self.device, self.target
        frame, shape = device.take(frame)
        target.check_size(shape)
        taken = "box"
        if snug or point is not None or box is None:
            from hotpath.runtime.tracker import point_prompt  # only for points and loose boxes

            box, taken = point_prompt.first_box(device, frame, box, point, besides)
        box = checked_box(box, shape)
        motion, doubt = Motion(box, time_s), doubt_of(device.picture(frame), box, shape)
        if doubt and self._warns:  # an error, if the user's filter makes it one
            warnings.warn(DoubtfulBox(doubt), stacklevel=users_level())
        self._forget()
        for _ in target.begin(frame, shape, box, is_drawn=taken == "box"):
            pass
        target.motion, self._drawn = motion, target.state
        if self._trail is not None:
            self._trail.begin()
        self.first = given_track(box, taken)
        self.doubt = doubt
        return self.first

    def update(self, frame: Any, time_s: Optional[float] = None) -> Track:
        """Find the target in the next frame.

        Args:
            frame: as in ``init``. If its size has changed, the target's box is scaled with it.
            time_s: time of the frame, seconds from any origin, such as ``time.monotonic()`` at its
                capture or the position in a recording. ``velocity`` and ``predicted`` need it, and
                are None if it is not finite.

        Raises:
            BadFrame: the frame is not a picture, or smaller than the network's smallest box.
            BadOption: ``time_s`` is no number.
            NotReady: ``init`` was not called yet, the tracker was closed, or another thread uses
                it now.
            NetworkFailed: the output of the network is not finite.
        """
        is_time(time_s)  # which raises before anything moves
        self.lock.acquire()
        try:
            if self._closed or self.target.state is None:
                self._check_target()
            return self.target.with_velocity(self._track_in(frame), time_s)
        finally:
            self.lock.release()

    def _track_in(self, frame: Any) -> Track:
        """Return the track of the next frame, without a velocity."""
        targets = {0: self.target}
        results = run_windows(targets, frame)
        tracks, self.step_ms = decide_targets(targets, results), results.step_ms
        end_frame({0: self}, results, tracks)
        return tracks_or_raise(targets, tracks)[0]

    @property
    def _each(self) -> "Tuple[Tracker, ...]":
        """The trackers of all networks that follow the target."""
        return (self,)

    @property
    def state(self) -> Any:
        """Deprecated: float64 [cx, cy, w, h] of the target, frame pixels. Use ``box``."""
        warnings.warn("Tracker.state is deprecated; use Tracker.box", DeprecationWarning, 2)
        return self.target.state

    @property
    def box(self) -> Box:
        """The target's box as a ``Box``. Raises ``NotReady`` if there is no target."""
        state = self.target.state  # another thread may drop the target
        if state is None:
            self._check_target()
        if self.first is not None and state is self._drawn:
            return self.first.box
        return self.target.box_of(state)

    @exclusive
    def suggest(self, boxes: Boxes) -> None:
        """Suggest places where a lost target may be, such as a detector's boxes.

        The search looks there first. A tracker that does not search ignores them.

        Args:
            boxes: (x, y, w, h), 0-based pixels of the frame; or several, the best first.

        Raises:
            BadBox: it has another shape, or a number is not finite.
        """
        boxes = checked_boxes(boxes)
        redetector = self.target.redetector
        if redetector is not None and redetector.active:
            height, width = self.target.shape[:2]
            states = [geometry.state_of(self.network, box, width, height) for box in boxes]
            redetector.suggest(np.array(states).reshape(-1, 4))

    @exclusive
    def confirm(self) -> None:
        """Confirm that ``box`` holds the target: it is tracked and learnt from the next frame on.

        Raises:
            NotReady: there is no target, or it is lost, so that no box holds it.
        """
        if self.target.state is None:
            self._check_target()
        if self.target.identity.is_lost:
            raise NotReady(NO_BOX, what="lost")
        self.target.identity.confirm()
        if self.target.redetector is not None:
            self.target.redetector.confirm()
        if self._trail is not None:
            self._trail.begin()

    @exclusive
    def reject(self) -> None:
        """Report that ``box`` holds another object: drop it, and search for the target.

        The search remembers where that object is, so that it is not found again. A tracker that
        does not search goes on looking around the last location.

        Raises:
            NotReady: there is no target, it is lost already, or the tracker cannot lose a target.
        """
        if self.target.state is None:
            self._check_target()
        if self.target.identity.value is None:
            raise NotReady(CANNOT_LOSE, what="always tracked")
        if self.target.identity.is_lost:
            raise NotReady(NO_BOX, what="lost")
        self.target.identity.reject()
        if self.target.redetector is not None:
            self.target.redetector.reject(self.target.state)

    @exclusive
    def release(self) -> None:
        """Stop following the target. The device stays open, because others may share it."""
        self._closed = True
        self._forget()
        if self._trail is not None:
            self._trail.begin()

    @exclusive
    def close(self) -> None:
        """Stop following the target, and release device and engine. May be called twice."""
        if not self._closed:
            self.release()
            self.device.close()
            self.engine.close()

    def __reduce__(self) -> NoReturn:
        """Refuse ``copy`` and ``pickle`` by a ``TypeError`` that says what to do."""
        raise TypeError(NO_COPY)

    def __repr__(self) -> str:
        try:
            what = "target at {:.0f},{:.0f},{:.0f},{:.0f}".format(*self.box)
        except NotReady as error:
            what = error.what
        return f"<{type(self).__name__} {self.name}, {what}>"

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self) -> None:
        """Drop the target."""
        self.first, self.doubt = None, ""
        self.target.forget()

    def _check_target(self) -> None:
        """Raise ``NotReady`` before ``init`` and after ``close``."""
        if self._closed:
            raise NotReady(
                "the tracker was closed; make another one with load_tracker()", what="closed"
            )
        raise NotReady(
            "the tracker has no target yet; call init(frame, box) first", what="no target"
        )


def why_no_search_on(device: Device) -> str:
    """Return why a search for a lost target is impossible. Empty if it is possible."""
    network = device.network
    if not network.can_be_lost:
        return f"no thresholds for it in the TOML of {network.name}"
    if not device.shows_features:
        return f"the graph of {network.name} shows no features to compare"
    if len(decode.scales(network)) > 1:
        return f"{network.name} searches several sizes"
    return ""
