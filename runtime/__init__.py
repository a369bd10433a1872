"""Hotpath: a visual object tracker whose whole frame runs on one device.

Call ``tracker = load_tracker()``, then ``tracker.init(frame, (x, y, w, h))`` once. For every later
frame call ``track = tracker.update(frame, time_s)``, which has ``track.box``, ``track.state``,
``track.presence`` and ``track.velocity``. The errors of these calls can be imported from here.
"""

from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence

from hotpath.boards.errors import UnknownBoard
from hotpath.kernels.errors import (
    BadOverlay,
    FabricFailed,
    GpuFailed,
    NoCompiler,
    NoFabric,
    NoGpu,
)
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
    NotReady,
    UnknownNetwork,
)
from hotpath.runtime.libraries import require
from hotpath.runtime.networks import DEFAULT_NETWORK
from hotpath.runtime.options import (
    NORMAL,
    Log,
    Options,
    PathLike,
    Simulate,
    given_in,
)

if TYPE_CHECKING:
    from hotpath.runtime.directions import Bearing
    from hotpath.runtime.targets.targets import Targets
    from hotpath.runtime.tracker import Tracker

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
    "NotReady",
    "UnknownBoard",
    "UnknownNetwork",
    "__version__",
    "bearing",
    "draw",
    "load_targets",
    "load_tracker",
]


def load_tracker(
    network: Optional[PathLike] = None,
    *,
    engine: str = "auto",
    precision: str = "auto",
    networks_dir: Optional[PathLike] = None,
    threads: Optional[int] = None,
    log: Log = None,
    bundle: Optional[PathLike] = None,
    board: Optional[str] = None,
    simulate: Simulate = None,
    recover: Optional[bool] = None,
    search_windows: Optional[int] = None,
    latency: str = NORMAL,
) -> "Tracker":
    """Make a tracker, ready for ``init``. Close it, or use it with ``with``.

    Args:
        network: name of a network, or the path of a TOML; None takes the board's, or "kestrel".
        engine, precision, networks_dir, threads, log, bundle, board, simulate, recover,
            search_windows, latency: see ``hotpath.runtime.options.Options``.

    Returns:
        A ``hotpath.runtime.tracker.Tracker``. Only one thread may use it at a time.

    Raises:
        BadOption, UnknownNetwork, BadNetwork, NoEngine, BadBundle: see ``hotpath.runtime.errors``.
    """
    chosen = Options(**given_in(locals()))
    require(("numpy", "cv2"))  # before anything else fails without a sentence
    from hotpath.runtime import loading

    return loading.create_tracker(*loading.load(chosen), chosen)


def load_targets(
    network: Optional[PathLike] = None,
    *,
    finder: Optional[Callable[[Any], Any]] = None,
    every: int = 10,
    engine: str = "auto",
    precision: str = "auto",
    networks_dir: Optional[PathLike] = None,
    threads: Optional[int] = None,
    log: Log = None,
    bundle: Optional[PathLike] = None,
    board: Optional[str] = None,
    simulate: Simulate = None,
    recover: Optional[bool] = None,
    search_windows: Optional[int] = None,
    latency: str = NORMAL,
) -> "Targets":
    """Make ``hotpath.runtime.targets.targets.Targets``, which follows several targets with one
    engine.

    Other arguments and errors are those of ``load_tracker``.

    Args:
        finder: function that detects objects, such as ``load_detector("yolox_nano").detect``. It
            takes a frame, BGR uint8 (H, W, 3). It returns boxes, (n, 4) of (x, y, w, h), or a tuple
            of boxes, scores, classes and names. ``update`` makes every object a target.
        every: frames from one call of the finder to the next.
    """
    chosen = Options(**given_in(locals()))
    if finder is not None and (not callable(finder) or every < 1):
        raise BadOption("finder must be a function of a frame, and every a number above 0")
    require(("numpy", "cv2"))
    from hotpath.runtime import loading
    from hotpath.runtime.targets.targets import Targets

    targets = Targets(loading.create_device(*loading.load(chosen), chosen), chosen)
    if finder is not None:
        from hotpath.runtime.targets.finding import TargetFinder

        targets.finder = TargetFinder(
            targets, finder, every=every, everything=True, background=False
        )
    return targets


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
