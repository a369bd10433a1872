"""python -m hotpath_lab.presence: how right are the words and the presence, also on other films?

    python -m hotpath_lab.presence --clips DIR... --films films.json --data DIR \
        --networks kestrel:int8,kestrel_fast

Prints the tables of docs/results/identity.md: one that compares all networks, and those of the
first one, with the returns of targets that were away. ``lightfc+kestrel:int8`` has a witness. There
is a column for the clips, the half ``development`` of the long films and the public sequences of
``--data``. ``--targets`` adds the films of docs/results/real and docs/results/motorways,
``--annotated`` those of ``annotations.csv``, and ``--report`` the other half. The intervals (95 %)
are of samples of whole films.

Then ``ODDS`` and ``RISE`` of ``hotpath.runtime.identity.identity`` are fitted to the frames of all
networks on these three, given the probability that each box holds the same object. They are checked
on films
that they were not fitted to: of ``FOLDS`` parts, each is left out once, with all films of a scene
in one part.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hotpath.calib import command
from hotpath.calib.command import chosen, say
from hotpath.calib.errors import BadRun
from hotpath.runtime import DEFAULT_NETWORK
from hotpath.runtime.identity.identity import ODDS
from hotpath.runtime.networks import load_network
from hotpath.video.clips import find_clips
from hotpath_lab import annotations, benchmarks, runs, state_metrics, trackers
from hotpath_lab.longterm import films
from hotpath_lab.metrics import auc
from hotpath_lab.provenance import code_identity

FOLDS, SEEDS = 5, 3  # parts of the films; ways to part them
STEPS = 50  # of Newton's method
ANNOTATED = ("docs/results/real", "docs/results/motorways")
FITTED = ("clips", "development", "public")  # columns; the others only report


class Evidence(NamedTuple):
    """The frames of some films, an entry each.

    Attributes:
        kinds: numbers of ``ODDS``.
        values: as of ``Identity.evidence``.
        same: the probability that it is the same object, as of ``Identity.evidence``.
        right: whether the box is right.
        presence: as the tracker says it.
        scenes: of the film.
    """

    kinds: np.ndarray
    values: np.ndarray
    same: np.ndarray
    right: np.ndarray
    presence: np.ndarray
    scenes: np.ndarray


def evidence_of(run: Mapping[str, Any], member: Any) -> Evidence:
    """Take the evidence of a run of ``hotpath_lab.follow``."""
    kept = frames_of(run, member)
    counts = state_metrics.counted(len(run["states"]), getattr(member, "known", None))
    counted = [each for each, is_counted in zip(run["evidence"], counts) if is_counted]
    kinds = np.array([list(ODDS).index(kind) for kind, _, _ in counted])
    values = np.array([value for _, value, _ in counted])
    same = np.array([probability for _, _, probability in counted])
    scene = getattr(member, "source", member.name).split("-", 1)[-1].lower()
    return Evidence(kinds, values, same, kept.right, kept.presence, np.full(len(kinds), scene))


def frames_of(run: Mapping[str, Any], member: Any) -> state_metrics.Frames:
    """What ``hotpath_lab.state_metrics`` takes of a run."""
    known = getattr(member, "known", None)
    frames = state_metrics.frames_of(run, member.boxes, known)
    if not isinstance(member, annotations.SeenFilm):
        return frames
    return frames._replace(right=member.right[state_metrics.counted(len(member.right), known)])


def area(run: Mapping[str, Any], member: Any) -> float:
    """The AUC of a run's boxes; NaN where none are annotated but the first."""
    if isinstance(member, annotations.SeenFilm):
        return math.nan
    return auc(run["boxes"], member.boxes)


def joined(parts: Sequence[Evidence]) -> Evidence:
    """The frames of several films."""
    return Evidence(*(np.concatenate(column) for column in zip(*parts)))


def fitted(frames: Evidence) -> np.ndarray:
    """Return the likeliest log odds of each kind where the value is 0, and their common rise.

    Example:
        >>> kinds, values = np.repeat([0, 1], 200), np.tile(np.repeat([0.0, 1.0], 100), 2)
        >>> right = np.arange(400) % 100 < np.repeat([25, 75, 10, 50], 100)
        >>> of_one = Evidence(kinds, values, np.ones(400), right, values, kinds)
        >>> [round(float(number), 1) for number in fitted(of_one)]
        [-1.1, -2.2, 2.2]
    """
    inputs = np.column_stack([np.eye(len(ODDS))[frames.kinds], frames.values])
    numbers = np.zeros(inputs.shape[1])
    for _ in range(STEPS):
        share = _logistic(inputs @ numbers)
        presence = np.clip(frames.same * share, 1e-6, 1 - 1e-6)
        slope = presence * (1 - share)  # of the presence
        weight = slope / (presence * (1 - presence))
        curved = (inputs * (slope * weight)[:, None]).T @ inputs + 1e-3 * np.eye(len(numbers))
        step = np.linalg.solve(curved, inputs.T @ (weight * (frames.right - presence)))
        numbers += np.clip(step, -1, 1)
    return numbers


