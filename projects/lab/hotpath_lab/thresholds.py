r"""python -m hotpath_lab.thresholds: find thresholds that keep right boxes and report few wrong.

    python -m hotpath_lab.thresholds --networks kestrel:int8,mine.toml --clips DIR... \
        --films films.json --write
    python -m hotpath_lab.thresholds --networks kestrel:int8 --clips DIR... --films films.json \
        --data DIR --only-own

Three numbers of a network's TOML decide when its target is lost and when it is found:
``search_lost_below``, ``look_above`` and ``found_above``. While a target is lost its box stands
still, so a right box that is called lost costs overlap (the column ``lost``). A wrong box that is
called ``tracked`` costs trust. The numbers belong to a network's scores, so each needs its own.

Each network is tracked with its own numbers, if it has them, and with every triple of
``--tried``, on the clips and on the half ``development`` of ``--films``. The best triple has the
largest sum of the AUC on both, among those whose share of right boxes in ``tracked`` is at most
``LESS`` below the best one. --write changes the network's TOML and that of its INT8 form. The
public sequences of ``--data`` are tracked with the network's own numbers and the best ones. They
choose nothing.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hotpath.base import cache
from hotpath.calib import command_line
from hotpath.calib.command_line import find_chosen_clips, say
from hotpath.calib.errors import BadRun
from hotpath.runtime.engines.shared.precision import SUFFIX, int8_form
from hotpath.runtime.networks import load_network
from hotpath.runtime.types import TRACKED
from hotpath_lab import benchmarks, metrics, runs, state_metrics, trackers
from hotpath_lab.longterm import films
from hotpath_lab.losses import losses
from hotpath_lab.provenance import code_identity
from hotpath_lab.scorer import SEARCH
from hotpath_lab.tune import changed

TRIED = "0.15,0.35,0.45 0.25,0.4,0.55 0.35,0.45,0.6 0.4,0.4,0.65 0.4,0.4,0.8 0.5,0.45,0.65"
LESS = 0.01  # of the share of right boxes in ``tracked``
SETS = ("clips", "development", "public")
CHOOSING = SETS[:2]
COLUMNS = (
    ("auc", "AUC", "{:.3f}"),
    ("loss_lost", "lost", "{:.3f}"),
    ("right_tracked", "right T", "{:.3f}"),
    ("right_said", "of right", "{:.3f}"),
    ("beside", "beside", "{:.3f}"),
    ("finds_right", "finds", "{:.0f}"),
    ("finds_wrong", "wrong", "{:.0f}"),
    ("tracked_wrong", "wrong T", "{:.0f}"),
    ("tracked_wrong_high", "of .8", "{:.0f}"),
)
LEGEND = (
    "AUC of track.box; lost: overlap that is lost in frames that the network calls lost while the "
    "target is visible; right T: share of right boxes in tracked; of right: share of the right "
    "boxes that are tracked; beside: share of the tracked frames with a visible target whose box "
    "does not touch it; finds, wrong: by their box; wrong T: tracked frames without a right box; "
    "of .8: those with a presence of .8 or more"
)

Triple = tuple[float, ...]


class Row(NamedTuple):
    """A network with three numbers, on one set of films.

    Attributes:
        network: its name.
        triple: of ``SEARCH``.
        place: of ``SETS``.
        figures: of ``COLUMNS``.
    """

    network: str
    triple: Triple
    place: str
    figures: Mapping[str, float]


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_lab.thresholds", __doc__)
    command_line.add_clip_options(cli)
    text = "networks or TOMLs, each with :int8 behind it or not"
    cli.add_argument("--networks", required=True, metavar="NAME,NAME", help=text)
    command_line.add_network_options(cli)
    cli.add_argument("--films", metavar="FILE", help="long films, of hotpath_lab.longterm.films")
    cli.add_argument("--data", metavar="DIR", help="what hotpath_lab.public fetched; only reported")
    text = "triples to try (default: %(default)s)"
    cli.add_argument("--tried", default=TRIED, metavar="'A,B,C A,B,C'", help=text)
    text = "try nothing; only measure the networks' own numbers"
    cli.add_argument("--only-own", action="store_true", help=text)
    cli.add_argument("--write", action="store_true", help="change the TOMLs to the best numbers")
    command_line.add_workers(cli)
    text = "folder to write to (default: %(default)s)"
    cli.add_argument("--out", default="out/thresholds", metavar="DIR", help=text)
    return cli


def run(options: argparse.Namespace) -> list[Row]:
    """Track, print the table, and write the best numbers where asked."""
    tried = [] if options.only_own else triples(options.tried)
    clips = find_chosen_clips(options.clips, options.only)
    members: dict[str, Sequence[Any]] = {"clips": clips}
    if options.films:
        members["development"] = films.read(options.films, clips, "development")
    rows: list[Row] = []
    for name in options.networks.split(","):
        own = own_of(name)
        given = [own] * bool(own) + [triple for triple in tried if triple != own]
        check_search(name, given, options)
        of_network = measured(name, given, members, options)
        best = best_of(of_network)
        if options.data:
            public = benchmarks.sequences("public", Path(options.data)).clips
            pair = [own, best] if own and best != own else [best]
            of_network += measured(name, pair, {"public": public}, options)
        say(text(of_network))
        if len(given) > 1 and len({row.figures["auc"] for row in of_network}) == 1:
            say("The boxes are the same with all of them; name clips in which the target leaves.")
        say(f"{name}: {', '.join(f'{value:g}' for value in best)} is best")
        if options.write and best != own:
            write(name, best)
        rows += of_network
    say(LEGEND)
    return rows


def triples(given: str) -> list[Triple]:
    """Read ``--tried``.

    Raises:
        BadRun: an entry is not three numbers from 0 to 1.
    """
    found = []
    for entry in given.split():
        try:
            triple = tuple(float(value) for value in entry.split(","))
        except ValueError:
            triple = ()
        if len(triple) != len(SEARCH) or not all(0 < value < 1 for value in triple):
            raise BadRun(f"--tried {entry}: give {', '.join(SEARCH)}, each between 0 and 1")
        found.append(triple)
    return found


def own_of(name: str) -> Triple:
    """The three numbers of a network's TOML; empty where it lacks one, as after `networks add`."""
    network = load_network(name.split(":")[0])
    own = tuple(float(getattr(network, key)) for key in SEARCH)
    return own if all(own) else ()


