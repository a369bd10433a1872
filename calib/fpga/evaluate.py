"""python -m calib.fpga.evaluate: how well a compiled network follows annotated clips.

    python -m calib.fpga.evaluate --clips DIR

Runs the definition (``kernels.fpga.design.model``), which the fabric equals bit for bit, beside the
network in floating point: one-step overlap on fixed pairs of crops
(``calib.one_step_overlap``), by which exponents are chosen, and average overlap of whole clips.
"""

import os
import pathlib
import sys

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

import numpy as np
from tqdm import tqdm

import boards
from calib import command, metrics
from calib.clips import find_clips
from calib.command import chosen, say
from calib.follow import follow
from calib.fpga.compile import compile_network
from calib.one_step_overlap import Finder, Pairs
from kernels import cpu
from kernels.fpga import design
from kernels.fpga.design.model import Machine
from kernels.fpga.design.runner import MEMORY, Runner
from runtime import decode, engines, geometry, load_tracker
from runtime.decode.shared.voting import probability
from runtime.networks import default_of, load_network
from runtime.types import Track


def on_model(compiled):
    """A ``Runner`` on the definition."""
    return Runner(compiled, Machine(design.sizes()[compiled.run["size"]], MEMORY))


class Follower:
    """A tracker on a ``Runner``: what every tracker does, without what a driver adds."""

    def __init__(self, network, runner):
        self.network, self.runner, self.step_ms = network, runner, {}
        self._decoder = decode.create(network, cpu.load())

    def init(self, frame, box):
        """Take a target; see ``runtime.tracker.Tracker``."""
        height, width = frame.shape[:2]
        self.state = geometry.state_of(self.network, box, width, height)
        self._border = geometry.border_colour(self.network, frame)
        window = geometry.exemplar_window(self.network, self.state)
        self.runner.look("exemplar", frame, window, self._border)

    def update(self, frame):
        """Find it in the next frame."""
        height, width = frame.shape[:2]
        window, scale = geometry.search_window(self.network, self.state)
        self.runner.look("search", frame, window, self._border)
        maps = self.runner.maps()
        _, score = self._decoder.select(maps, self.state, scale, width, height)
        return Track(geometry.box_of(self.network, self.state), score)


class MachineFinder(Finder):
    """One-step overlap's finder on a ``Runner``."""

    def __init__(self, network, runner):
        self._runner, self._targets = runner, 0
        super().__init__(network, self)

    def exemplar(self, crop):
        """The number of the target whose features were stored."""
        self._targets += 1
        window = (0, 0) + crop.shape[1::-1]
        self._runner.look("exemplar", crop, window, (0, 0, 0), self._targets)
        return self._targets

    def search(self, features, crop):
        """As ``Finder.search``; ``features`` is the number of the target."""
        window = (0, 0) + crop.shape[1::-1]
        self._runner.look("search", crop, window, (0, 0, 0), features)
        score, distances = self._runner.maps(features)
        found = probability(np.array(score, np.float64), self.network.score)
        return found, np.array(distances[0], np.float64)


def one_step(network, paths, compiled, clips):
    """dict of fp32 and int8 overlap, what is lost on pairs that lose, share of the same cell."""
    pairs = Pairs(clips, network)
    engine = engines.create(engines.installed()[0], network, paths)
    plain = Finder(network, engine).run(pairs)
    engine.close()
    found = MachineFinder(network, on_model(compiled)).run(pairs)
    return {
        "pairs": len(pairs),
        "fp32": float(plain[1].mean()),
        "int8": float(found[1].mean()),
        "loss": float(np.maximum(plain[1] - found[1], 0).mean()),
        "same_cell": float((plain[0] == found[0]).mean()),
    }


def main(arguments=None):
    """Run the command line; returns the exit code."""
    cli = command.parser("calib.fpga.evaluate", __doc__)
    cli.add_argument("--network", metavar="NAME|FILE.toml", help="(default: the board's)")
    command.add_network_options(cli, engine=False)
    cli.add_argument("--clips", nargs="+", required=True, metavar="DIR")
    cli.add_argument("--only", metavar="NAME,NAME", help="of all clips, these")
    cli.add_argument(
        "--size",
        default="pynq_z2",
        choices=sorted(design.sizes()),
        help="of the engine: that of a board (default: %(default)s)",
    )
    cli.add_argument(
        "--ranges",
        type=pathlib.Path,
        metavar="FILE",
        help="NAME-ranges.json of calib.int8 (default: the one that comes with the network)",
    )
    return command.run("calib.fpga.evaluate", run, cli, arguments, "stopped")


def run(options):
    """Compile, look at pairs, follow the clips; returns the exit code."""
    network = load_network(options.network or default_of(boards.load_board(options.size)))
    clips = chosen(find_clips(options.clips, log=say), options.only)
    paths = network.locate(options.networks_dir)
    compiled = compile_network(network, paths, options.ranges, options.size)
    told = one_step(network, paths, compiled, clips)
    print(
        "one-step overlap on {pairs} pairs: fp32 {fp32:.4f}, int8 {int8:.4f}; pairs that lose lose "
        "{loss:.4f} on average; same cell {same_cell:.1%}".format(**told),
        flush=True,
    )
    follower = Follower(network, on_model(compiled))
    plain = load_tracker(
        network.path, precision="fp32", networks_dir=options.networks_dir, recover=False
    )
    print("{:<22} {:>6} {:>7} {:>7}".format("AO", "frames", "fp32", "int8"))
    rows = []
    for clip in tqdm(clips, disable=None, leave=False):
        row = [
            metrics.figures(np.array(follow(tracker, clip)["boxes"]), clip.boxes)["ao"]
            for tracker in (plain, follower)
        ]
        rows.append(row)
        print("{:<22} {:>6} {:>7.4f} {:>7.4f}".format(clip.name, len(clip), *row), flush=True)
    mean = np.mean(rows, axis=0)
    print("{:<22} {:>6} {:>7.4f} {:>7.4f}".format("mean", sum(map(len, clips)), *mean))
    return 0


if __name__ == "__main__":
    sys.exit(main())
