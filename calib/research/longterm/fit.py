"""python -m hotpath.calib.research.longterm.fit: fit the thresholds of the search for lost targets.

    python -m hotpath.calib.research.longterm.fit --clips DIR... --films FILE --networks kestrel \
        --write

It reads the half ``development`` of the films. On each of them it tries every combination of a few
thresholds, all at once, because drawing a film costs as much as tracking it. The short clips that
the films are made from are tracked too, once without the search.

The best combination has the highest sum of F and of the share of returns that are found within 30
frames. More than ``FALSE`` false returns, or a loss of more than ``LOSS`` of mean overlap on the
short clips, count against it. The row "held out" is fair: its figures of each clip are those of
the thresholds that are best on all other clips.

``--write`` puts the best thresholds into the network's TOML, and into that of its INT8 form.
``python -m hotpath.boards.build.ship`` then renews the copy for boards. OUT/runs keeps what was
tracked.
"""

import argparse
import copy
import functools
import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hotpath.calib import command, trackers
from hotpath.calib.command import chosen, say
from hotpath.calib.errors import BadRun
from hotpath.calib.research.longterm import films, judge
from hotpath.calib.research.longterm.judge import Way
from hotpath.calib.research.longterm.metrics import Judged, figures
from hotpath.calib.trackers import Spec
from hotpath.runtime import DEFAULT_NETWORK
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.networks import load_network
from hotpath.runtime.track.video.clips import find_clips
from hotpath.runtime.tracker import Tracker

TRIED = ("0.5,0.6", "0.4,0.5", "0.7,0.76,0.82")
FALSE, LOSS = 3.0, 0.005  # false returns, and loss of overlap, that may be
FALSE_COSTS, LOSS_COSTS = 0.1, 10.0  # for each false return, and for each point of overlap, above


class Thresholds(NamedTuple):
    """The thresholds of the search. Each is a key of a network's TOML."""

    search_lost_below: float
    look_above: float
    found_above: float


Ways = dict[Thresholds | None, Way]
KEYS = Thresholds._fields
OPTIONS = ("lost", "look", "found")  # of this command, for each key
ORDER = ("lost_below", "unsure_below", *KEYS)  # of a TOML


class Measured(NamedTuple):
    """What was tracked, against the truth."""

    members: dict[str, list[Any]]  # name of a source clip -> its films and itself
    runs: dict[tuple[Thresholds | None, str], Judged]  # by the thresholds and the member's name


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath.calib.research.longterm.fit", __doc__)
    command.add_clip_options(cli)
    cli.add_argument("--films", required=True, metavar="FILE", help="description of long films")
    cli.add_argument("--networks", default=DEFAULT_NETWORK, metavar="NAME,NAME")
    command.add_network_options(cli)
    for name, option, values in zip(KEYS, OPTIONS, TRIED):
        cli.add_argument("--" + option, default=values, metavar="X,X", help=name + " (%(default)s)")
    cli.add_argument("--write", action="store_true", help="write the best into the TOML")
    cli.add_argument("--threads", type=int, default=1, metavar="N")
    cli.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    cli.add_argument("--out", default="out/longterm-fit", metavar="DIR")
    return cli


def run(options: argparse.Namespace) -> None:
    """Fit every network; print, and write where asked."""
    tried = candidates(options)
    clips = find_clips(options.clips, log=say)
    wanted = {clip.name for clip in chosen(clips, options.only)}
    found = films.read(options.films, clips, "development")
    drawn = [film for film in found if film.source in wanted]
    if not drawn:
        raise BadRun(f"--only {options.only}: no film is made from it")
    sources = {film.source for film in drawn}
    members = drawn + [clip for clip in clips if clip.name in sources]
    for spec in trackers.specs_of(options):
        ways = {one: way_of(spec, one) for one in (None, *tried)}
        judge.follow_all(
            _tracker, [(m, ways_over(m, ways)) for m in members], options.out, options.jobs
        )
        measured = judged(ways, members, options.out)
        best = max(tried, key=lambda one: merit(measured, sources, one))
        say(text(spec.name, measured, tried, best))
        if options.write:
            write_all(load_network(str(spec.options.network)).path, best)


def candidates(options: argparse.Namespace) -> list[Thresholds]:
    """The ``Thresholds`` to try, those that make sense."""
    values = []
    for name in OPTIONS:
        given = getattr(options, name)
        try:
            values.append([float(value) for value in given.split(",")])
        except ValueError:
            raise BadRun(f"--{name} {given}: not numbers") from None
    tried = [Thresholds(*one) for one in itertools.product(*values)]
    tried = [one for one in tried if 0 < one.look_above <= one.found_above < 1]
    tried = [one for one in tried if 0 < one.search_lost_below <= one.found_above]
    if not tried:
        raise BadRun("no thresholds to try: 0 < look, lost <= found < 1")
    return tried


# -- tracking


def way_of(spec: Spec, thresholds: Thresholds | None) -> Way:
    """The ``Way`` of some thresholds; None is without the search."""
    name = "without" if thresholds is None else "-".join(map(str, thresholds))
    return Way(f"{spec.name}-{name}", spec, thresholds)


