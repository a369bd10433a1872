r"""python -m hotpath_lab.presence: measure how often the states and the presence are right.

    python -m hotpath_lab.presence --clips DIR... --films films.json --data DIR \
        --networks kestrel:int8,kestrel_fast

Prints the tables of docs/results/identity.md: one that compares all networks, and those of the
first one, with the returns of targets that were away. ``lightfc+kestrel:int8`` has a witness. There
is a column for the clips, the half ``development`` of the long films and the public sequences of
``--data``. ``--targets`` adds the films of docs/results/real and docs/results/motorways,
``--annotated`` those of ``annotations.csv``, and ``--report`` the other half. The intervals (95 %)
are of samples of whole films.
"""

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hotpath.calib import command_line
from hotpath.calib.command_line import chosen_clips, say
from hotpath.calib.errors import BadRun
from hotpath.runtime import DEFAULT_NETWORK
from hotpath.runtime.networks import load_network
from hotpath.video.clips import find_clips
from hotpath_lab import annotations, benchmarks, runs, state_metrics, trackers
from hotpath_lab.longterm import films
from hotpath_lab.metrics import auc
from hotpath_lab.provenance import code_identity

ANNOTATED = ("docs/results/real", "docs/results/motorways")


def frames_of(run: Mapping[str, Any], member: Any) -> state_metrics.CountedFrames:
    """What ``hotpath_lab.state_metrics`` takes of a run."""
    known = getattr(member, "known", None)
    frames = state_metrics.frames_of(run, member.boxes, known)
    if not isinstance(member, annotations.SeenFilm):
        return frames
    right = member.right[state_metrics.counted(len(member.right), known)]
    return frames._replace(right=right, aimed=right)


def area(run: Mapping[str, Any], member: Any) -> float:
    """The AUC of a run's boxes; NaN where none are annotated but the first."""
    if isinstance(member, annotations.SeenFilm):
        return math.nan
    return auc(run["boxes"], member.boxes)


# -- the command


def parser(
    command: str = "hotpath_lab.presence", text: str | None = __doc__
) -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser(command, text)
    add_set_options(cli)
    cli.add_argument("--networks", default=DEFAULT_NETWORK, metavar="NAME,NAME")
    command_line.add_network_options(cli)
    command_line.add_workers(cli)
    cli.add_argument("--out", default="out/presence", metavar="DIR")
    return cli


def add_set_options(cli: argparse.ArgumentParser) -> None:
    """The options that ``sets_of`` reads."""
    command_line.add_clip_options(cli)
    cli.add_argument("--films", metavar="FILE", help="description of long films")
    cli.add_argument("--data", metavar="DIR", help="folder of the public sequences")
    cli.add_argument("--targets", metavar="DIR", help="folder of real films and motorways")
    cli.add_argument(
        "--annotated", metavar="DIR", help="folder of the films that were judged by eye"
    )
    cli.add_argument(
        "--report", action="store_true", help="also the half report, which decides nothing"
    )


def sets_of(options: argparse.Namespace) -> dict[str, list[Any]]:
    """The films of each column."""
    clips = find_clips(options.clips, log=say)
    sets: dict[str, list[Any]] = {"clips": chosen_clips(clips, options.only)}
    if options.films:
        sets["development"] = films.read(options.films, clips, "development")
    if options.data:
        sets["public"] = benchmarks.sequences("public", Path(options.data)).clips
    if options.report and options.films:
        sets["report"] = films.read(options.films, clips, "report")
    for folder in ANNOTATED if options.targets else ():
        sources, targets = annotations.read(folder)
        places = annotations.located(sources, options.targets)
        members = [annotations.TargetFilm(target, places[target.film]) for target in targets]
        sets[Path(folder).name] = members
    for lot in annotations.LOTS if options.annotated else ():
        sets[f"by eye, {lot}"] = annotations.films(options.annotated, lot)
    return sets


def run(options: argparse.Namespace) -> None:
    """Track what was not tracked yet; print the tables."""
    messages, areas = measured(options)
    if len(messages) > 1:
        print(state_metrics.comparison(messages), end="\n\n")
    print(state_metrics.page(next(iter(messages.values())), areas))


def measured(
    options: argparse.Namespace,
) -> tuple[dict[str, dict[str, list[state_metrics.CountedFrames]]], dict[str, float]]:
    """Track what was not tracked yet.

    Returns:
        of each tracker, the frames of each film of a set; the mean AUC of the first one's boxes.
    """
    sets, out = sets_of(options), Path(options.out)
    specs = [
        spec._replace(identity=spec.identity + code_identity())
        for spec in trackers.specs_of(options)
    ]
    for spec in specs:
        if not load_network(str(spec.options.network)).can_be_lost:
            raise BadRun(f"{spec.name} has no presence; leave it out")
    messages: dict[str, dict[str, list[state_metrics.CountedFrames]]] = {
        spec.name: {} for spec in specs
    }
    areas: dict[str, float] = {}
    for name, members in sets.items():
        place = out / name
        for _, sentence in runs.run_missing(specs, members, place, options.jobs, options.cluster):
            raise BadRun(sentence)
        for spec in specs:
            done = [(runs.stored(spec, member, place) or {}, member) for member in members]
            messages[spec.name][name] = [frames_of(*pair) for pair in done]
            if spec is specs[0]:
                areas[name] = float(np.mean([area(*pair) for pair in done]))
    return messages, areas


main = command_line.main("hotpath_lab.presence", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
