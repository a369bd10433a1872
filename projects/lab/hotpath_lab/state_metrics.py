"""Measure how often a tracker's states are right, by state and by presence, over all frames.

| figure                     | what                                                                |
|----------------------------|---------------------------------------------------------------------|
| ``frames``                 | frames that count: all but the first and those with ``known`` False |
| ``share_WORD``             | share of these frames with that word                                |
| ``right_WORD``             | share of the frames with that word whose box is right               |
| ``right_said``             | share of the right boxes that are ``tracked``                       |
| ``finds_right, _wrong``    | frames with ``track.found``, by their box                           |
| ``tracked_wrong``          | ``tracked`` frames whose box is wrong                               |
| ``tracked_wrong_high``     | those of them with a presence of ``SURE`` or more                   |
| ``tracked_right_high``     | ``tracked`` frames with such a presence whose box is right          |
| ``right_high``             | of all ``tracked`` frames with such a presence, the share of right  |
| ``aimed_high``             | the share of them whose box has its centre in the target's          |
| ``astray_hourly``          | those of them without, in an hour of film with RATE frames a second |
| ``wrong_high``             | frames of all words with such a presence whose box is wrong         |
| ``returns``                | times that the target comes back after ``GONE`` frames or more      |
| ``boxes_in_time``          | returns with a right box within ``WITHIN`` frames with the target   |
| ``tracked_in_time``        | returns with a ``tracked`` right box by then                        |
| ``f``                      | VOT-LT's F-score of the ``tracked`` boxes; NaN without a truth      |
| ``log_loss``               | of the presence                                                     |
| ``presence``               | ten rows (frames, share of right boxes), by presence 0 to .1 and on |

``interval`` gives the bounds of a share. A box is right from an overlap of ``FOUND`` on; no box is
right while the target is absent. VOT-LT: Lukežič et al., "Now you see me: evaluating performance in
long-term visual tracking", 2018.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.types import LOST, SURE, TRACKED, UNSURE
from hotpath_lab.metrics import mean

FOUND = 0.4  # overlap from which on a box is right
GONE = 10  # frames without the target, after which as many with it are a return
WITHIN = 30  # frames with the target in which it should be found
BINS = 10  # of the presence
RATE = 30  # frames a second, for figures in an hour of film
LEAST_SHARE = 1e-3  # presence, and its distance from 1, below which the log loss does not rise
SAMPLES, LEVEL = 1000, 95  # of whole films; per cent of them that an interval holds
WORDS = (TRACKED, UNSURE, LOST)
COLUMNS = (
    ("frames", "frames", "{:.0f}"),
    *((f"share_{word}", word, "{:.3f}") for word in WORDS),
    *((f"right_{word}", f"right {word[0].upper()}", "{:.3f}") for word in WORDS),
    ("right_said", "of right", "{:.3f}"),
    ("finds_right", "finds", "{:.0f}"),
    ("finds_wrong", "wrong", "{:.0f}"),
)
WIDE, CELL = 28, 9  # columns of a name and of a figure, so that a row fits a terminal
LEGEND = (
    "words: shares of the frames; right T, U, L: share of right boxes in tracked, unsure, lost;\n"
    "of right: share of the right boxes that are tracked"
)


class CountedFrames(NamedTuple):
    """The frames of a film that count, an entry each.

    Attributes:
        right: whether the box is right.
        words: the words.
        presence: the presence; NaN from a tracker without one.
        finds: ``track.found``: whether it is the first tracked frame after a loss or a jump.
        overlaps: of the box and the truth; NaN if the target is absent.
        aimed: whether the centre of the box is in the target's.
    """

    right: np.ndarray
    words: np.ndarray
    presence: np.ndarray
    finds: np.ndarray
    overlaps: np.ndarray
    aimed: np.ndarray


def frames_of(
    result: Mapping[str, Any], truth: ArrayLike, known: ArrayLike | None = None
) -> CountedFrames:
    """Take what ``figures`` needs from a film.

    Args:
        result: what ``run_clip`` returns.
        truth: (n, 4) x, y, w, h, pixels; NaN if the target is absent.
        known: (n,) False if the target is half hidden and no answer is wrong; None: all True.
    """
    words = np.array(result["states"])
    counts = counted(len(words), known)
    boxes, targets = np.asarray(result["boxes"]), np.asarray(truth)[: len(words)]
    overlaps = overlap(boxes, targets)
    from_middle = np.abs(boxes[:, :2] + boxes[:, 2:] / 2 - targets[:, :2] - targets[:, 2:] / 2)
    aimed = (from_middle <= targets[:, 2:] / 2).all(axis=1)  # False for NaN
    right = np.nan_to_num(overlaps) >= FOUND
    presence = np.array(result.get("presence", result["certainty"]), float)  # NaN for None
    finds = np.asarray(result["found"], bool)
    columns = right, words, presence, finds, overlaps, aimed
    return CountedFrames(*(column[counts] for column in columns))


def counted(count: int, known: ArrayLike | None = None) -> np.ndarray:
    """Return which of so many frames count, (count,) bool; ``known`` as in ``frames_of``."""
    counts = np.ones(count, bool) if known is None else np.array(known, bool)[:count]
    counts[0] = False
    return counts


def figures(films: Iterable[CountedFrames]) -> dict[str, Any]:
    """Compute the figures of some films; NaN where there is no such frame.

    Example:
        >>> truth = [[0, 0, 10, 10]] * 4
        >>> result = {"boxes": truth, "states": ["tracked", "lost", "tracked", "tracked"],
        ...           "certainty": [1, 0, 0.6, 0.7], "found": [False, False, True, False]}
        >>> table = figures([frames_of(result, truth)])
        >>> table["finds_right"], round(table["right_said"], 2)
        (1, 0.67)
    """
    films = list(films)
    right, words, presence, finds, _, aimed = (np.concatenate(column) for column in zip(*films))
    table: dict[str, Any] = {"frames": len(words)}
    table.update((f"share_{word}", mean(words == word)) for word in WORDS)
    table.update((f"right_{word}", mean(right[words == word])) for word in WORDS)
    table["right_said"] = mean((words == TRACKED)[right])
    table["finds_right"] = int((finds & right).sum())
    table["finds_wrong"] = int((finds & ~right).sum())
    tracked, high = words == TRACKED, presence >= SURE
    table["tracked_wrong"] = int((tracked & ~right).sum())
    table["tracked_wrong_high"] = int((tracked & ~right & high).sum())
    table["tracked_right_high"] = int((tracked & right & high).sum())
    table["wrong_high"] = int((~right & high).sum())
    table["right_high"] = mean(right[tracked & high])
    table["aimed_high"] = mean(aimed[tracked & high])
    table["astray_hourly"] = (tracked & high & ~aimed).sum() / len(words) * 3600 * RATE
    waits = [returns(film, film.right) for film in films]
    tracked_waits = [returns(film, film.right & (film.words == TRACKED)) for film in films]
    table["returns"] = sum(map(len, waits))
    for key, of_films in (("boxes_in_time", waits), ("tracked_in_time", tracked_waits)):
        table[key] = sum(wait < WITHIN for of_film in of_films for wait in of_film)
    table["f"] = f_score(films)
    of_truth = np.clip(np.where(right, presence, 1 - presence), LEAST_SHARE, 1 - LEAST_SHARE)
    table["log_loss"] = mean(-np.log(of_truth[~np.isnan(of_truth)]))
    table["presence"] = tenths(presence, right)
    return table


def returns(film: CountedFrames, hits: np.ndarray) -> list[float]:
    """Return the frames until each return of the target is a hit, and infinity where none is.

    A return is a run of at least ``GONE`` frames with the target, after at least as many without.
    """
    present = np.isfinite(film.overlaps)
    edges = [0, *(np.flatnonzero(np.diff(present)) + 1).tolist(), len(present)]
    waits = []
    for gone, first, end in zip(edges, edges[1:], edges[2:]):
        if present[first] and min(first - gone, end - first) >= GONE:
            hit = hits[first:end]
            waits.append(float(np.argmax(hit)) if hit.any() else math.inf)
    return waits


def f_score(films: Sequence[CountedFrames]) -> float:
    """Return the harmonic mean of precision and recall, each a mean over the films.

    Precision is the mean overlap of the ``tracked`` frames, 0 while the target is absent, and 1
    without such frames. Recall is that of the frames with the target, 0 where not ``tracked``.
    """
    both = []
    for film in films:
        claimed = film.words == TRACKED
        total = float(np.nan_to_num(film.overlaps)[claimed].sum())
        present = int(np.isfinite(film.overlaps).sum())
        precision = total / claimed.sum() if claimed.any() else 1.0
        both.append((precision, total / present if present else math.nan))
    precision, recall = np.mean(both, axis=0)
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def interval(films: Sequence[CountedFrames], key: str) -> tuple[float, float]:
    """Return the bounds of a share of ``figures``, by samples of whole films with replacement.

    Args:
        films: of all films of a set.
        key: ``right_tracked``, ``right_said``, ``right_high`` or ``aimed_high``.
    """
    pairs = []  # of each film, the frames that are counted, and those of which they are a share
    for film in films:
        tracked = film.words == TRACKED
        high = tracked & (film.presence >= SURE)
        hits, frames = {
            "right_tracked": (film.right, tracked),
            "right_said": (tracked, film.right),
            "right_high": (film.right, high),
            "aimed_high": (film.aimed, high),
        }[key]
        pairs.append([(hits & frames).sum(), frames.sum()])
    hits, of = np.array(pairs).T
    picked = np.random.RandomState(0).randint(0, len(films), (SAMPLES, len(films)))
    with np.errstate(invalid="ignore"):
        shares = hits[picked].sum(axis=1) / of[picked].sum(axis=1)
    if np.isnan(shares).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(shares, [50 - LEVEL / 2, 50 + LEVEL / 2])
    return float(low), float(high)


def tenths(presence: np.ndarray, right: np.ndarray) -> list[list[float]]:
    """Return [frames, share of right boxes] of each tenth of the presence; NaN is in none."""
    right, presence = right[~np.isnan(presence)], presence[~np.isnan(presence)]
    bins = np.clip((presence * BINS).astype(int), 0, BINS - 1)
    return [[int((bins == row).sum()), mean(right[bins == row])] for row in range(BINS)]


def text(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures of each tracker as lines of text."""
    tables = {
        (name if len(name) < WIDE else "…" + name[2 - WIDE :]): table
        for name, table in tables.items()
    }
    wide = WIDE
    lines = ["words".ljust(wide) + "".join(f"{title:>{CELL}}" for _, title, _ in COLUMNS)]
    for name, table in tables.items():
        cells = (form.format(table[key]) for key, _, form in COLUMNS)
        lines.append(name.ljust(wide) + "".join(f"{cell:>{CELL}}" for cell in cells))
    heads = (f"{row / BINS:g}-{(row + 1) / BINS:g}" for row in range(BINS))
    lines.append("right boxes by presence".ljust(wide) + "".join(f"{h:>{CELL}}" for h in heads))
    for name, table in tables.items():
        for title, place, form in ((name, 1, "{:.3f}"), ("  frames", 0, "{:.0f}")):
            rows = table["presence"]
            has_presence = any(count for count, _ in rows)
            shares = [form.format(row[place]) if has_presence else "-" for row in rows]
            lines.append(title.ljust(wide) + "".join(f"{share:>{CELL}}" for share in shares))
    return "\n".join([*lines, LEGEND])


