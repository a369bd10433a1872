"""The figures of long-term tracking, in films in which the target goes away and comes back.

In each frame a tracker claims a box or claims none, and the target is present or absent.

| figure                 | what                                                     | as in  |
|------------------------|----------------------------------------------------------|--------|
| ``precision``          | mean overlap over the claimed frames, 0 while absent     | VOT-LT |
| ``recall``             | mean overlap over the frames with the target, 0 unclaimed| VOT-LT |
| ``f``                  | harmonic mean of both, as the tracker claims             | VOT-LT |
| ``found_in_30``        | share of returns found within 30 frames with the target  |        |
| ``frames_to_find``     | median of the frames with the target until then          |        |
| ``false_returns``      | claims that start wrong, for 1,000 absent frames         |        |
| ``claimed_while_gone`` | share of the absent frames that have a claim             |        |
| ``mean_overlap``       | of the box, whether claimed or not                       |        |

VOT-LT: Lukežič et al., "Now you see me: evaluating performance in long-term visual tracking",
2018.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hotpath.runtime.frames.boxes import overlap

FOUND = 0.4  # overlap from which on a target counts as found
WRONG = 0.1  # overlap below which a claim is wrong
GONE = 10  # frames without the target, after which its next frame is a return
WITHIN = 30  # frames with the target in which it should be found
COUNTS = ("returns", "in_time", "false", "absent", "claimed_absent")


class Judged:
    """One tracker on one film; every array has a value for each frame that counts.

    Args:
        boxes: (n, 4), what the tracker gave in every frame.
        claimed: (n,) bool, whether it claims that box.
        truth: (n, 4), NaN if the target is absent.
        visible: (n,) bool, False if the target is half hidden and no answer is wrong; None for all
            True. The first frame, in which the target was given, is left out in any case.

    Attributes:
        overlaps: 0 if the target is absent.
        present, claimed: bool.
        drawn: (n,) overlap of the box in each frame, whether claimed or not; NaN if absent.
    """

    def __init__(
        self,
        boxes: ArrayLike,
        claimed: ArrayLike,
        truth: ArrayLike,
        visible: ArrayLike | None = None,
    ) -> None:
        visible = np.ones(np.shape(truth)[:1], bool) if visible is None else np.array(visible, bool)
        visible[0] = False
        self.drawn = overlap(boxes, truth)[visible]
        self.present = np.isfinite(self.drawn)
        self.overlaps = np.where(self.present, self.drawn, 0.0)
        self.claimed = np.asarray(claimed, bool)[visible]

    def precision_recall(self) -> tuple[float, float]:
        """(precision, recall) of the claims.

        Without any claim they are 1 and 0, as in the toolkit; recall is NaN if the target is
        never there.
        """
        if not self.claimed.any():
            return 1.0, 0.0
        total = float(self.overlaps[self.claimed].sum())
        return total / int(self.claimed.sum()), _share(total, int(self.present.sum()))

    def returns(self) -> list[Any]:
        """Frames with the target until it was found, one number a return; ``inf`` where never.

        A return is a run of at least ``GONE`` frames with the target, after at least as many
        without it.
        """
        turns = np.flatnonzero(np.diff(self.present)) + 1
        edges = [0, *turns.tolist(), len(self.present)]
        runs = list(zip(edges[:-1], edges[1:]))
        waits = []
        for (gone, first), (_, end) in zip(runs[:-1], runs[1:]):
            if self.present[first] and first - gone >= GONE and end - first >= GONE:
                hits = self.claimed[first:end] & (self.overlaps[first:end] >= FOUND)
                waits.append(int(np.argmax(hits)) if hits.any() else math.inf)
        return waits

    def false_returns(self) -> int:
        """Number of claims that start after a frame without one, and start on something else."""
        before = np.concatenate([[True], self.claimed[:-1]])  # the film starts on the target
        return int((self.claimed & ~before & (self.overlaps < WRONG)).sum())

    def counts(self) -> dict[str, int]:
        """dict of ``COUNTS``, which add up over films."""
        waits = self.returns()
        return {
            "returns": len(waits),
            "in_time": sum(wait < WITHIN for wait in waits),
            "false": self.false_returns(),
            "absent": int((~self.present).sum()),
            "claimed_absent": int((~self.present & self.claimed).sum()),
        }


def figures(films: Sequence[Judged]) -> dict[str, Any]:
    """All figures of a list of ``Judged``, as a dict; NaN if there is nothing to measure.

    Precision and recall are means over the films, and F is made from those means, as in the
    toolkit. The other figures count the frames of all films together.
    """
    total = {key: sum(film.counts()[key] for film in films) for key in COUNTS}
    waits = [wait for film in films for wait in film.returns()]
    precision, recall = np.mean([film.precision_recall() for film in films], axis=0)
    drawn = [np.nanmean(film.drawn) for film in films if film.present.any()]
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f": f_score(precision, recall),
        "found_in_30": _share(total["in_time"], total["returns"]),
        "frames_to_find": float(np.median(waits)) if waits else math.nan,
        "false_returns": 1000 * _share(total["false"], total["absent"]),
        "claimed_while_gone": _share(total["claimed_absent"], total["absent"]),
        "mean_overlap": float(np.mean(drawn)) if drawn else math.nan,
        "returns": total["returns"],
        "absent": total["absent"],
    }


def f_score(precision: float, recall: float) -> float:
    """Harmonic mean of precision and recall; 0 if both are 0."""
    total = precision + recall
    return float(2 * precision * recall / total) if total else 0.0


def finite(value: Any) -> Any:
    """A report with None in place of what JSON has no number for."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
