"""What a network loses where pictures are poor: the report of ``hotpath evaluate --degrade``.

A loss is the change of a sequence's AUC from the clip to its degraded copy, on the same frames. Its
mean over the sequences has the 95 % interval of the bootstrap over sequences.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hotpath_lab import metrics
from hotpath_lab.degrade import Degradation
from hotpath_lab.figures import FEWEST, interval

Results = Mapping[str, Mapping[str, Any]]  # clip's name -> what ``hotpath_lab.follow`` returns
COLUMNS = ("tracker", "degradation", "clips", "auc", "change", "low", "high", "median", "worst")


def auc(boxes: ArrayLike, truth: np.ndarray) -> float:
    """The area under the success curve of a sequence."""
    return float(np.mean(metrics.curves(boxes, truth)["success"]))


def row(
    name: str,
    clean: Results,
    poor: Results,
    clips: Sequence[Any],
    copies: Sequence[Any],
    degradation: Degradation,
) -> dict[str, Any]:
    """The losses of a tracker by a degradation.

    Args:
        clean, poor: its results on the clips and on their copies.
        clips, copies: in the same order, with ``name`` and ``boxes``.

    Returns:
        dict of ``COLUMNS``, where ``auc`` is that on the copies, and ``of_clips``: clip's name ->
        (AUC on the clip, on its copy). ``low`` and ``high`` are None with few clips.
    """
    pairs = {}
    for clip, copy in zip(clips, copies):
        frames = degradation.frames(clip.boxes)
        kept = np.asarray(clean[clip.name]["boxes"])[frames]
        pairs[clip.name] = auc(kept, clip.boxes[frames]), auc(poor[clip.name]["boxes"], copy.boxes)
    changes = [after - before for before, after in pairs.values()]
    low, high = interval(changes) if len(changes) >= FEWEST else (None, None)
    return {
        "tracker": name,
        "degradation": degradation.name,
        "clips": len(changes),
        "auc": float(np.mean([after for _, after in pairs.values()])),
        "change": float(np.mean(changes)),
        "low": low,
        "high": high,
        "median": float(np.median(changes)),
        "worst": float(np.min(changes)),
        "of_clips": pairs,
    }


def text(clean: Mapping[str, float], rows: Sequence[Mapping[str, Any]]) -> str:
    """A table as lines of text: AUC on the clips, then each change with its interval.

    Args:
        clean: tracker -> mean AUC on the clips.
        rows: of ``row``.
    """
    names = list(dict.fromkeys(row["degradation"] for row in rows))
    of = {(row["tracker"], row["degradation"]): row for row in rows}
    lines = [
        "{:<28}{:>7}".format("AUC, and its change", "clean") + "".join(f"{n:>24}" for n in names)
    ]
    for tracker, value in clean.items():
        cells = "".join(f"{_cell(of[tracker, name]):>24}" for name in names)
        lines.append(f"{tracker:<28}{value:>7.3f}" + cells)
    return "\n".join(lines)


def _cell(row: Mapping[str, Any]) -> str:
    if row["low"] is None:
        return f"{row['change']:+.3f}"
    return f"{row['change']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def write(clean: Mapping[str, float], rows: Sequence[Mapping[str, Any]], out: Path) -> list[Path]:
    """Write robustness.csv and robustness.json; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / "robustness.csv", out / "robustness.json"]
    with open(paths[0], "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    paths[1].write_text(json.dumps({"clean": dict(clean), "rows": list(rows)}, indent=1))
    return paths
