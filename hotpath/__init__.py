"""Hotpath: a visual object tracker. Begin with ``track`` or ``load_tracker``.

The folders beside this file are the parts of the package, in a checkout as in a wheel.
"""

import importlib
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Sequence, Union, overload

from hotpath.base.libraries import require
from hotpath.runtime import *  # noqa: F403
from hotpath.runtime import __all__ as _of_the_runtime
from hotpath.runtime import __version__  # noqa: F401
from hotpath.runtime.networks import canonical
from hotpath.runtime.options import Options, PathLike

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from hotpath import interop as interop
    from hotpath.app.tracking import Tracking
    from hotpath.runtime.frames.directions import Bearing as Bearing
    from hotpath.runtime.option_types import Keywords, TrackKeywords
    from hotpath.runtime.targets.targets import Targets as Targets
    from hotpath.runtime.tracker.tracker import Tracker as Tracker
    from hotpath.runtime.types import Box as Box
    from hotpath.runtime.types import Track as Track


def _write_canonical(*values: Any) -> str:
    """Write a network's canonical files; see ``hotpath.graphs.writing.make``."""
    from hotpath.graphs import writing  # needs onnx

    return writing.make(*values)


canonical.use_writer(_write_canonical)  # the runtime may not import ``graphs``

__all__ = [*_of_the_runtime, "draw", "track"]


# What type checkers know of it: a track is None only where a detector has to find the target.
Place = Sequence[float]
Find = Union[PathLike, Callable[[Any], Any]]
Source = Union[PathLike, int, Sequence[PathLike]]


@overload
def track(
    source: Source,
    *,
    box: Place,
    detector: Optional[Find] = ...,
    **options: "Unpack[TrackKeywords]",
) -> "Tracking[Track]": ...


@overload
def track(
    source: Source,
    *,
    point: Place,
    detector: Optional[Find] = ...,
    **options: "Unpack[TrackKeywords]",
) -> "Tracking[Track]": ...


@overload
def track(
    source: Source, *, detector: Find, **options: "Unpack[TrackKeywords]"
) -> "Tracking[Optional[Track]]": ...


@overload
def track(source: Source, **options: "Unpack[TrackKeywords]") -> "Tracking[Track]": ...


def track(
    source: Source,
    *,
    box: Optional[Place] = None,
    point: Optional[Place] = None,
    snug: bool = False,
    detector: Optional[Find] = None,
    classes: Optional[Sequence[str]] = None,
    fps: Optional[float] = None,
    depth: Optional[int] = None,
    start: Union[float, str, None] = None,
    insecure: bool = False,
    network: Optional[PathLike] = None,
    **options: "Unpack[Keywords]",
) -> "Tracking[Any]":
    """Follow one target through a camera, a stream, a file or a folder, frame by frame.

    Each iteration yields ``(frame, track)``. The first pair belongs to the frame in which you
    selected the target. If a detector finds the target, the first pair belongs to the first frame,
    and ``track`` is None until the detector finds an object.

    Boxes, scores and states are identical to those of ``hotpath track`` with the same source and
    options, bit for bit, because the tracker gets the same frames. ``load_tracker`` with frames of
    ``cv2.VideoCapture`` gives slightly different boxes, because OpenCV has converted those frames
    to BGR before the crop.

    Args:
        source: what ``hotpath track --video`` takes: ``cam0`` (or 0), ``csi0``, an address
            (``rtsp://``), a file, a folder of pictures, a sequence; or a list of paths of pictures.
        box: (x, y, w, h) of the target in the first frame, 0-based pixels.
        point: (x, y) of a point on the target, instead of a box. Without box, point and detector
            the target is that of the source's ground truth, or you draw a box in a window.
        snug: whether a box that is much too large is replaced by the box of the object inside it.
        detector: name or TOML of a detector (see ``load_detector``), or a function that finds
            objects in a frame, as for ``Targets.find_with``. Without box and point, the target is
            the best object that it finds. It also suggests where a lost target may be.
        classes: names of the classes that the detector finds, such as ``["person"]``.
        start: position in a recording at which tracking begins: seconds, or a text such as "1:20".

    ``fps``, ``depth`` and ``insecure`` are those of ``hotpath.video.sources.open_source``.
    ``network`` and the other arguments are fields of ``hotpath.runtime.options.Options``.

    Returns:
        A ``hotpath.app.tracking.Tracking`` to iterate over. ``close()`` ends it early, as does
        leaving a ``with`` block.

    Raises:
        NoCamera, BadSource: the source cannot be opened.
        BadBox, NoObject: no target can have this box, or there is no object at the point.
        BadOption, UnknownNetwork, BadNetwork, NoEngine, BadBundle: as for ``load_tracker``.

    Example:
        >>> import hotpath
        >>> for frame, track in hotpath.track("drone.mp4", box=(440, 270, 60, 90)):
        ...     print(track.state, frame.bgr().shape)
        tracked (480, 640, 3)
        tracked (480, 640, 3)
        tracked (480, 640, 3)
    """
    require(("numpy", "cv2"))
    from hotpath.app.option_records import SourceOptions
    from hotpath.app.tracking import TargetRequest, Tracking, start_seconds

    own = ["source", "box", "point", "snug", "detector", "classes"]
    own += ["fps", "depth", "start", "insecure"]
    chosen = Options.of("hotpath.track", network, options, *own)
    selected = TargetRequest(box, point, snug, detector, classes)
    where: Any = source
    begin = None if start is None else start_seconds(start)
    return Tracking(SourceOptions(where, fps, depth, begin, insecure=insecure), selected, chosen)


def draw(frame: Any, tracks: Any, info: Any = None) -> Any:
    """Draw what ``Tracker.update`` or ``Targets.update`` returned onto a copy of its frame.

    See ``hotpath.video.drawing.draw``, which takes the same arguments.
    """
    from hotpath.video.drawing import draw as drawn  # needs OpenCV

    return drawn(frame, tracks, info)


# Types for the annotations of a user's program. Their files import NumPy, so they load on demand.
TYPES = {
    "Bearing": "frames.directions",
    "Box": "types",
    "Targets": "targets.targets",
    "Track": "types",
    "Tracker": "tracker.tracker",
}


def __dir__() -> List[str]:
    """The public names; without it, those that this file imports."""
    return sorted([*__all__, *TYPES, "interop"])


def __getattr__(name: str) -> Any:  # Python 3.6 never calls it: import the modules there
    if name == "interop":
        return importlib.import_module("hotpath.interop")
    if name in TYPES:
        return getattr(importlib.import_module("hotpath.runtime." + TYPES[name]), name)
    raise AttributeError(f"module 'hotpath' has no attribute {name!r}")
