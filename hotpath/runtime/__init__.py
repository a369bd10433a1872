"""Hotpath: a visual object tracker whose whole frame runs on one device.

Call ``tracker = load_tracker()``, then ``tracker.init(frame, (x, y, w, h))`` once. For every later
frame call ``track = tracker.update(frame, time_s)``, which has ``track.box``, ``track.state``,
``track.presence`` and ``track.velocity``. The errors of these calls can be imported from here.
"""

from typing import TYPE_CHECKING, Any, Optional, Sequence

from hotpath.base.errors import (
    BadOverlay,
    FabricFailed,
    GpuFailed,
    NoCompiler,
    NoFabric,
    NoGpu,
)
from hotpath.base.libraries import require
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
from hotpath.runtime.networks import DEFAULT_NETWORK
from hotpath.runtime.options import Options, PathLike

if "." not in __name__:  # by the link at the root of a clone
    from hotpath.base.root_links import share_package_modules

    share_package_modules(__name__)


if TYPE_CHECKING:
    from typing_extensions import Unpack

    from hotpath.runtime.frames.directions import Bearing
    from hotpath.runtime.option_types import Keywords
    from hotpath.runtime.targets.targets import Targets
    from hotpath.runtime.tracker.tracker import Tracker

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
    "load_targets",
    "load_tracker",
]


def load_tracker(network: Optional[PathLike] = None, **options: "Unpack[Keywords]") -> "Tracker":
    """Make a tracker, ready for ``init``. Close it, or use it with ``with``.

    The first argument is the name of a network or the path of a TOML. Give the others by name:
    they are the fields of ``hotpath.runtime.options.Options``, which describes them.

    Returns:
        A ``hotpath.runtime.tracker.tracker.Tracker``. Only one thread may use it at a time.

    Raises:
        BadOption, UnknownNetwork, BadNetwork, NoEngine, BadBundle: see ``hotpath.runtime.errors``.

    Example:
        >>> with load_tracker("kestrel", precision="fp32") as tracker:
        ...     first = tracker.init(frame, (440, 270, 60, 90))
        ...     print(tracker.update(frame).state)
        tracked
    """
    chosen = Options.of("load_tracker", network, options)
    require(("numpy", "cv2"))  # before anything else fails without a sentence
    from hotpath.runtime import loading

    return loading.open_tracker(chosen)


def load_targets(network: Optional[PathLike] = None, **options: "Unpack[Keywords]") -> "Targets":
    """Make a ``hotpath.runtime.targets.targets.Targets``, which follows several targets at once.

    All targets share one engine. Arguments and errors are those of ``load_tracker``.
    ``Targets.find_with`` adds the targets that a detector finds.

    Example:
        >>> with load_targets() as targets:
        ...     numbers = [targets.add(frame, box) for box in boxes]
        ...     print(sorted(targets.update(frame)))
        [0, 1]
    """
    chosen = Options.of("load_targets", network, options)
    require(("numpy", "cv2"))  # before anything else fails without a sentence
    from hotpath.runtime.targets.targets import open_targets

    return open_targets(chosen)


def bearing(box: Sequence[float], frame_size: Sequence[int], fov: Any) -> "Bearing":
    """Return the direction from the camera to the middle of a box, (right, down) in degrees.

    Arguments and errors are those of ``hotpath.runtime.frames.directions.bearing``.

    Example:
        >>> right, down = bearing((440, 270, 60, 90), (640, 480), fov=60)
        >>> f"{right:.1f} degrees to the right, {down:.1f} below"
        '15.1 degrees to the right, 7.4 below'
    """
    from hotpath.runtime.frames import directions

    return directions.bearing(box, frame_size, fov)
