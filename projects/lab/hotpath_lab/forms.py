"""Refuse rows of four numbers that are not x,y,w,h, by their values."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hotpath.base.errors import HotpathError

Convert = Callable[[np.ndarray], np.ndarray]
LESS = 0.5  # of the overlap of another form, which x,y,w,h have at most
FORMS: dict[str, Convert] = {  # what the rows may be -> their x,y,w,h
    "the corners x1,y1,x2,y2": lambda rows: _between(rows[:, :2], rows[:, 2:]),
    "the corners y1,x1,y2,x2": lambda rows: _between(rows[:, 1::-1], rows[:, :1:-1]),
    "the centre of the box and its size": lambda rows: (
        rows - rows[:, [2, 3, 2, 3]] * (0.5, 0.5, 0, 0)
    ),
    "y,x,h,w": lambda rows: rows[:, [1, 0, 3, 2]],
}


def _between(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    return np.concatenate([first, last - first], axis=1)


def check(
    path: Path, fit: Callable[[Convert], float], least: float, by: str, error: type[HotpathError]
) -> float:
    """Refuse rows that fit what is known of them clearly better in another form.

    Args:
        path: of the rows.
        fit: function that gives the overlap of what is known with the rows that a function made
            x,y,w,h, 0 to 1.
        least: overlap of rows that are of another form.
        by: what is known.
        error: the class of the refusal.

    Returns:
        the overlap of x,y,w,h.
    """
    own, others = fit(np.asarray), {form: fit(convert) for form, convert in FORMS.items()}
    best = max(others, key=lambda form: others[form])
    if others[best] >= least and own <= LESS * others[best]:
        raise error(
            f"{path}: its rows are {best}, by {by} (overlap {others[best]:.2f}, and {own:.2f} as "
            "x,y,w,h); write x,y,w,h",
            what="another form",
            where=path,
        )
    return own