def check_search(name: str, given: Sequence[Triple], options: argparse.Namespace) -> None:
    """Raise ``BadRun`` where a network can't search, or nothing is to be tried."""
    if not given:
        raise BadRun(f"{name} has no thresholds yet; leave --only-own out")
    why = trackers.loaded(_spec(name, given[0], options)).why_no_search
    if why:
        raise BadRun(f"{name} can't search for a lost target, so it has no thresholds: {why}")


def measured(
    name: str,
    given: Sequence[Triple],
    members: Mapping[str, Sequence[Any]],
    options: argparse.Namespace,
) -> list[Row]:
    """Track each set with each triple; what is stored is not tracked again."""
    out = Path(options.out)
    specs = [_spec(name, triple, options) for triple in given]
    rows = []
    for place, films_of in members.items():
        for film, sentence in runs.run_missing(specs, films_of, out, options.jobs, options.cluster):
            raise BadRun(f"{film}: {sentence}")
        for triple, spec in zip(given, specs):
            done = [runs.stored(spec, film, out) for film in films_of]
            pairs = [(run, film) for run, film in zip(done, films_of) if run is not None]
            rows.append(Row(name, triple, place, figures(pairs)))
    return rows


def _spec(name: str, triple: Triple, options: argparse.Namespace) -> trackers.Spec:
    """The tracker of a network with other numbers, from a copy of its TOML."""
    stem, *ways = name.split(":")
    is_int8 = "int8" in ways
    path = (
        trackers.int8_toml(stem, "", options.networks_dir) if is_int8 else load_network(stem).path
    )
    folder = Path(options.out) / "tomls"
    folder.mkdir(parents=True, exist_ok=True)
    numbers = "-".join(f"{value:g}" for value in triple)
    copy = folder / f"{path.stem}-{numbers}.toml"
    cache.write_text(copy, changed(path, {"tracking": dict(zip(SEARCH, triple))}))
    linked(load_network(path), folder, options.networks_dir)
    ending = "".join(":" + way for way in ways if way != "int8")
    (spec,) = trackers.specs([str(copy) + ending], trackers.tracker_options(options))
    return spec._replace(identity=spec.identity + code_identity())


