"""The tracker: it takes a target in one frame and finds it in every frame after it.

``init`` and ``update`` are the way of a frame. What they are composed of: a device crops, runs the
network and selects (``runtime.devices``); presence says whether the target is there; the search
chooses windows while it is lost; the learner knows the target by its features. A tracker has the
shape of the GOT-10k toolkit's.
"""

import math
import time
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from kernels.errors import NO_SCORE
from runtime import decode, geometry
from runtime.camera_motion import Ahead, CameraMotion
from runtime.devices.base import Device, Look
from runtime.errors import NetworkFailed, NotReady
from runtime.presence import Presence, ScoreAndFeatures, thresholds_of
from runtime.types import LOST, TRACKED, UNSURE, Box, Seen, Track, checked_box

if TYPE_CHECKING:
    from runtime.refresh import Refresh
    from runtime.search.search import Search

NOT_ASKED = "it was not asked for"  # why a lost target is not searched for

UINT8 = np.dtype(np.uint8)


class Tracker:
    """Follows one target.

    Args:
        device: of the target, and of others.
        recover: whether a lost target is searched for, where the network allows it.
        search_windows: windows that a lost target gets in a frame.
        steady: whether the camera's own motion moves the next window.

    Attributes:
        name: of the network.
        state: float64 [cx, cy, w, h], centre and size in frame pixels; None before ``init``. It is
            replaced, never written to.
        step_ms: dict of the last frame's time in each step, milliseconds: crop, network, select.
        kernels_name: which kernels crop and select: "c++", "numpy" or "cuda".
        presence: the ``Presence``; its ``value`` says how certain it is that the target is there.
        searches: whether a lost target is searched for.
        search: the ``Search`` for it; None where none is.
        why_no_search: the reason why it is not; empty where it is.
        is_deterministic: for the GOT-10k toolkit, as ``name`` and ``track`` are.
    """

    is_deterministic = True

    def __init__(
        self,
        device: Device,
        *,
        recover: bool = False,
        search_windows: int = 1,
        steady: bool = False,
    ) -> None:
        network, kernels = device.network, device.kernels
        self.network, self.device, self.name = network, device, network.name
        self.engine = device.engine
        self.kernels_name, self.step_ms = device.kernels_name, device.step_ms
        self.state: Any = None
        self._exemplar: Any = None
        self._shape: Tuple[int, ...] = ()
        self._closed = False
        self._refresh: Optional[Refresh] = None
        self._camera = CameraMotion() if steady else None
        self._ahead = Ahead()
        self._scales = decode.scales(network)
        self._decoder: Any = decode.create(network, kernels) if self._scales else None
        self.why_no_search = _why_no_search(device) if recover else NOT_ASKED
        self.searches = not self.why_no_search
        self.search: Optional[Search] = None
        if self.searches:
            from runtime.search.search import create  # only where a lost target is searched for

            self.search = create(network, kernels, search_windows)
            self.presence = self.search.presence
            if search_windows > 1:
                device.prepare(wait=False)
        else:
            cues = ScoreAndFeatures(network, kernels) if network.lost_below > 0 else None
            self.presence = Presence(thresholds_of(network, False), cues)

    def init(self, frame: Any, box: Sequence[float]) -> None:
        """Take a target.

        Args:
            frame: BGR uint8 (H, W, 3), a ``Picture`` of ``runtime.pictures``, or what the device
                takes besides.
            box: (x, y, w, h), 0-based pixels of the frame; it may reach a little beyond it.

        Raises:
            BadFrame, BadBox: not a picture, or a box that no target can have.
            NotReady: the tracker was closed.
        """
        if self._closed:
            self._check_target()
        device, presence = self.device, self.presence
        frame, shape = device.take(frame)
        box = checked_box(box, shape)
        self._forget()  # there is no target until all of this has worked
        state = geometry.state_of(self.network, box, shape[1], shape[0])

        # exemplar: crop and features, kept for all later frames
        exemplar = self._exemplar = device.exemplar(frame, state)
        if self.network.refresh_every:
            from runtime.refresh import Refresh  # only a few networks do

            self._refresh = Refresh(self.network, exemplar)

        # the first search region: what later frames are compared with
        seen, compares = None, device.shows_features or self._decoder is not None
        if presence.cues is not None and compares:
            (seen,) = device.look(frame, [Look(exemplar, state, selects=False)])
        if self._decoder is not None and seen is not None:
            self._decoder.first(seen.maps)
        if self.search is not None and seen is not None:
            self.search.begin(state, seen, exemplar.border)
        presence.begin(device.picture(frame), state, seen)
        if self._camera is not None:
            self._camera.begin(device.picture(frame))
        self.state, self._shape, self._ahead = state, shape, Ahead()

    def update(self, frame: Any) -> Track:
        """Find the target in the next frame.

        Args:
            frame: as in ``init``. When its size is not the last one's, the target is scaled.

        Raises:
            BadFrame: not a picture.
            NotReady: ``init`` was not called yet, or the tracker was closed.
            NetworkFailed: the network gave nothing finite.
        """
        if self._closed or self.state is None:
            self._check_target()
        shape = self._shape
        if type(frame) is not np.ndarray or frame.shape != shape or frame.dtype != UINT8:
            frame, shape = self.device.take(frame)
        for step in self.step_ms:
            self.step_ms[step] = 0.0
        if self._camera is not None:
            self.move(self._camera.between(self.device.picture(frame), [self.box]))
        return self.judge(frame, self.device.look(frame, self.looks(frame, shape)))

    @property
    def box(self) -> Box:
        """The box of the target's state; ``NotReady`` where there is no target."""
        if self.state is None:
            self._check_target()
        return geometry.box_of(self.network, self.state)

    # the steps of a frame, which ``runtime.targets.targets`` takes with several trackers at once

    def looks(self, frame: Any, shape: Tuple[int, ...]) -> List[Look]:
        """The windows of a frame.

        Args:
            frame, shape: from ``Device.take``. Where the shape is another one, the target is
                scaled.
        """
        if shape != self._shape:
            self._rescale(shape)
        exemplar, state = self._exemplar, self.state
        if self.search is not None and self.search.active:
            windows = self.search.windows(state, self.device.picture(frame))
            return [Look(exemplar, around, sides, False) for _, around, sides in windows]
        if self._scales:
            return [Look(exemplar, state, scale, False) for scale in self._scales]
        return [Look(exemplar, state)]

    def judge(self, frame: Any, seen: Sequence[Seen]) -> Track:
        """Judge what the windows show, and move the target.

        Args:
            frame: of ``looks``.
            seen: what the device saw in each of its windows.

        Raises:
            NetworkFailed: nothing finite; the target stays where it was.
        """
        began = time.perf_counter()
        if self.search is not None and self.search.active:
            track = self._judge_search(self.search, frame, seen)
        else:
            track = self._judge_followed(frame, seen)
        self.step_ms["select"] += (time.perf_counter() - began) * 1e3

        # networks with a second exemplar refresh it, where the target was found
        if self._refresh is not None:
            self._refresh.follow(
                track.score, lambda first: self.device.exemplar(frame, self.state, first)
            )
            self._exemplar = self._refresh.used
        return track

    def _judge_followed(self, frame: Any, seen: Sequence[Seen]) -> Track:
        """Judge where the device has found the target that is followed, and learn from it."""
        shown = seen[0]
        place, score = shown.state, shown.score
        if self._decoder is not None:
            shown, place, score = self._select(seen)
        certain = score if self._decoder is None else self._decoder.certain(score)
        box = geometry.box_of(self.network, place)
        if not math.isfinite(sum(box) + score):
            raise NetworkFailed(NO_SCORE)
        self.state = place

        # presence: whether that is the target, and where to look next
        picture = frame if self.search is None else self.device.picture(frame)
        state = self.presence.watch(picture, place, shown, certain)

        # learning, and the search of a target that stays lost
        if self.search is not None:
            self.search.follow(place, shown)
        return Track(box, score, state == LOST, state)

    def _select(self, seen: Sequence[Seen]) -> Tuple[Seen, np.ndarray, float]:
        """Select in the windows of several scales: (the middle one, state, score)."""
        for index, each in enumerate(seen):
            maps = self._decoder.look(index, each.maps)
        shown, place = seen[len(seen) // 2], self.state.copy()
        height, width = self._shape[:2]
        try:
            _, score = self._decoder.select(maps, place, shown.scale, width, height)
        except NetworkFailed:
            score = math.nan
        return shown, place, score

    def _judge_search(self, search: "Search", frame: Any, seen: Sequence[Seen]) -> Track:
        """Judge what the windows of the search show."""
        found, score, self.state = search.judge(self.device.picture(frame), seen, self.state)
        if not math.isfinite(score):
            raise NetworkFailed(NO_SCORE)
        state = self.presence.step(not found)
        if found:
            search.follow(self.state, seen[0])
        return Track(geometry.box_of(self.network, self.state), score, not found, state)

    # what others know of the target

    def move(self, motion: Optional[np.ndarray]) -> None:
        """Take how the camera moved since the last frame: the target is looked for where it goes.

        Args:
            motion: float64 (2, 3), see ``CameraMotion.between``; None changes nothing.
        """
        self.state = self._ahead.of(self.state, motion, self.presence.state == TRACKED)
        if motion is not None and self.search is not None:
            self.search.move(motion)

    def suggest(self, boxes: np.ndarray) -> None:
        """Take places where a lost target may be, such as a detector's boxes.

        The search for the target looks there first. Without such a search, nothing happens.

        Args:
            boxes: (n, 4) float64 (x, y, w, h), 0-based pixels of the frame, the best first.
        """
        if self.search is not None and self.search.active:
            height, width = self._shape[:2]
            states = [geometry.state_of(self.network, box, width, height) for box in boxes]
            self.search.suggest(np.array(states).reshape(-1, 4))

    def hold(self, state: np.ndarray) -> None:
        """Take where the target may be while something else is in its place.

        Nothing is learnt there. Where lost targets are searched for, this one is, from there on.

        Args:
            state: float64 [cx, cy, w, h], frame pixels.
        """
        self.state = state.copy()
        self.presence.assume(UNSURE)
        if self.search is not None:
            self.search.restart(self.state)

    def avoid(self, boxes: np.ndarray) -> None:
        """Take the boxes of other targets: a search does not find this one there.

        Args:
            boxes: (n, 4) float64 (x, y, w, h), 0-based pixels of the frame.
        """
        if self.search is not None:
            self.search.avoid(boxes)

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

    def release(self) -> None:
        """Stop following the target. The device, which others may share, stays open."""
        self._closed = True
        self._forget()

    def close(self) -> None:
        """Release the memory of device and engine too; may be called twice."""
        if not self._closed:
            self.release()
            self.device.close()
            self.engine.close()

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _forget(self) -> None:
        """Follow nothing."""
        self.state = None
        if self._refresh is not None:
            self._refresh.close()
        elif self._exemplar is not None:
            self._exemplar.close()
        self._refresh = self._exemplar = None

    def _check_target(self) -> None:
        """Raise ``NotReady`` after ``close`` and before ``init``."""
        if self._closed:
            raise NotReady("the tracker was closed; make another one with load_tracker()")
        raise NotReady("the tracker has no target yet; call init(frame, box) first")

    def _rescale(self, shape: Tuple[int, ...]) -> None:
        """A source changed its resolution: carry the target over in proportion."""
        x, y = shape[1] / self._shape[1], shape[0] / self._shape[0]
        factors = (x, y, x, y)
        self.state = self.state * factors
        if self.search is not None:
            self.search.rescale(factors)
        self._shape = shape


def _why_no_search(device: Device) -> str:
    """Why a target that the device loses can't be searched for; empty where it can."""
    network = device.network
    if network.lost_below <= 0 or network.found_above <= 0:
        return f"no thresholds for it in the TOML of {network.name}"
    if not device.shows_features:
        return f"the graph of {network.name} shows no features to compare"
    if len(decode.scales(network)) > 1 or network.refresh_every:
        return f"{network.name} searches several sizes, or refreshes its exemplar"
    return ""
