"""Track several targets in one run. Each has its own tracker, and all share one device.

``hotpath.runtime.tracker.frame.run_windows`` gives the device the windows of all targets in one
list.
"""

import math
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NoReturn, Optional, Sequence, Tuple

import numpy as np

from hotpath.base.log import reporter
from hotpath.base.messages import counted, did_you_mean
from hotpath.runtime import loading
from hotpath.runtime.devices.base import STEPS, Device, StepMs
from hotpath.runtime.errors import BadOption, NotReady
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.frames.pictures import AnyFrame
from hotpath.runtime.networks import DEFAULT_NETWORK, FASTER_PAIR, SHARE
from hotpath.runtime.options import DEFAULTS, Options
from hotpath.runtime.targets.exclusion import Exclusion, targets_without_object
from hotpath.runtime.targets.finding import TargetFinder
from hotpath.runtime.tracker.frame import decide_targets, run_windows, tracks_or_raise
from hotpath.runtime.tracker.lock import ExclusiveLock, exclusive
from hotpath.runtime.tracker.motion import is_time
from hotpath.runtime.tracker.tracker import NO_BOX, NO_COPY, Tracker, why_no_search_on
from hotpath.runtime.tracker.trail import end_frame
from hotpath.runtime.types import Boxes, Track

MANY = 4  # targets; with more, a sentence names the faster network
ALIKE = 0.8  # overlap with an older target's box from which a first box is probably a mistake


