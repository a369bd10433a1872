"""python -m calib.research.train.validate: one-step overlap of any network that can run.

    python -m calib.research.train.validate --clips DIR NETWORK...
    python -m calib.research.train.validate --clips DIR --begins uav123 otb --repeats 3 NETWORK...

Prints a line of JSON a network: the mean (``os``), its standard error by bootstrap over the clips
(``se``), and the share of pairs whose overlap is below 0.3 (``lost``). ``python -m calib.evaluate``
measures the overlap of whole tracks.
"""

import json
import sys

from calib import command
from calib.clips import find_clips
from calib.command import say
from calib.errors import BadClips
from calib.one_step_overlap import Finder, Pairs
from calib.research.train.judging import LOST, estimate
from runtime import engines
from runtime.networks import load_network


def overlaps(finder, pairs):
    """Return (pairs,) float64, the overlap of every pair.

    Args:
        finder: has ``exemplar(crop)`` and ``search(features, crop)``, as
            ``calib.one_step_overlap.Finder`` has them.
        pairs: ``calib.one_step_overlap.Pairs``.
    """
    exemplars = [finder.exemplar(crop) for crop in pairs.exemplars]
    found = (finder.search(exemplars[c], crop) for c, crop in zip(pairs.clip, pairs.searches))
    return pairs.overlaps(found)


def figures(found, pairs):
    """Return a dict of ``os``, ``se`` and ``lost``, rounded to four digits."""
    mean, error = estimate(found, pairs.clip)
    numbers = {"os": mean, "se": error, "lost": float((found < LOST).mean())}
    return {name: round(number, 4) for name, number in numbers.items()}


def clips_named(folder, begins):
    """Return the clips of a folder whose names begin with one of some texts.

    Raises:
        BadClips: there is none.
    """
    clips = find_clips([folder], log=say)
    clips = [clip for clip in clips if clip.name.startswith(tuple(begins))]
    if not clips:
        raise BadClips("no clip in {} begins with {}".format(folder, " or ".join(begins)))
    return clips


def main(arguments=None):
    """Run the command line; returns the exit code."""
    cli = command.parser("calib.research.train.validate", __doc__)
    cli.add_argument("networks", nargs="+", metavar="NETWORK", help="name, or path of a TOML")
    cli.add_argument("--clips", required=True, metavar="DIR", help="annotated clips")
    cli.add_argument(
        "--begins", nargs="+", default=[""], metavar="TEXT", help="use clips that begin so"
    )
    cli.add_argument(
        "--repeats", type=int, default=1, metavar="N", help="crops of every frame (default: 1)"
    )
    cli.add_argument("--each", action="store_true", help="print the mean of every clip too")
    command.add_network_options(cli)
    return command.run("calib.research.train.validate", run, cli, arguments, "stopped")


def run(options):
    """Measure every network and print its line."""
    clips = clips_named(options.clips, options.begins)
    for name in options.networks:
        network = load_network(name)
        pairs = Pairs(clips, network, options.repeats)
        paths = network.locate(options.networks_dir)
        engine = engines.create(options.engine, network, paths)
        found = overlaps(Finder(network, engine), pairs)
        engine.close()
        line = {"network": name, **figures(found, pairs)}
        if options.each:
            line["clips"] = {
                clip: round(float(found[pairs.clip == index].mean()), 3)
                for index, clip in enumerate(pairs.clips)
            }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
