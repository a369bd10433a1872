"""python -m calib.train.judge: decide by a fixed rule whether a network is better than another.

    python -m calib.train.judge CANDIDATE.toml --against kestrel --gain DIR --keep DIR...

Measures one-step overlap of both networks on the same pairs of crops, with standard errors by
bootstrap over clips. On the clips of --gain the candidate must be better by more than one standard
error, and must not lose more targets. On the clips of --keep it must not be worse by more than one
standard error. Several candidates, such as fp32 and INT8 of the same weights, must all pass.

The exit code is 0 if the candidate is better, 1 if not, 2 after a mistake.
"""

import json
import pathlib

from calib import command
from calib.clips import find_clips
from calib.command import say
from calib.one_step_overlap import Finder, Pairs
from calib.train.judging import change, figures, verdict
from calib.train.validate import overlaps
from runtime import engines
from runtime.networks import load_network

REPEATS = 3  # crops of every frame


def main(arguments=None):
    """Run the command line; returns the exit code."""
    return command.run("calib.train.judge", run, parser(), arguments, "stopped")


def parser():
    """The command line's options."""
    cli = command.parser("calib.train.judge", __doc__)
    cli.add_argument("candidates", nargs="+", metavar="NETWORK", help="name, or path of a TOML")
    cli.add_argument("--against", default="kestrel", metavar="NETWORK", help="what ships now")
    cli.add_argument(
        "--gain", nargs="+", required=True, metavar="DIR", help="clips that must get better"
    )
    cli.add_argument(
        "--keep", nargs="*", default=[], metavar="DIR", help="clips that must not get worse"
    )
    cli.add_argument("--repeats", type=int, default=REPEATS, metavar="N", help="crops of a frame")
    command.add_network_options(cli)
    return cli


def run(options):
    """Measure, print a line a set and network, and the verdict; returns the exit code."""
    names = [options.against, *options.candidates]
    finders = [_finder(name, options) for name in names]
    changes = {name: [] for name in options.candidates}
    sets = [(folder, True) for folder in options.gain]
    sets += [(folder, False) for folder in options.keep]
    for folder, must_gain in sets:
        clips, label = find_clips([folder], log=say), pathlib.Path(folder).resolve().name
        shipped = None
        for name, finder in zip(names, finders):
            pairs = Pairs(clips, finder.network, options.repeats)
            found = overlaps(finder, pairs)
            line = {"network": name, "pairs": len(found), **figures(label, found, pairs.clip)}
            if shipped is None:
                shipped = found
            else:
                gained = change(label, found, shipped, pairs.clip, must_gain)
                changes[name].append(gained)
                line.update(gain=gained.gain, gain_error=gained.error)
            print(json.dumps({key: _short(value) for key, value in line.items()}), flush=True)
    return _conclude(changes, options.against)


def _finder(name, options):
    network = load_network(name)
    paths = network.locate(options.networks_dir)
    return Finder(network, engines.create(options.engine, network, paths))


def _short(value):
    return round(value, 4) if isinstance(value, float) else value


def _conclude(changes, against):
    """Print a verdict for every candidate; returns 0 if all are better, else 1."""
    better = True
    for name, found in changes.items():
        said = verdict(found)
        better = better and said.better
        print("{} is {}better than {}".format(name, "" if said.better else "not ", against))
        for reason in said.reasons:
            print("  " + reason)
    return 0 if better else 1


if __name__ == "__main__":
    raise SystemExit(main())
