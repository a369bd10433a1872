"""``hotpath.track``: follow a target in any source, frame by frame, in a user's own program.

It starts and follows in the same way as ``hotpath track``: the same frames, in the same planes,
reach the same functions in the same order. So the boxes of both are equal.
"""

import argparse
import contextlib
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Generic,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from hotpath.app.frames import MOST_FAILED, POLL_S, first_frame, opened_source
from hotpath.app.option_records import SourceOptions, TargetOptions, time_of
from hotpath.base.log import reporter
from hotpath.base.python_end import uninterrupted
from hotpath.runtime.errors import BadBox, BadFrame, BadOption, NetworkFailed
from hotpath.runtime.frames.frame_edges import within_frame
from hotpath.runtime.frames.pictures import AnyFrame, Picture, as_picture
from hotpath.runtime.options import Options, PathLike, checked
from hotpath.runtime.targets.finding import TargetFinder
from hotpath.runtime.targets.targets import Targets, open_targets
from hotpath.runtime.types import (
    Track,
    are_corners,
    checked_box,
    corners_hint,
)
from hotpath.video.sources import WAITING, check_camera, is_recorded, source_of

if TYPE_CHECKING:
    from hotpath.app.detect import Detector
    from hotpath.video.base import Source

EVERY = TargetOptions().every  # frames from one call of the detector to the next


def start_seconds(start: Union[float, str]) -> float:
    """Seconds of ``start``, by the rule of ``--start``.

    Raises:
        BadOption: it is no time.
    """
    try:
        return time_of(str(start))
    except argparse.ArgumentTypeError as error:
        raise BadOption(f"start {error}", what="wrong value") from None


class TargetRequest:
    """How the target is selected. See ``hotpath.track``, which has the same arguments."""

    def __init__(
        self,
        box: Optional[Sequence[float]] = None,
        point: Optional[Sequence[float]] = None,
        snug: bool = False,
        detector: Union[PathLike, Callable[[Any], Any], None] = None,
        classes: Optional[Sequence[str]] = None,
    ) -> None:
        if box is not None and point is not None:
            raise BadOption("give box or point, not both: each is a target", what="two targets")
        if classes is not None and (detector is None or callable(detector)):
            raise BadOption(
                'classes are those of a detector; give its name too, such as "yolox_nano"',
                what="no detector",
            )
        if isinstance(classes, str):
            raise BadOption(f"classes are a list, such as [{classes!r}]", what="no list")
        self.box, self.point, self.snug = box, point, snug
        self.detector, self.classes = detector, classes

    def load(self, network: Options) -> "Optional[Detector]":
        """Load the detector; None without one, or if it is a function."""
        if self.detector is None or callable(self.detector):
            return None
        from hotpath.app.detect import load_detector

        classes = None if self.classes is None else list(self.classes)
        return load_detector(
            self.detector,
            classes=classes,
            networks_dir=network.networks_dir,
            threads=network.threads or 1,
        )


AnyTrack = TypeVar("AnyTrack", Track, Optional[Track])