class Targets:
    """Follows any number of targets. They are numbered from 0 in the order of ``add``.

    Args:
        device: the ``Device`` that all targets share.
        options: as in ``hotpath.runtime.loading.tracker_on``.
        witness: the ``Device`` of a second network, which follows all targets, too; or None.

    Attributes:
        step_ms: milliseconds of each step of the last frame, all targets together: a dict.
        finder: the ``TargetFinder`` of ``find_with``, which adds and drops targets, or None.
        added: numbers of the targets that the finder added in the last ``update``, a list.
        dropped: targets that the finder dropped in the last ``update``: number -> why, a sentence.

    Example:
        >>> targets = load_targets()
        >>> car, dog = (targets.add(frame, box) for box in boxes)
        >>> targets.drop(car)
        >>> list(targets.update(frame)), targets.numbers
        ([1], (1,))
    """

    def __init__(
        self, device: Device, options: Options = DEFAULTS, witness: Optional[Device] = None
    ) -> None:
        self.device, self.network, self.engine = device, device.network, device.engine
        self.witness = witness
        self._devices = [device] if witness is None else [device, witness]
        self.step_ms: StepMs = dict.fromkeys(STEPS, 0.0)
        self._options, self._log = options, options.log
        self._trackers: Dict[int, Any] = {}  # ``Tracker`` or, with a witness, ``WitnessedTracker``
        self.lock = ExclusiveLock()
        self._classes: Dict[int, Dict[str, Any]] = {}  # of those targets that have one
        self.finder: Optional[TargetFinder] = None
        self.added: List[int] = []
        self.dropped: Dict[int, str] = {}
        self._next = 0
        self._closed = False
        self._exclusions = [Exclusion() for _ in self._devices]

    @exclusive
    def add(
        self,
        frame: AnyFrame,
        box: Optional[Sequence[float]] = None,
        class_id: Optional[int] = None,
        class_name: str = "",
        time_s: Optional[float] = None,
        **meant: Any,
    ) -> int:
        """Start to follow a target; returns its number. ``first(number)`` is its first track.

        Args:
            frame: BGR uint8 (H, W, 3).
            box: (x, y, w, h), 0-based pixels of the frame. None if ``point`` is given.
            class_id: number of the target's class, repeated in its tracks.
            class_name: name of that class, repeated as well.
            time_s: time of the frame, as in ``Tracker.update``.
            meant: ``point``, ``snug`` and ``besides`` of ``Tracker.init``.

        Raises:
            BadFrame, BadBox, NoObject, BadOption: see ``Tracker.init``.
            NotReady: ``close`` was called.
        """
        self._check_open()
        is_default = self.network.name.partition("-")[0] == DEFAULT_NETWORK
        if len(self) == MANY and self._log is not None and is_default:
            self._log(
                f"{MANY + 1} targets: {FASTER_PAIR} takes {SHARE:g} of the time of "
                f"{DEFAULT_NETWORK}"
            )
        tracker = self._begun(frame, box, time_s, **meant)
        number, self._next = self._next, self._next + 1
        self._trackers[number] = tracker
        if class_id is not None or class_name:
            self.classify(number, class_id, class_name)
        return number

    def _begun(self, frame: AnyFrame, *values: Any, **meant: Any) -> Tracker:
        """Return a tracker that follows a new box; the arguments are those of ``Tracker.init``."""
        tracker = loading.tracker_on(self.device, self._options, self.witness)
        # what the next targets' trackers would say is the same
        self._options = self._options._replace(log=None)
        try:
            tracker.init(frame, *values, **meant)
        except Exception:  # a warning too may be raised
            tracker.release()
            raise
        return tracker

    @exclusive
    def first(self, number: int) -> Track:
        """Return the track of the frame in which a target began; ``NotReady`` without it."""
        track: Any = self._tracker(number).first
        return track  # type: ignore[no-any-return]

    @exclusive
    def doubt(self, number: int) -> str:
        """Return why a target can hardly be followed from its first box, a sentence; or "".

        Another reason is an older target that is followed in nearly the same box.
        """
        tracker = self._tracker(number)
        if tracker.doubt or tracker.target.state is None:
            return str(tracker.doubt)
        box = tracker.target.box_of(tracker.target.state)
        for other, older in self._trackers.items():
            if other >= number or older.target.state is None or older.target.identity.is_unverified:
                continue
            if overlap(box, older.target.box_of(older.target.state)) >= ALIKE:
                return (
                    f"the box is nearly that of target {other}, so both follow the same object; "
                    "draw it around another one"
                )
        return ""

    @exclusive
    def find_with(self, detect: Callable[[AnyFrame], Any], every: int = 10) -> None:
        """Let a detector add targets: ``update`` makes a target of every object that it detects.

        Args:
            detect: function that detects objects, such as ``load_detector("yolox_nano").detect``.
                It takes a frame, BGR uint8 (H, W, 3). It returns boxes, (n, 4) of (x, y, w, h), or
                a tuple of boxes, scores, classes and names.
            every: frames from one call of the detector to the next.

        Raises:
            BadOption: ``detect`` is not a function, or ``every`` is not a number above 0.
        """
        is_number = isinstance(every, (int, float))
        if not (callable(detect) and is_number and 1 <= every < math.inf):
            raise BadOption(
                "detect must be a function of a frame, and every a number above 0",
                what="wrong value",
            )
        self.finder = TargetFinder(self, detect, every=every, everything=True, background=False)

    @exclusive
    def classify(self, number: int, class_id: Optional[int], class_name: str) -> None:
        """Set the class of a target, which its tracks repeat.

        Raises:
            NotReady: no target has that number.
        """
        self._tracker(number)
        self._classes[number] = {"class_id": class_id, "class_name": class_name}

    @exclusive
    def restart(
        self, number: int, frame: AnyFrame, box: Sequence[float], time_s: Optional[float] = None
    ) -> None:
        """Give a target a new box; it keeps its number. If it is refused, all is as before.

        Arguments and further errors are those of ``Tracker.init``.

        Raises:
            NotReady: no target has that number.
        """
        before = self._tracker(number)
        self._trackers[number] = self._begun(frame, box, time_s)
        before.release()
        self._forget(number)

    @exclusive
    def drop(self, number: int) -> None:
        """Stop following a target. A number that does not exist is ignored."""
        tracker = self._trackers.pop(number, None)
        self._classes.pop(number, None)
        self._forget(number)
        if tracker is not None:
            tracker.release()

    @property
    def title(self) -> str:
        """Return what follows the targets: "lightfc with kestrel", or one network's name."""
        return " with ".join(device.network.name for device in self._devices)

    @property
    def can_lose(self) -> bool:
        """Whether a target can be lost: else each is always tracked."""
        asked = loading.should_recover(self.device, self._options) is not None
        return asked and not why_no_search_on(self.device)

    @property
    def numbers(self) -> Tuple[int, ...]:
        """Return the numbers of the targets that are followed now."""
        with self.lock:
            return tuple(self._trackers)

    @exclusive
    def confirm(self, number: int) -> None:
        """Say that a target's box holds it; see ``Tracker.confirm``."""
        self._seen(number).confirm()

    @exclusive
    def reject(self, number: int) -> None:
        """Say that a target's box holds another object; see ``Tracker.reject``."""
        self._seen(number).reject()

    @exclusive
    def suggest(self, number: int, boxes: Boxes) -> None:
        """Suggest places where a lost target may be; see ``Tracker.suggest``."""
        self._tracker(number).suggest(boxes)

    @exclusive
    def update_one(self, number: int, frame: AnyFrame, time_s: Optional[float] = None) -> Track:
        """Find only one target in a frame. This serves a target that was added late."""
        track = self._tracker(number).update(frame, time_s)
        return track._replace(**self._classes.get(number, {}))

    def update(self, frame: AnyFrame, time_s: Optional[float] = None) -> Dict[int, Track]:
        """Find every target in the next frame; returns a dict of number -> ``Track``.

        No two targets claim the same object (see ``hotpath.runtime.targets.exclusion``). After
        ``find_with``, objects that the detector finds are added, and targets that it no longer
        finds are dropped: see ``added`` and ``dropped``.

        Args:
            frame: as in ``Tracker.update``.
            time_s: as in ``Tracker.update``.

        Raises:
            BadOption: ``time_s`` is no number.
            NetworkFailed: the output for a target is not finite. The other targets have moved.
            BadBox: the finder does not return boxes.
            NotReady: ``close`` was called, or another thread uses the targets now.
        """
        is_time(time_s)  # which raises before anything moves
        self.lock.acquire()
        try:
            self._check_open()
            if self.added or self.dropped:
                self.added = []
                self.dropped = {}
            tracks = self._tracked(frame, time_s)
            for number, kind in self._classes.items():
                if number in tracks:
                    tracks[number] = tracks[number]._replace(**kind)
            return tracks if self.finder is None else self.finder.step(frame, tracks, time_s)
        finally:
            self.lock.release()

    def _tracked(self, frame: AnyFrame, time_s: Optional[float]) -> Dict[int, Track]:
        trackers = self._trackers
        if not trackers:
            self.step_ms = dict.fromkeys(STEPS, 0.0)
            return {}
        exclude = self._exclude if len(trackers) > 1 else None
        if self.witness is None:
            targets = {number: tracker.target for number, tracker in trackers.items()}
            results = run_windows(targets, frame)
            tracks, self.step_ms = decide_targets(targets, results), results.step_ms
            if exclude is not None:
                exclude([trackers], [tracks], results.shape)
            end_frame(trackers, results, tracks)
        else:
            from hotpath.runtime.tracker.witness import find_targets  # few boards have a witness

            tracks, self.step_ms = find_targets(trackers, frame, exclude)
        tracks = {n: trackers[n].target.with_velocity(t, time_s) for n, t in tracks.items()}
        return tracks_or_raise(trackers, tracks)

    def _exclude(
        self,
        networks: List[Dict[int, Tracker]],
        tracks: List[Dict[int, Track]],
        shape: Tuple[int, ...],
    ) -> None:
        """Let no two targets claim one object: change the tracks of each network in place."""
        some = [{n: each[n] for n in of_each} for each, of_each in zip(networks, tracks)]
        losers = targets_without_object(self._exclusions, some)
        for exclusion, trackers, of_each, out in zip(self._exclusions, some, tracks, losers):
            for number, decision in exclusion.assign_objects(trackers, of_each, shape, out).items():
                of_each[number] = decision.track
                if decision.rivals is not None:
                    trackers[number].target.set_other_boxes(decision.rivals)
                if decision.held is not None:
                    trackers[number].target.hold_place(decision.held)

    def _of_devices(self) -> List[Dict[int, Tracker]]:
        """Return the trackers of each device, by number of their targets."""
        if self.witness is None:
            return [self._trackers]
        return [self._trackers, {n: tracker.witness for n, tracker in self._trackers.items()}]

    def _check_open(self) -> None:
        if self._closed:
            raise NotReady(
                "the targets were closed; make others with load_targets()", what="closed"
            )

    def _forget(self, number: int) -> None:
        """Let other targets be found where this one was, as it is gone or has a new box."""
        for trackers, exclusion in zip(self._of_devices(), self._exclusions):
            exclusion.forget(number)
            for tracker in trackers.values():
                tracker.target.set_other_boxes(np.zeros((0, 4)))
        if len(self) < 2:  # nobody has its object
            self._exclusions = [Exclusion() for _ in self._devices]

    def _seen(self, number: int) -> Tracker:
        """Return the tracker of a target; ``NotReady`` if other targets have all its objects."""
        tracker = self._tracker(number)
        if all(exclusion.is_lost(number) for exclusion in self._exclusions):
            raise NotReady(NO_BOX, what="lost")
        return tracker

    def _tracker(self, number: int) -> Tracker:
        if number not in self._trackers:
            there = ", ".join(map(str, self.numbers))
            raise NotReady(
                f"no target has the number {number}; "
                + (f"give one of these: {there}" if there else "call add(frame, box) first"),
                what="unknown target",
            )
        tracker: Tracker = self._trackers[number]
        return tracker

    if not TYPE_CHECKING:  # which reports a wrong name itself

        def __getattr__(self, name: str) -> NoReturn:
            """Raise ``AttributeError``, with the name that you meant."""
            names = [each for each in dir(type(self)) if each[0] != "_"]
            is_removal = name in ("remove", "delete")
            hint = "did you mean drop?" if is_removal else did_you_mean(name, names)
            hint = "; " + hint if hint else ""
            raise AttributeError(f"Targets has no attribute {name!r}{hint}")

    def __len__(self) -> int:
        return len(self._trackers)

    def __reduce__(self) -> NoReturn:
        """Refuse ``copy`` and ``pickle`` by a ``TypeError`` that says what to do."""
        raise TypeError(NO_COPY)

    def __repr__(self) -> str:
        what = "closed" if self._closed else counted(len(self), "target")
        return f"<{type(self).__name__} {self.network.name}, {what}>"

    def __enter__(self) -> "Targets":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop following all targets, and release the memory of device and engine."""
        with self.lock:
            self._closed = True
        if self.finder is not None:  # waited for out of turn: its function may ask these targets
            self.finder.close()
        with self.lock:
            for number in self.numbers:
                self.drop(number)
            for device in self._devices:
                device.close()
                device.engine.close()


def open_targets(options: Options) -> Targets:
    """Load a network, and make ``Targets`` with it: ``hotpath.load_targets``."""
    options = options._replace(log=reporter(options.log))
    device, witness = loading.open_devices(options)
    return Targets(device, options, witness)
