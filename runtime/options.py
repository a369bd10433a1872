"""What a caller may ask of a tracker, as one value that everything which loads one passes on."""

import argparse
import pathlib
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple, Union

PathLike = Union[str, pathlib.Path]
SAVING, NORMAL, LOW = LATENCIES = ("saving", "normal", "low")
MOST_WINDOWS = 64  # of the search in a frame
Log = Optional[Callable[[str], None]]
Simulate = Optional[Callable[[Optional[str]], Tuple[Any, pathlib.Path]]]


class Options(NamedTuple):
    """The arguments of ``load_tracker`` and ``load_targets``.

    Attributes:
        network: name of a network (see ``hotpath networks``), or the path of a TOML; None
            for the bundle's own, for the board's, or for ``DEFAULT_NETWORK``.
        engine: "auto", or the name of a file of ``runtime/engines``, such as "openvino",
            "onnxruntime", or "tensorrt" or "overlay" (this board's bundle).
        precision: "fp32", "int8", or "auto": INT8 where the network has an INT8 form, and this
            processor has instructions for it and is faster so (see ``runtime.precision``). A bundle
            must have it; with "auto" it may have any, "fp16" too.
        networks_dir: folder with the network's files, sub-folders included; None looks beside the
            TOML and among the downloaded ones.
        threads: of the network's execution, at most as many as there are cores; None for one.
        log: function of one sentence, told what a user may want to know; None for silence.
        bundle: folder that ``make engine`` wrote; None for none, or for the one of this board.
        board: name of this board; None to detect it.
        simulate: function of a board's name that opens a simulated FPGA board: its PYNQ device and
            the path of its .bit, such as ``kernels.fpga.design.sim.device.opener("model")``.
        recover: whether a lost target is searched for in the whole picture (``runtime.search``);
            None: where network and engine can, and the board's profile says so.
        search_windows: windows of the picture that a frame of that search looks at; None for the
            number in the board's profile.
        latency: one of ``LATENCIES``: how a thread waits for a GPU. "low" spins, "normal" yields to
            other threads, "saving" sleeps.
        steady: whether the camera's own motion between two frames moves the next window
            (``runtime.camera_motion``); about 1.5 ms a frame.
    """

    network: Optional[PathLike] = None
    engine: str = "auto"
    precision: str = "auto"
    networks_dir: Optional[PathLike] = None
    threads: Optional[int] = None
    log: Log = None
    bundle: Optional[PathLike] = None
    board: Optional[str] = None
    simulate: Simulate = None
    recover: Optional[bool] = None
    search_windows: Optional[int] = None
    latency: str = NORMAL
    steady: bool = False


DEFAULTS = Options()


def given_in(arguments: argparse.Namespace) -> Dict[str, Any]:
    """The arguments of a command line that bear the names of fields of ``Options``."""
    return {name: value for name, value in vars(arguments).items() if name in Options._fields}