def linked(network: Any, folder: Path, networks_dir: str | None) -> None:
    """Put links to a network's files into a folder, so that a copy of its TOML works there."""
    files = list(network.locate(networks_dir).values())
    files += [
        network.locate_made(made) for made in (network.negatives, network.point_prompt) if made
    ]
    for file in files:
        link = folder / file.name
        if not link.exists():
            link.symlink_to(file.resolve())


def figures(pairs: Sequence[tuple[Mapping[str, Any], Any]]) -> dict[str, float]:
    """Compute the figures of ``COLUMNS``: means over films, words and counts over all frames."""
    means: dict[str, list[float]] = {"auc": [], "loss_lost": []}
    frames = []
    for run, film in pairs:
        boxes = np.asarray(run["boxes"])
        truth = np.array(film.boxes, float)[: len(boxes)]
        known = getattr(film, "known", None)
        if known is not None:  # no answer is wrong there
            truth[~np.asarray(known, bool)[: len(boxes)]] = np.nan
        means["auc"].append(metrics.figures(boxes, truth)["success"])
        means["loss_lost"].append(losses(boxes, truth, run["states"])["loss_lost"])
        frames.append(state_metrics.frames_of(run, film.boxes, known))
    table = state_metrics.figures(frames)
    table.update({key: float(np.nanmean(values)) for key, values in means.items()})
    tracked = np.concatenate([each.overlaps[each.words == TRACKED] for each in frames])
    visible = tracked[np.isfinite(tracked)]
    table["beside"] = float(np.mean(visible <= 0)) if len(visible) else float("nan")
    return table


def best_of(rows: Sequence[Row]) -> Triple:
    """The triple with the largest sum of AUC among those whose ``tracked`` can be trusted.

    Of several with that sum, as on clips whose target never leaves, it is the one with the fewest
    wrong boxes of a high presence.
    """
    sums: dict[Triple, float] = {}
    wrong: dict[Triple, float] = {}
    rights: dict[Triple, list[float]] = {}
    for row in rows:
        if row.place in CHOOSING:
            sums[row.triple] = sums.get(row.triple, 0.0) + row.figures["auc"]
            high = row.figures["tracked_wrong_high"]
            wrong[row.triple] = wrong.get(row.triple, 0.0) + high
            rights.setdefault(row.triple, []).append(row.figures["right_tracked"])
    trust = {triple: float(np.mean(values)) for triple, values in rights.items()}
    least = max(trust.values()) - LESS
    trusted = [triple for triple in sums if trust[triple] >= least]
    return max(trusted, key=lambda triple: (sums[triple], -wrong[triple]))


def text(rows: Sequence[Row]) -> str:
    """The rows as a table."""
    wide = max(len(row.network) for row in rows) + 2
    lines = [
        "network".ljust(wide)
        + f"{'thresholds':<18}{'on':<12}"
        + "".join(f"{title:>9}" for _, title, _ in COLUMNS)
    ]
    for row in sorted(rows, key=lambda row: SETS.index(row.place)):
        numbers = " ".join(f"{value:g}" for value in row.triple)
        cells = "".join(f"{form.format(row.figures[key]):>9}" for key, _, form in COLUMNS)
        lines.append(f"{row.network:<{wide}}{numbers:<18}{row.place:<12}{cells}")
    return "\n".join(lines)


def write(name: str, triple: Triple) -> None:
    """Write the numbers into a network's TOML and into that of its INT8 form."""
    network = load_network(name.split(":")[0])
    form = int8_form(network)
    paths = [network.path, *([form.path] if form and form.name.endswith(SUFFIX) else [])]
    for path in dict.fromkeys(paths):
        cache.write_text(path, changed(path, {"tracking": dict(zip(SEARCH, triple))}))
        command_line.say_written(path)


main = command_line.main("hotpath_lab.thresholds", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