def page(sets: Mapping[str, Sequence[CountedFrames]], boxes: Mapping[str, float]) -> str:
    """The figures as the two tables of docs/results/identity.md, a column for each set of films.

    Args:
        sets: the frames of each film of a set.
        boxes: mean AUC of the boxes of each set; NaN where none are annotated.
    """
    tables = {name: figures(films) for name, films in sets.items()}

    def share(key: str) -> list[str]:
        cells = []
        for name, table in tables.items():
            low, high = (short(bound) for bound in interval(sets[name], key))
            cells.append(short(table[key]) + (f" [{low}, {high}]" if table[key] > 0 else ""))
        return cells

    def count(*keys: str) -> list[str]:
        return [", ".join(f"{table[key]:,}" for key in keys) for table in tables.values()]

    high = f"with a presence of {short(SURE, 1)} or more"
    rows = [
        ("frames", count("frames")),
        ("`tracked` frames whose box is right", share("right_tracked")),
        ("right boxes that are reported as `tracked`", share("right_said")),
        ("wrong `tracked` frames", count("tracked_wrong")),
        (f"wrong `tracked` frames {high}", count("tracked_wrong_high")),
        (f"right `tracked` frames {high}", count("tracked_right_high")),
        (f"wrong frames {high}, in any state", count("wrong_high")),
        (f"`tracked` boxes {high}: their centre is on the target", share("aimed_high")),
        (
            "… off the target: frames in an hour of film",
            [f"{t['astray_hourly']:,.0f}" for t in tables.values()],
        ),
        (f"… they overlap the target by {short(FOUND, 1)}", share("right_high")),
        ("re-acquisitions: correct, wrong", count("finds_right", "finds_wrong")),
        (
            f"returns: all, with a right box within {WITHIN} frames, `tracked` by then",
            count("returns", "boxes_in_time", "tracked_in_time"),
        ),
        ("F-score of VOT-LT", [short(each["f"]) for each in tables.values()]),
        ("log loss of the presence", [short(each["log_loss"], 2) for each in tables.values()]),
        ("AUC of `track.box`", [short(boxes[name]) for name in tables]),
    ]
    lines = [table_row(["", *tables]), table_row(["---"] * (1 + len(tables)))]
    lines += [table_row([title, *cells]) for title, cells in rows]
    lines += ["", table_row(["presence", *(cell for name in tables for cell in (name, "right"))])]
    lines.append(table_row(["---"] * (1 + 2 * len(tables))))
    for row in range(BINS):
        tenth = f"{short(row / BINS, 1)} to {short((row + 1) / BINS, 1)}"
        counts = (table["presence"][row] for table in tables.values())
        cells = (cell for count, share in counts for cell in (f"{count:,}", short(share, 2)))
        lines.append(table_row([tenth, *cells]))
    return "\n".join(lines)


