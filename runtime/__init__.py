"""Hotpath: a visual object tracker whose frame takes hardly longer than the network alone.

Call ``tracker = load_tracker()``, then ``tracker.init(frame, (x, y, w, h))`` once. For every later
frame call ``track = tracker.update(frame)``, which has ``track.box``, ``track.score``,
``track.lost`` and ``track.state``. The errors that these calls raise can be imported from here.
"""

import pathlib
from typing import TYPE_CHECKING, Callable, Optional, Union

from runtime.libraries import check_packages, require

check_packages()  # before anything else fails without a sentence
require(("numpy",))

from boards.errors import UnknownBoard  # noqa: E402 (the checks come first)
from kernels.errors import (  # noqa: E402
    BadOverlay,
    FabricFailed,
    GpuFailed,
    NoCompiler,
    NoFabric,
    NoGpu,
)
from runtime.errors import (  # noqa: E402
    BadBox,
    BadBundle,
    BadFrame,
    BadNetwork,
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
from runtime.networks import DEFAULT_NETWORK  # noqa: E402

if TYPE_CHECKING:
    from runtime.targets.targets import Targets
    from runtime.tracker import Tracker

__all__ = [
    "DEFAULT_NETWORK",
    "BadBox",
    "BadBundle",
    "BadFrame",
    "BadNetwork",
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
    "load_targets",
    "load_tracker",
]

PathLike = Union[str, pathlib.Path]


def load_tracker(
    network: Optional[PathLike] = None,
    *,
    engine: str = "auto",
    precision: str = "auto",
    networks_dir: Optional[PathLike] = None,
    threads: Optional[int] = None,
    log: Optional[Callable[[str], None]] = None,
    bundle: Optional[PathLike] = None,
    pipeline: int = 1,
    board: Optional[str] = None,
    simulate: Optional[str] = None,
    recover: Optional[bool] = None,
    budget_ms: Optional[float] = None,
    online: Optional[bool] = None,
) -> "Tracker":
    """Make a tracker, ready for ``init``.

    Args:
        network: name of a network (see ``python -m runtime.networks``), or the path of a TOML; None
            for the bundle's own, for the board's, or for ``DEFAULT_NETWORK``.
        engine: "auto", or the name of a file of ``runtime/engines``, such as "openvino",
            "onnxruntime", or "tensorrt" or "overlay" (this board's bundle).
        precision: "fp32", "int8", or "auto": INT8 where the network has an INT8 form, and this
            processor has instructions for it and is faster so (see ``runtime.precision``).
        networks_dir: folder with the network's files, sub-folders included; None looks beside the
            TOML and among the downloaded ones.
        threads: of the network's execution, at most as many as there are cores; None for one.
        log: function of one sentence, told what a user may want to know; None for silence.
        bundle: folder that ``make engine`` wrote; None for none, or for the one of this board.
        pipeline: frames that may be in flight at a time. More than one needs a GPU or an FPGA,
            and then ``submit`` and ``collect`` instead of ``update``.
        board: name of this board; None to detect it.
        simulate: "model" or "rtl": simulate an FPGA board that is not there.
        recover: whether a lost target is searched for in the whole picture (``runtime.search``);
            None: where network and engine can, and the board's profile says so.
        budget_ms: what a frame of that search may take beyond a tracked frame's time; None for the
            share of that time in the board's profile, mostly half.
        online: whether a classifier learns the target while it is tracked (``runtime.learner``);
            None for what the network's TOML says.

    Returns:
        A ``runtime.tracker.Tracker``, of the host, the GPU or the FPGA. Only one thread may
        use it at a time.

    Raises:
        UnknownNetwork, BadNetwork, NoEngine, BadBundle: see ``runtime.errors``.
    """
    from runtime import loading

    loaded = loading.load(
        network,
        engine=engine,
        precision=precision,
        networks_dir=networks_dir,
        threads=threads,
        log=log,
        bundle=bundle,
        board=board,
        simulate=simulate,
    )
    return loading.create_tracker(
        *loaded,
        log=log,
        pipeline=pipeline,
        recover=recover,
        budget_ms=budget_ms,
        online=online,
    )


def load_targets(
    network: Optional[PathLike] = None,
    *,
    engine: str = "auto",
    precision: str = "auto",
    networks_dir: Optional[PathLike] = None,
    threads: Optional[int] = None,
    log: Optional[Callable[[str], None]] = None,
    bundle: Optional[PathLike] = None,
    pipeline: int = 1,
    board: Optional[str] = None,
    simulate: Optional[str] = None,
    recover: Optional[bool] = None,
    budget_ms: Optional[float] = None,
    online: Optional[bool] = None,
) -> "Targets":
    """Make ``runtime.targets.targets.Targets``: several targets that share one engine.

    Arguments and errors are those of ``load_tracker``.
    """
    from runtime import loading
    from runtime.targets.targets import Targets

    loaded = loading.load(
        network,
        engine=engine,
        precision=precision,
        networks_dir=networks_dir,
        threads=threads,
        log=log,
        bundle=bundle,
        board=board,
        simulate=simulate,
    )
    return Targets(
        *loaded,
        pipeline=pipeline,
        log=log,
        recover=recover,
        budget_ms=budget_ms,
        online=online,
    )
