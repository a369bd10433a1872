"""python -m hotpath_fpga.track: follow a target on a simulated FPGA board.

    python -m hotpath_fpga.track pynq_z2 --video drone.mp4 --box 440,270,60,90

The board's bundle runs as on the board, through PYNQ's library. Behind the library is the NumPy
model that defines the results, or with ``--rtl`` the hardware's source in Verilator. Both give the
same boxes. A frame takes about a second.
"""

import argparse
import pathlib
import sys

from tqdm import tqdm

from hotpath import boards
from hotpath.calib import command_line
from hotpath.kernels import cpu
from hotpath.runtime import choice, loading
from hotpath.runtime.devices.base import Device
from hotpath.runtime.errors import BadSource
from hotpath.runtime.networks import bundle, default_of, load_network
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from hotpath.video.base import TrackedFrame
from hotpath.video.results import ResultsWriter, Rows
from hotpath.video.sources import open_source
from hotpath_fpga.sim import device


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_fpga.track", __doc__)
    cli.add_argument("board", help="a board of the family fpga, such as pynq_z2 or kv260")
    cli.add_argument("--video", required=True, metavar="SOURCE", help="a video or a folder")
    text = "the target in the first frame, pixels"
    cli.add_argument("--box", required=True, type=_box, metavar="X,Y,W,H", help=text)
    cli.add_argument("--rtl", action="store_true", help="simulate the RTL, and not its NumPy model")
    cli.add_argument("--network", metavar="NAME|FILE.toml", help="the network of the bundle")
    cli.add_argument("--bundle", metavar="DIR", help="what `make engine BOARD=…` wrote")
    cli.add_argument("--frames", type=int, metavar="N", help="stop after N frames")
    text = "write the boxes, as `hotpath track` does (default: to standard output)"
    cli.add_argument("--results", default="-", metavar="FILE", help=text)
    command_line.add_network_options(cli, engine=False)
    return cli


def run(options: argparse.Namespace) -> None:
    """Track the source's frames, and write a row for each."""
    with open_source(options.video) as source:
        frame = source.read()
        if source.live or frame is None:
            raise BadSource(f"{source.name}: name a recording that has frames", where="--video")
        chosen = Options(
            options.network,
            networks_dir=options.networks_dir,
            bundle=options.bundle or _bundle(options),
            log=lambda sentence: print(sentence, file=sys.stderr),
        )
        board = load(chosen, "rtl" if options.rtl else "model")
        with Targets(board, chosen) as targets, ResultsWriter(
            options.results, Rows().columns
        ) as results:
            rows = Rows()
            rows.results = results
            number = targets.add(frame, options.box, time_s=source.time_s)
            tracks = {number: targets.first(number)}
            with tqdm(total=options.frames or source.frames, unit="frame") as bar:
                while frame is not None:
                    rows.write(TrackedFrame(frame, source.given - 1, source.time_s, tracks))
                    bar.update()
                    frame = source.read() if bar.n != options.frames else None
                    if frame is not None:
                        tracks = targets.update(frame, source.time_s)


def load(options: Options, kind: str = "model") -> Device:
    """Load a board's bundle as on that board, which is simulated.

    Args:
        options: of the tracker; they name the ``bundle``.
        kind: "model" or "rtl".

    Raises:
        NoSimulation: see ``hotpath_fpga.sim.device.open_board``.
        BadBundle, BundleMismatch: see ``hotpath.runtime.errors``.
    """
    made = bundle.Bundle(str(options.bundle))
    network = None if options.network is None else load_network(options.network)
    board, overlay = device.open_board(made.board, kind)
    setup = loading.Setup(network, bundle=made, options=options, device=board, overlay=overlay)
    engine = loading.open_setup(setup)
    if options.log is not None:
        options.log(choice.describe_choice(setup, None, "without a witness"))
    return loading.create_device(engine.network, engine, cpu.load(), options)


def _bundle(options: argparse.Namespace) -> pathlib.Path:
    """The board's newest bundle of the network, before the RTL is compiled."""
    board = boards.load_board(device.checked(options.board))
    network = load_network(options.network or default_of(board))
    return bundle.find(board.name, network).folder


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        x, y, w, h = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not four numbers; give X,Y,W,H in pixels of the first frame"
        ) from None
    return x, y, w, h


main = command_line.main("hotpath_fpga.track", run, parser, stopped="stopped")

if __name__ == "__main__":
    sys.exit(main())