def comparison(trackers: Mapping[str, Mapping[str, Sequence[CountedFrames]]]) -> str:
    """The first table of docs/results/identity.md: a row for each set, a column for each tracker.

    Args:
        trackers: of each tracker, the frames of each film of a set.
    """
    sets = list(next(iter(trackers.values())))
    heads = ["`tracked` frames: right, wrong (with .8 or more); right share", *trackers]
    lines = [table_row(heads), table_row(["---"] * len(heads))]
    for name in sets:
        cells = []
        for films in (of_sets[name] for of_sets in trackers.values()):
            table = figures(films)
            right = int(sum((film.right & (film.words == TRACKED)).sum() for film in films))
            low, high = (short(bound) for bound in interval(films, "right_tracked"))
            counts = f"{right:,}, {table['tracked_wrong']:,} ({table['tracked_wrong_high']:,})"
            cells.append(f"{counts}; {short(table['right_tracked'])} [{low}, {high}]")
        lines.append(table_row([name, *cells]))
    return "\n".join(lines)


def table_row(cells: Iterable[str]) -> str:
    """A row of a table in Markdown."""
    return "| " + " | ".join(cells) + " |"


def short(share: float, digits: int = 3) -> str:
    """As the page writes shares: .985, and a dash where there is none."""
    text = f"{share:.{digits}f}"
    return "–" if text == "nan" else {"0.0": "0", "1.0": "1"}.get(text, text.lstrip("0"))
