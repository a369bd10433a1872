"""What is to run where, as one value that everything on the way to an engine takes whole."""

import pathlib
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from hotpath.runtime.network import Network
from hotpath.runtime.options import NORMAL, Log, PathLike

if TYPE_CHECKING:
    from hotpath.runtime.bundle import Bundle

AUTO, FP32, INT8 = PRECISIONS = ("auto", "fp32", "int8")


class Plan(NamedTuple):
    """Files, engine and board of a network. ``hotpath.runtime.loading.choose`` makes it.

    Attributes:
        bundle: the ``Bundle`` whose files run; None for the network's own files.
        network: the ``Network``; None for the one whose TOML is in the bundle.
        engine: name of the engine; "auto" for the bundle's, or the first that is installed.
        precision: that the files must have. "auto" takes a bundle of any precision, and of the
            network's own files those that are faster here.
        board: name of the board that this is; None if it is not known.
        networks_dir, threads, latency, log: see ``hotpath.runtime.options.Options``.
        device: an open ``hotpath.kernels.cuda.device``, or PYNQ's device; None to open one.
        overlay: path of the .bit for an FPGA; None for the board's own.
    """

    bundle: "Optional[Bundle]" = None
    network: Optional[Network] = None
    engine: str = AUTO
    precision: str = AUTO
    board: Optional[str] = None
    networks_dir: Optional[PathLike] = None
    threads: Optional[int] = None
    latency: str = NORMAL
    log: Log = None
    device: Any = None
    overlay: Optional[pathlib.Path] = None
