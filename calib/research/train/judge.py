"""python -m calib.research.train.judge: a fixed rule says whether a network is better.

    python -m calib.research.train.judge CANDIDATE.toml --against kestrel --gain DIR --keep DIR...

Measures one-step overlap of both networks on the same pairs of crops, with standard errors by
bootstrap over clips. On the clips of --gain the candidate must be better by more than one standard
error, and must not lose more targets. On the clips of --keep it must not be worse by more than one
standard error. Several candidates, such as fp32 and INT8 of the same weights, must all pass.

With --equal, for a candidate whose licence is freer, no set need get better. Each set and all of
them together must not be worse, in overlap and in lost targets, by more than one standard error.

The exit code is 0 if the candidate passes, 1 if not, 2 after a mistake.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calib import command
from calib.clips import find_clips
from calib.command import say
from calib.one_step_overlap import Finder, Pairs
from calib.research.train.judging import Change, change, equal, figures, verdict
from runtime import engines
from runtime.networks import load_network

REPEATS = 3  # crops of every frame


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("calib.research.train.judge", __doc__)
    cli.add_argument("candidates", nargs="+", metavar="NETWORK", help="name, or path of a TOML")
    cli.add_argument("--against", default="kestrel", metavar="NETWORK", help="what ships now")
    cli.add_argument(
        "--gain", nargs="+", required=True, metavar="DIR", help="clips that must get better"
    )
    cli.add_argument(
        "--keep", nargs="*", default=[], metavar="DIR", help="clips that must not get worse"
    )
    cli.add_argument(
        "--equal", action="store_true", help="the candidate's licence is freer: equal is enough"
    )
    cli.add_argument("--repeats", type=int, default=REPEATS, metavar="N", help="crops of a frame")
    command.add_network_options(cli)
    return cli


def run(options: argparse.Namespace) -> int:
    """Measure, print a line a set and network, and the verdict; returns the exit code."""
    names = [options.against, *options.candidates]
    finders = [_finder(name, options) for name in names]
    changes: dict[str, list[Change]] = {name: [] for name in options.candidates}
    together: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in names}
    sets = [(folder, True) for folder in options.gain]
    sets += [(folder, False) for folder in options.keep]
    for folder, must_gain in sets:
        clips, label = find_clips([folder], log=say), Path(folder).resolve().name
        shipped = None
        for name, finder in zip(names, finders):
            pairs = Pairs(clips, finder.network, options.repeats)
            _, found = finder.run(pairs)
            together[name].append((found, pairs.clip))
            line = {"network": name, "pairs": len(found), **figures(label, found, pairs.clip)}
            if shipped is None:
                shipped = found
            else:
                gained = change(label, found, shipped, pairs.clip, must_gain)
                changes[name].append(gained)
                line.update(gain=gained.gain, gain_error=gained.error)
            print(json.dumps({key: _short(value) for key, value in line.items()}), flush=True)
    if options.equal:
        for name in options.candidates:
            changes[name].append(_together(together[name], together[options.against]))
    return _conclude(changes, options.against, options.equal)


def _together(candidate: Sequence[Any], shipped: Sequence[Any]) -> Any:
    """The ``Change`` over the pairs of all sets; a clip of two sets counts in both."""
    firsts = np.cumsum([0] + [clip.max() + 1 for _, clip in shipped])
    clip = np.concatenate([clip + first for (_, clip), first in zip(shipped, firsts)])
    found, before = (np.concatenate([part for part, _ in parts]) for parts in (candidate, shipped))
    gained = change("all sets together", found, before, clip, False)
    say(f"{gained.name}: {gained.gain:+.4f} ± {gained.error:.4f}")
    return gained


def _finder(name: str, options: argparse.Namespace) -> Finder:
    network = load_network(name)
    paths = network.locate(options.networks_dir)
    return Finder(network, engines.create(options.engine, network, paths))


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _conclude(changes: dict[str, list[Change]], against: str, by_licence: bool) -> int:
    """Print a verdict for every candidate; returns 0 if all pass, else 1."""
    better, words = True, "equal to" if by_licence else "better than"
    for name, found in changes.items():
        said = equal(found) if by_licence else verdict(found)
        better = better and said.better
        print(f"{name} is {'' if said.better else 'not '}{words} {against}")
        for reason in said.reasons:
            print("  " + reason)
    return 0 if better else 1


main = command.main("calib.research.train.judge", run, parser, "stopped")

if __name__ == "__main__":
    raise SystemExit(main())
