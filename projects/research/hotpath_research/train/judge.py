"""python -m hotpath_research.train.judge: decide by a fixed rule whether a network is better.

    python -m hotpath_research.train.judge A.toml A-int8.toml --validation DIR --report DIR...
    python -m hotpath_research.train.judge RUN/checkpoints/*.pt --validation DIR

Measures one-step overlap of the candidates and of the shipped network on the same pairs of crops.
The folders that hold clips are the sources; each weighs the same. On --validation each candidate,
such as fp32 and INT8 of the same weights, must be better by more than one standard error and must
not lose more targets. Only then are the clips of --report measured, where the same must hold, so
that no choice depends on them.

The exit code is 0 if all candidates pass, 1 if not, 2 after a mistake.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from hotpath.calib import command_line
from hotpath.calib.command_line import say
from hotpath.calib.errors import BadRun
from hotpath.calib.one_step_overlap import Finder, Pairs, check_supported, estimate
from hotpath.runtime import engines
from hotpath.runtime.networks import load_network
from hotpath.video.clips import AnnotatedClip, find_clips
from hotpath_research.train.judging import LOST, against, change, together

REPEATS = 3  # crops of every frame


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_research.train.judge", __doc__)
    cli.add_argument(
        "candidates", nargs="+", metavar="NETWORK", help="name, or path of a TOML or checkpoint"
    )
    cli.add_argument("--against", default="kestrel", metavar="NETWORK", help="what ships now")
    cli.add_argument(
        "--validation", nargs="+", required=True, metavar="DIR", help="clips that decide"
    )
    cli.add_argument(
        "--report", nargs="*", default=[], metavar="DIR", help="clips that nothing is chosen by"
    )
    cli.add_argument("--repeats", type=int, default=REPEATS, metavar="N", help="crops of a frame")
    command_line.add_network_options(cli)
    return cli


def run(options: argparse.Namespace) -> int:
    """Measure, print a line a network and set of clips, and the verdict; returns the exit code."""
    names = [options.against, *options.candidates]
    finders = {name: _finder(name, options) for name in names}
    if len(finders) < len(names):
        raise BadRun("a network is named twice; name each candidate once, and another --against")
    for folders in filter(None, [options.validation, *([folder] for folder in options.report)]):
        say("on " + " ".join(folders))
        results = overlaps(by_source(find_clips(folders, log=say)), finders, options.repeats)
        for name in names:
            print(json.dumps({"network": name, **summary(results[name])}), flush=True)
        if not _all_better(results, options.against):
            return 1
    return 0


def by_source(clips: Sequence[AnnotatedClip]) -> dict[str, list[AnnotatedClip]]:
    """The clips of each folder that holds some."""
    sources: dict[str, list[AnnotatedClip]] = {}
    for clip in clips:
        sources.setdefault(clip.folder.absolute().parent.name, []).append(clip)
    return sources


def overlaps(
    sources: dict[str, list[AnnotatedClip]], finders: dict[Any, Finder], repeats: int = 1
) -> dict[str, Any]:
    """Name of a network -> {source: (overlap of every pair, its clip)}."""
    results: dict[Any, Any] = {name: {} for name in finders}
    for source, clips in sources.items():
        cut: dict[Any, Pairs] = {}  # networks of the same crops share them
        for name, finder in finders.items():
            shape = _shape_of(finder.network)
            if shape not in cut:
                check_supported(finder.network)
                cut[shape] = Pairs(clips, finder.network, repeats)
            answers = finder.run(cut[shape])
            results[name][source] = answers.overlaps, cut[shape].clip
    return results


def _shape_of(network: Any) -> tuple[Any, ...]:
    """What the crops of a network depend on."""
    keys = "family crop exemplar search context exemplar_factor search_factor border map_size"
    return tuple(getattr(network, key, None) for key in keys.split())


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """The figures of a network: of all sources, and one-step overlap of each."""
    means = {name: estimate(*values) for name, values in results.items()}
    mean, error = together(list(means.values()))
    lost = float(np.mean([(values < LOST).mean() for values, _ in results.values()]))
    values = {name: round(value.mean, 4) for name, value in means.items()}
    figures = {"one_step": mean, "error": error, "lost": lost}
    return {**{key: round(value, 4) for key, value in figures.items()}, "sources": values}


def _all_better(results: dict[str, Any], shipped: str) -> bool:
    """Print a verdict for every candidate; whether all are better."""
    better = True
    for name in list(results)[1:]:
        pairs = [(results[name][source][0], *results[shipped][source]) for source in results[name]]
        compared = change(pairs)
        reasons = against(compared)
        better = better and not reasons
        gain_text = f"{compared.gain:+.4f} ± {compared.error:.4f}"
        print(f"{name} is {'not ' if reasons else ''}better than {shipped}: {gain_text}")
        for reason in reasons:
            print("  " + reason)
    return better


def _finder(name: str, options: argparse.Namespace) -> Finder:
    with tempfile.TemporaryDirectory() as folder:
        if name.endswith(".pt"):
            from hotpath_research.train.export import export  # needs PyTorch

            name = export(name, folder)["toml"]
        network = load_network(name)
        paths = network.locate(options.networks_dir)
        return Finder(network, engines.create(options.engine, network, paths))


main = command_line.main("hotpath_research.train.judge", run, parser, "stopped")

if __name__ == "__main__":
    raise SystemExit(main())
