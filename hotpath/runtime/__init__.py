"""Hotpath: a visual object tracker whose whole frame runs on one device.

Call ``tracker = load_tracker()``, then ``tracker.init(frame, (x, y, w, h))`` once. For every later
frame call ``track = tracker.update(frame, time_s)``, which has ``track.box``, ``track.state``,
``track.presence`` and ``track.velocity``. The errors of these calls can be imported from here.
"""

import functools
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence, TypeVar

from hotpath.base.errors import (
    BadOverlay,
    FabricFailed,
    GpuFailed,
    NoCompiler,
    NoFabric,
    NoGpu,
)
from hotpath.boards.errors import UnknownBoard
from hotpath.runtime.errors import (
    BadBox,
    BadBundle,
    BadFrame,
    BadNetwork,
    BadOption,
    BadOutput,
    BadSource,
    BundleMismatch,
    HotpathError,
    NetworkFailed,
    NoCamera,
    NoEngine,
    NoObject,
    NotReady,
    UnknownNetwork,
)
from hotpath.runtime.libraries import require
from hotpath.runtime.networks import DEFAULT_NETWORK
from hotpath.runtime.options import Options, PathLike

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    from hotpath.runtime.directions import Bearing
    from hotpath.runtime.targets.targets import Targets
    from hotpath.runtime.tracker import Tracker

    Fields = ParamSpec("Fields")

Loaded = TypeVar("Loaded")
__version__ = "0.4.0.dev0"
__all__ = [
    "DEFAULT_NETWORK",
    "BadBox",
    "BadBundle",
    "BadFrame",
    "BadNetwork",
    "BadOption",
    "BadOutput",
    "BadOverlay",
    "BadSource",
    "BundleMismatch",
    "FabricFailed",
    "GpuFailed",
    "HotpathError",
    "NetworkFailed",
    "NoCamera",
    "NoCompiler",
    "NoEngine",
    "NoFabric",
    "NoGpu",
    "NoObject",
    "NotReady",
    "UnknownBoard",
    "UnknownNetwork",
    "__version__",
    "bearing",
    "draw",
    "load_targets",
    "load_tracker",
]


def _taking(
    record: "Callable[Fields, Options]",
) -> "Callable[[Callable[[Options], Loaded]], Callable[Fields, Loaded]]":
    """Let a function of a record take the record's fields as its arguments."""

    def decorate(load: Callable[[Options], Loaded]) -> Any:
        @functools.wraps(load)
        def call(network: Optional[PathLike] = None, **options: Any) -> Loaded:
            for name in set(options).difference(Options._fields):
                there = ", ".join(Options._fields)
                raise TypeError(f"there is no option {name!r}; there are: {there}")
            require(("numpy", "cv2"))  # before anything else fails without a sentence
            return load(Options(network, **options))

        vars(call)["__wrapped__"] = Options  # whose signature help() shows
        return call

    return decorate


@_taking(Options)
def load_tracker(options: Options) -> "Tracker":
    """Make a tracker, ready for ``init``. Close it, or use it with ``with``.

    The arguments are the fields of ``hotpath.runtime.options.Options``. The first one is the name
    of a network or the path of a TOML. Give the others by name.

    Returns:
        A ``hotpath.runtime.tracker.Tracker``. Only one thread may use it at a time.

    Raises:
        BadOption, UnknownNetwork, BadNetwork, NoEngine, BadBundle: see ``hotpath.runtime.errors``.

    Example:
        >>> with load_tracker("kestrel", precision="fp32") as tracker:
        ...     first = tracker.init(frame, (440, 270, 60, 90))
        ...     print(tracker.update(frame).state)
        tracked
    """
    from hotpath.runtime import loading

    return loading.open_tracker(options)


@_taking(Options)
def load_targets(options: Options) -> "Targets":
    """Make ``hotpath.runtime.targets.targets.Targets``: several targets, followed by one engine.

    Arguments and errors are those of ``load_tracker``. ``Targets.find_with`` adds targets by a
    detector.

    Example:
        >>> with load_targets() as targets:
        ...     numbers = [targets.add(frame, box) for box in boxes]
        ...     print(sorted(targets.update(frame)))
        [0, 1]
    """
    from hotpath.runtime.targets.targets import open_targets

    return open_targets(options)


def bearing(box: Sequence[float], frame_size: Sequence[int], fov: Any) -> "Bearing":
    """Return the direction to a box: degrees to the right and down of where the camera looks.

    See ``hotpath.runtime.directions.bearing``, which takes the same arguments.
    """
    from hotpath.runtime.directions import bearing as found  # only programs that ask load it

    return found(box, frame_size, fov)


def draw(frame: Any, tracks: Any, info: Any = None) -> Any:
    """Draw what ``Tracker.update`` or ``Targets.update`` returned onto a copy of its frame.

    See ``hotpath.runtime.drawing.draw``, which takes the same arguments.
    """
    from hotpath.runtime.drawing import draw as drawn  # needs OpenCV

    return drawn(frame, tracks, info)