def ways_over(member: Any, ways: Ways) -> list[Way]:
    """Return the ways to run over a film or clip. Only clips leave out the search."""
    film = isinstance(member, films.LongFilm)
    return [way for one, way in ways.items() if not (film and one is None)]


@functools.lru_cache(maxsize=1)
def _built(spec: Spec) -> Any:
    return trackers.build(spec, recover=False)


def _tracker(way: Way) -> Any:
    """A tracker of other thresholds on the network's one engine."""
    base, thresholds = _built(way.spec), way.more
    network = copy.copy(base.network)  # the engine's does not change
    if thresholds is None:
        return Tracker(Processor(network, base.engine, base.device.kernels))
    network.__dict__.update(thresholds._asdict())
    device = Processor(network, base.engine, base.device.kernels)
    tracker = Tracker(device, recover=True)
    if not tracker.searches:
        raise BadRun(f"{way.spec.name} can search for no target: {tracker.why_no_search}")
    return tracker


# -- the choice


def judged(ways: Ways, members: Sequence[Any], out: str) -> Measured:
    """The kept runs against the truth."""
    groups: dict[str, list[Any]] = {}
    runs = {}
    for member in members:
        groups.setdefault(getattr(member, "source", member.name), []).append(member)
        for one, way in ways.items():
            kept = judge.stored(way, member, out)
            if kept is not None:
                runs[one, member.name] = kept.judged(member)
    return Measured(groups, runs)


def measures(measured: Measured, choice: dict[str, Any]) -> dict[str, float]:
    """The figures of films, and ``loss``, the mean overlap that the search costs the clips."""
    of_films, lost = [], []
    for source, thresholds in choice.items():
        for member in measured.members[source]:
            one = measured.runs[thresholds, member.name]
            if isinstance(member, films.LongFilm):
                of_films.append(one)
            else:
                without = measured.runs[None, member.name]
                lost.append(np.nanmean(without.drawn) - np.nanmean(one.drawn))
    return dict(figures(of_films), loss=float(np.mean(lost)) if lost else 0.0)


def merit(measured: Measured, sources: Iterable[str], thresholds: Any) -> float:
    """How good thresholds are on some source clips; NaN figures count as zero."""
    found = measures(measured, dict.fromkeys(sources, thresholds))
    too_false = max(0.0, np.nan_to_num(found["false_returns"]) - FALSE)
    too_lossy = max(0.0, found["loss"] - LOSS)
    gain = found["f"] + np.nan_to_num(found["found_in_30"])
    return float(gain - FALSE_COSTS * too_false - LOSS_COSTS * too_lossy)


def held_out(measured: Measured, tried: Sequence[Thresholds]) -> dict[str, Any]:
    """dict of a source clip -> the thresholds that are best on all others."""
    choice = {}
    for source in measured.members:
        others = [other for other in measured.members if other != source] or [source]
        choice[source] = max(tried, key=lambda one: merit(measured, others, one))
    return choice


def text(name: str, measured: Measured, tried: Sequence[Thresholds], best: Thresholds) -> str:
    """A table."""
    sources = list(measured.members)
    lines = [f"{name}: {sum(map(len, measured.members.values()))} films and clips"]
    titles = ("lost", "look", "found", "F", "found/30", "false/1000", "claimed", "loss", "merit")
    lines.append("".join(f"{title:>11}" for title in titles))
    rows: list[tuple[Any, Any]] = [(one, dict.fromkeys(sources, one)) for one in tried]
    keys = ("f", "found_in_30", "false_returns", "claimed_while_gone", "loss")
    for one, choice in [*rows, (None, held_out(measured, tried))]:
        row = measures(measured, choice)
        start = "held out".rjust(33) if one is None else "".join(f"{value:11g}" for value in one)
        line = start + "".join(f"{row[key]:11.3f}" for key in keys)
        if one is not None:
            line += f"{merit(measured, sources, one):11.3f}" + "  best" * (one == best)
        lines.append(line)
    return "\n".join(lines)


def write_all(path: str | Path, thresholds: Any) -> None:
    """Write thresholds into a network's TOML and that of its INT8 form, if there is one."""
    path = Path(path)
    other = path.parent / "int8" / f"{path.stem}-int8.toml"
    for one in [path] + [other] * other.is_file():
        write(one, thresholds)
        say(f"wrote {one}")


def write(path: str | Path, thresholds: Any) -> None:
    """Write a namedtuple of keys of ``ORDER`` into a network's TOML. Other keys do not change."""
    path = Path(path)
    lines = path.read_text().splitlines()
    for name, value in thresholds._asdict().items():
        at = [index for index, line in enumerate(lines) if re.match(name + r"\s*=", line)]
        if at:
            lines[at[0]] = re.sub(r"=\s*[0-9.]+", f"= {value:g}", lines[at[0]], count=1)
            continue
        earlier = rf"({'|'.join(ORDER[: ORDER.index(name)])})\s*="
        after = [index for index, line in enumerate(lines) if re.match(earlier, line)]
        if not after:
            raise BadRun(f"{path} has no lost_below; fit it with calib.loss_thresholds")
        lines.insert(after[-1] + 1, f"{name} = {value:g}")
    path.write_text("\n".join(lines) + "\n")


main = command.main("hotpath.calib.research.longterm.fit", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
