"""python -m hotpath_lab.longterm.similar: measure finds in real films with similar objects.

    python -m hotpath_lab.longterm.similar --films DIR --networks kestrel:int8

The folder of ``--films`` holds them, in any folders; films.toml of ``--annotations`` says where
each is published, and a file is taken if its sha256 fits. A line of TARGET.csv beside it is
frame,x,y,w,h,sure. A line without a box is a frame without the target. ``sure`` is 0 where the
target is half hidden or not marked with care, so that no answer is wrong.

The tracker is off the target where the target is absent, where the tracker claims nothing, and
where its box overlaps the target by less than ``WRONG``. A frame that is not sure does not end such
an interval. It is one loss if it has a frame without a claim, or if the target is absent in it
for ``GONE`` sure frames; with several absences it is as many losses. A find is a claim that begins
in a loss after a frame without one. It is judged in its first frame that is sure: right from an
overlap of ``FOUND`` on, wrong below ``WRONG``.
"""

import argparse
import csv
import functools
import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hotpath.base import toml
from hotpath.calib import command
from hotpath.calib.command import chosen, say
from hotpath.calib.errors import BadRun
from hotpath.runtime import DEFAULT_NETWORK
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.networks import sha256_of
from hotpath.video.recorded import VideoFile
from hotpath_lab import runs, state_metrics, trackers
from hotpath_lab.longterm.metrics import FOUND, GONE, WITHIN, WRONG, Judged
from hotpath_lab.provenance import code_identity

Record = dict[str, Any]  # of a film or of a run on it
ANNOTATIONS = "docs/results/real"
HIGH = 0.8  # presence of a claim that a user may act on
TITLES = (
    "absences",
    "losses",
    "right finds",
    "wrong finds",
    "wrong/loss",
    "returns",
    "found/30",
    "frames",
    "claimed",
    "right>=.8",
)


class Target(NamedTuple):
    """The annotation of one target; the attributes of the arrays are for its own frames.

    Attributes:
        name, film: their names.
        first: number of its first frame in the film.
        boxes: (n, 4) float64 (x, y, w, h), NaN if the target is absent.
        sure: (n,) bool, False if no answer is wrong.
    """

    name: str
    film: str
    first: int
    boxes: np.ndarray
    sure: np.ndarray


class TargetFilm:
    """The frames of a target; it reads like a ``hotpath.video.clips.Clip``."""

    def __init__(self, target: Target, path: Path) -> None:
        self.target, self.path = target, path
        self.name, self.boxes, self.known = target.name, target.boxes, target.sure

    def __len__(self) -> int:
        return len(self.boxes)

    def in_memory(self, most_bytes: int) -> "TargetFilm":
        """The film itself: its frames are decoded each time."""
        return self

    def __iter__(self) -> Iterator[np.ndarray]:
        with VideoFile(str(self.path)) as source:
            for index in range(self.target.first + len(self)):
                frame = source.read()
                if index >= self.target.first:
                    yield np.asarray(frame)

    @functools.cached_property
    def sha256(self) -> str:
        """Hexadecimal sha256 of the film and the boxes."""
        digest = hashlib.sha256(np.ascontiguousarray(self.boxes).tobytes())
        digest.update(f"{self.target.first} {sha256_of(self.path)}".encode())
        return digest.hexdigest()


def read(folder: str | Path) -> tuple[list[Record], list[Target]]:
    """Read annotations.

    Returns:
        the films of ``films.toml``, and its targets with their boxes.

    Raises:
        BadRun: a file is missing or is not of this form.
    """
    table = toml.read(Path(folder) / "films.toml", BadRun)
    try:
        films, entries = table["film"], table["target"]
        names = {film["name"] for film in films if film["sha256"]}
        targets = [_target(Path(folder), entry, names) for entry in entries]
    except (KeyError, TypeError) as error:
        raise BadRun(f"{folder}/films.toml lacks {error}; see docs/results/real") from None
    return films, targets


def _target(folder: Path, entry: dict[str, str], films: set[str]) -> Target:
    path = folder / (entry["name"] + ".csv")
    if entry["film"] not in films:
        raise BadRun(f"{path}: no film is called {entry['film']}; add it to films.toml")
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        frames = np.array([int(row["frame"]) for row in rows])
        sides = [[float(row[side] or "nan") for side in "xywh"] for row in rows]
        sure = np.array([{"0": False, "1": True}[row["sure"]] for row in rows])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BadRun(f"{path} can't be read as frame,x,y,w,h,sure: {error}") from None
    boxes = np.array(sides)
    if not len(boxes) or (np.diff(frames) != 1).any() or not np.isfinite(boxes[0]).all():
        raise BadRun(f"{path} must hold frames without a gap, and a box in the first")
    return Target(entry["name"], entry["film"], int(frames[0]), boxes, sure)


def located(films: Sequence[Record], folder: str | Path) -> dict[str, Path]:
    """Find the file of each film below a folder by its sha256.

    Raises:
        BadRun: a film is not there; the sentence says where it is published.
    """
    by_hash = {film["sha256"]: film for film in films}
    endings = {Path(film["path"]).suffix for film in films}
    places = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix in endings and path.is_file():
            film = by_hash.get(sha256_of(path))
            if film:
                places[film["name"]] = path
    for film in films:
        if film["name"] not in places:
            raise BadRun(
                f"{folder} does not hold {film['path']} of {film['source']} at commit "
                f"{film['commit']}; put it there"
            )
    return places


class Finds(NamedTuple):
    """What a tracker did with a target; counts, which add up over targets."""

    absences: int
    losses: int
    right: int
    wrong: int
    absent: int
    claimed_absent: int
    high: int
    high_right: int