def predicted(frames: Evidence, numbers: np.ndarray) -> np.ndarray:
    """The presence of frames by other numbers than today's."""
    return frames.same * _logistic(numbers[frames.kinds] + numbers[-1] * frames.values)


def held_out(frames: Evidence, seed: int) -> np.ndarray:
    """The presence of each frame by curves that were fitted to films of other scenes."""
    names, scenes = np.unique(frames.scenes, return_inverse=True)
    folds = np.random.RandomState(seed).permutation(len(names))[scenes] % FOLDS
    presence = np.zeros(len(scenes))
    for fold in range(FOLDS):
        others = Evidence(*(column[folds != fold] for column in frames))
        left_out = Evidence(*(column[folds == fold] for column in frames))
        presence[folds == fold] = predicted(left_out, fitted(others))
    return presence


def _logistic(odds: np.ndarray) -> np.ndarray:
    share: np.ndarray = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    return share


# -- text


def tenths(title: str, presence: np.ndarray, right: np.ndarray) -> str:
    """A line: of each tenth its frames and its share of right boxes, * if it is over .1 away."""
    cells = []
    for row, (count, share) in enumerate(state_metrics.tenths(presence, right)):
        mark = "*" if abs(share - (row + 0.5) / state_metrics.BINS) > 1 / state_metrics.BINS else ""
        cells.append(f"{count} {share:.2f}{mark}" if count else "-")
    return title.ljust(32) + "".join(f"{cell:>13}" for cell in cells)


def check(frames: Mapping[str, Evidence]) -> str:
    """The tenths today and of films that were left out, for each network and all together."""
    everything = joined(list(frames.values()))
    names = [*(f"log odds of what is {kind}" for kind in ODDS), "their rise"]
    lines = ["the likeliest numbers"]
    lines += [f"{name:32}{number:13.2f}" for name, number in zip(names, fitted(everything))]
    heads = (
        f"{row / state_metrics.BINS:g}-{(row + 1) / state_metrics.BINS:g}"
        for row in range(state_metrics.BINS)
    )
    lines.append("presence: frames, right".ljust(32) + "".join(f"{head:>13}" for head in heads))
    lines.append(tenths("all: today", everything.presence, everything.right))
    for seed in range(SEEDS):
        title = f"  fitted to other films, {seed + 1}"
        lines.append(tenths(title, held_out(everything, seed), everything.right))
    for name, of_network in frames.items():
        lines.append(tenths(f"{name}: today", of_network.presence, of_network.right))
    return "\n".join(lines)


# -- the command


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath_lab.presence", __doc__)
    add_set_options(cli)
    cli.add_argument("--networks", default=DEFAULT_NETWORK, metavar="NAME,NAME")
    command.add_network_options(cli)
    command.add_workers(cli)
    cli.add_argument("--out", default="out/presence", metavar="DIR")
    return cli


def add_set_options(cli: argparse.ArgumentParser) -> None:
    """The options that ``sets_of`` reads."""
    command.add_clip_options(cli)
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
    sets: dict[str, list[Any]] = {"clips": chosen(clips, options.only)}
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
    sets, out = sets_of(options), Path(options.out)
    specs = [
        spec._replace(identity=spec.identity + code_identity())
        for spec in trackers.specs_of(options)
    ]
    for spec in specs:
        if not load_network(str(spec.options.network)).can_be_lost:
            raise BadRun(f"{spec.name} has no presence; leave it out")
    messages: dict[str, dict[str, list[state_metrics.Frames]]] = {spec.name: {} for spec in specs}
    areas: dict[str, float] = {}
    evidence: dict[str, list[Evidence]] = {spec.name: [] for spec in specs}
    for name, members in sets.items():
        place = out / name
        for _, sentence in runs.follow_all(specs, members, place, options.jobs, options.cluster):
            raise BadRun(sentence)
        for spec in specs:
            done = [(runs.stored(spec, member, place) or {}, member) for member in members]
            messages[spec.name][name] = [frames_of(*pair) for pair in done]
            if spec is specs[0]:
                areas[name] = float(np.mean([area(*pair) for pair in done]))
            if name in FITTED and spec.options.witness is None:
                evidence[spec.name] += [evidence_of(*pair) for pair in done]
    if len(specs) > 1:
        print(state_metrics.comparison(messages), end="\n\n")
    print(state_metrics.page(messages[specs[0].name], areas))
    alone = {name: joined(parts) for name, parts in evidence.items() if parts}
    if alone:  # the presence of two networks follows from that of each
        say(check(alone))


main = command.main("hotpath_lab.presence", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