class Tracking(Generic[AnyTrack]):
    """Frames with the track of one target: an iterator of ``(frame, track)``, and a context.

    ``frame`` is a ``hotpath.runtime.frames.pictures.Picture``: ``frame.bgr()`` is the whole frame
    as BGR ``uint8`` (H, W, 3), converted when you ask for it. It is valid until the next frame is
    read, so copy an array that you keep. ``track`` is a ``Track``. It is None while a detector has
    not found the target yet.

    Attributes:
        source: the ``Source``. ``source.time_s`` is the time of the last frame in seconds, and
            ``source.given`` how many frames were read.
        targets: the ``Targets``, for example for ``targets.confirm(number)``.

    Example:
        >>> import hotpath
        >>> with hotpath.track("drone.mp4", box=(440, 270, 60, 90)) as run:
        ...     for frame, track in run:
        ...         if run.source.time_s > 0.05:
        ...             break
        >>> run.source.given, track.state
        (3, 'tracked')
    """

    def __init__(self, source: SourceOptions, selected: TargetRequest, network: Options) -> None:
        self._failed, self._closed = 0, False
        self._closing = contextlib.ExitStack()
        self._log = reporter(network.log)
        network = checked(network._replace(log=self._log))
        source = source._replace(video=source_of(source.video))
        check_camera(source.video)
        try:
            self._open(source, selected, network)
        except BaseException:
            self.close()
            raise

    def _open(self, options: SourceOptions, selected: TargetRequest, network: Options) -> None:
        opened = None
        if is_recorded(options.video):  # a wrong name must not wait for the network
            opened = self._opened_source(options)
        detector = selected.load(network)
        self.targets: Targets = self._closing.enter_context(open_targets(network))
        self.source, frame = opened or self._opened_source(options)
        self.targets.device.is_live = self.source.live
        self._finder: Optional[TargetFinder] = None
        if selected.detector is not None:
            find: Any = selected.detector if detector is None else detector.detect
            self._finder = TargetFinder(
                self.targets, find, every=EVERY, everything=False, background=self.source.live
            )
            self._closing.callback(self._finder.close)
        frame = self._select(selected, frame)
        tracks = {number: self.targets.first(number) for number in self.targets.numbers}
        if self._finder is not None:
            tracks = self._finder.first(frame, tracks, self.source.time_s)
        self._first: Any = _pair(frame, tracks)

    def _opened_source(self, options: SourceOptions) -> "Tuple[Source, AnyFrame]":
        """Open the source; returns it and its first frame."""
        source = opened_source(options, self._log, self._closing)
        return source, first_frame(source, options.start)

    def _select(self, selected: TargetRequest, frame: AnyFrame) -> AnyFrame:
        """Start the target, unless the detector finds it; returns the frame in which it begins."""
        source, targets, box = self.source, self.targets, selected.box
        if selected.point is not None:
            targets.add(frame, time_s=source.time_s, point=selected.point)
            return frame
        if box is None and self._finder is not None:
            return frame
        if box is None and source.first_box is None:
            return self._drawn(selected, frame)
        snug = selected.snug and box is not None
        box = source.first_box if box is None else box
        box = checked_box(within_frame(box, frame.shape) if snug else box, frame.shape)
        if are_corners(box, frame.shape):
            text = ",".join(f"{value:g}" for value in box)
            self._log(f"box {text} {corners_hint(box, frame.shape)}")
        targets.add(frame, box, time_s=source.time_s, snug=snug)
        return frame

    def _drawn(self, selected: TargetRequest, frame: AnyFrame) -> AnyFrame:
        """Let the user draw the box in a window, which is closed afterwards."""
        from hotpath.app.cli.mouse import first_target
        from hotpath.video import desktop_window

        reason = desktop_window.no_window()
        if reason:
            raise BadBox(
                f"no target, and none can be drawn, because {reason}; give box=(x, y, w, h) or "
                "point=(x, y), in pixels of the first frame",
                what="no target",
            )
        shown, frame = first_target(frame, self.source, self.targets, selected.snug)
        shown.close()
        return frame

    def __iter__(self) -> "Tracking[AnyTrack]":
        return self

    @uninterrupted
    def __next__(self) -> Tuple[Picture, AnyTrack]:
        """Return the next frame and its track; a live source is waited for.

        A frame in which nothing can be computed is left out with a message to ``log``.

        Raises:
            StopIteration: the recording has ended, or ``close`` was called.
            BadSource: the source broke half-way.
            BadFrame, NetworkFailed: nothing could be computed in ``MOST_FAILED`` frames.
        """
        if self._closed:
            raise StopIteration
        first, self._first = self._first, None
        if first is not None:
            pair: Tuple[Picture, AnyTrack] = first
            return pair
        while True:
            frame = self.source.read(POLL_S)
            if frame is WAITING:
                continue
            if frame is None:
                self.close()
                raise StopIteration
            try:
                tracks = self.targets.update(frame, self.source.time_s)
                self._failed = 0
            except (BadFrame, NetworkFailed) as error:
                self._failed += 1
                if self._failed == MOST_FAILED:
                    self.close()
                    raise
                self._log(f"frame {self.source.given - 1} is skipped: {error}")
                continue
            if self._finder is not None:
                tracks = self._finder.step(frame, tracks, self.source.time_s)
            return _pair(frame, tracks)

    def close(self) -> None:
        """Release the source, the tracker and the detector; may be called twice."""
        self._closed = True
        self._closing.close()

    def __enter__(self) -> "Tracking[AnyTrack]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _pair(frame: AnyFrame, tracks: Dict[int, Track]) -> Tuple[Picture, Any]:
    """What an iteration gives. Only a detector can leave it without a track."""
    return as_picture(frame), next(iter(tracks.values()), None)