def judged(run: Record, target: Target) -> Finds:
    """Count the losses and finds of a run of ``hotpath_lab.follow`` on a target."""
    overlaps = np.nan_to_num(overlap(run["boxes"], target.boxes))
    claimed, sure = np.array(run["claimed"], bool), target.sure.copy()
    sure[0] = False
    gone = ~np.isfinite(target.boxes[:, 0])
    losses, counts = 0, [0, 0]
    for first, end in _intervals(_off(claimed, sure, overlaps)):
        absences = _absences(gone[first:end], sure[first:end])
        if absences or (not claimed[first:end].all() and sure[first:end].any()):
            losses += max(absences, 1)
            for answer in _finds(first, end, claimed, sure, overlaps):
                counts[0] += bool(answer >= FOUND)
                counts[1] += bool(answer < WRONG)
    absent, high = gone & sure, claimed & sure & (np.array(run["certainty"]) >= HIGH)
    sums = absent.sum(), (absent & claimed).sum(), high.sum(), (high & (overlaps >= FOUND)).sum()
    return Finds(_absences(gone, sure), losses, *counts, *map(int, sums))


def _off(claimed: np.ndarray, sure: np.ndarray, overlaps: np.ndarray) -> np.ndarray:
    """(n,) bool, where the tracker is off the target; a claim that is not sure changes nothing."""
    off = ~claimed | (sure & (overlaps < WRONG))
    for index in np.flatnonzero((claimed & ~sure)[1:]) + 1:
        off[index] = off[index - 1]
    return off


def _finds(first: int, end: int, *arrays: np.ndarray) -> Iterator[float]:
    """Yield the overlap of each claim that begins in an interval or ends it."""
    claimed, sure, overlaps = arrays
    for index in range(first + 1, min(end + 1, len(claimed))):
        if claimed[index] and not claimed[index - 1]:
            later = claimed[index:]
            last = index + (len(later) if later.all() else int(np.argmin(later)))
            judged_at = np.flatnonzero(sure[index:last])
            if len(judged_at):
                yield float(overlaps[index + judged_at[0]])


def _absences(gone: np.ndarray, sure: np.ndarray) -> int:
    """Number of times that the target is absent for at least ``GONE`` sure frames."""
    return sum(int(sure[first:end].sum()) >= GONE for first, end in _intervals(gone))


def _intervals(flags: np.ndarray) -> list[tuple[int, int]]:
    """(first, end) of each run of true flags; end is excluded."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags, [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath_lab.longterm.similar", __doc__)
    cli.add_argument("--films", required=True, metavar="DIR", help="folder that holds the films")
    cli.add_argument("--annotations", default=ANNOTATIONS, metavar="DIR")
    cli.add_argument("--only", metavar="NAME,NAME", help="use only these targets")
    cli.add_argument("--networks", default=DEFAULT_NETWORK, metavar="NAME,NAME")
    command.add_network_options(cli)
    cli.add_argument("--out", default="out/similar", metavar="DIR")
    return cli


def run(options: argparse.Namespace) -> None:
    """Track what was not tracked yet, and print a row for each target and network."""
    films, targets = read(options.annotations)
    places = located(films, options.films)
    members = chosen([TargetFilm(target, places[target.film]) for target in targets], options.only)
    out = Path(options.out)
    specs = [
        spec._replace(identity=spec.identity + code_identity())
        for spec in trackers.specs_of(options)
    ]
    for _, sentence in runs.follow_all(specs, members, out, 1):
        raise BadRun(sentence)
    messages = {}
    for spec in specs:
        kept = [runs.stored(spec, member, out) for member in members]
        pairs = [(run, member.target) for run, member in zip(kept, members) if run]
        say(text(spec.name, pairs))
        messages[spec.name] = state_metrics.figures(
            state_metrics.frames_of(run, t.boxes, t.sure) for run, t in pairs
        )
    say(state_metrics.text(messages))


def text(title: str, pairs: Sequence[tuple[Record, Target]]) -> str:
    """A table of one network as text: a row for each target, and one for all."""
    wide = max([len(target.name) for _, target in pairs] + [len(title)]) + 2
    lines = [title.ljust(wide) + "".join(f"{name:>13}" for name in TITLES)]
    for name, part in [*((pair[1].name, [pair]) for pair in pairs), ("all", list(pairs))]:
        cells = (_cell(value) for value in row(part))
        lines.append(name.ljust(wide) + "".join(f"{cell:>13}" for cell in cells))
    return "\n".join(lines)


def row(pairs: Sequence[tuple[Record, Target]]) -> list[float]:
    """The values of ``TITLES`` for some runs together."""
    total = Finds(*(sum(column) for column in zip(*(judged(*pair) for pair in pairs))))
    waits = [
        wait
        for run, target in pairs
        for wait in Judged(run["boxes"], run["claimed"], target.boxes, target.sure).returns()
    ]
    shares = (
        (total.wrong, total.losses),
        (sum(wait < WITHIN for wait in waits), len(waits)),
        (total.claimed_absent, total.absent),
        (total.high_right, total.high),
    )
    per_loss, in_time, claimed, right = (a / b if b else math.nan for a, b in shares)
    median = float(np.median(waits)) if waits else math.nan
    first = [total.absences, total.losses, total.right, total.wrong]
    return [*first, per_loss, len(waits), in_time, median, claimed, right]


def _cell(value: float) -> str:
    if math.isnan(value):
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


main = command.main("hotpath_lab.longterm.similar", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
