"""How long a frame takes while the target is tracked, and while it is lost."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from calib.research.longterm.judge import Run
from runtime.search.budget import Budget

GROUPS = {"start": (), "tracked": ("tracked", "unsure", "found"), "lost": ("lost",)}
PERCENTILES = (50, 95, 99)
TOLERANCE = 1.2  # of a limit, for what nobody can foresee


def by_state(runs: Sequence[Run]) -> dict[str, Any]:
    """dict of a group -> dict of ``frames``, ``p50_ms``, ``p95_ms``, ``p99_ms``, ``worst_ms``.

    ``processor_p99_ms`` and ``processor_worst_ms`` are the processor's time. Where the worst time
    is far above it, something else ran meanwhile. ``repeated_worst_ms`` is the worst frame by
    ``Run.least_ms``. Where the processor's worst is far above that, it was worst in one round only.

    Args:
        runs: list of ``judge.Run``. The first frame, in which the target is given,
            is the group "start".
    """
    found = {}
    for group, states in GROUPS.items():
        chosen = [np.isin(run.states, states) & (np.arange(len(run.ms)) > 0) for run in runs]
        if group == "start":
            chosen = [np.arange(len(run.ms)) == 0 for run in runs]
        ms, processor_ms, least_ms = (
            np.concatenate([getattr(run, name)[rows] for run, rows in zip(runs, chosen)])
            for name in ("ms", "processor_ms", "least_ms")
        )
        if len(ms):
            names = (f"p{percent}_ms" for percent in PERCENTILES)
            found[group] = dict(
                zip(names, np.percentile(ms, PERCENTILES).tolist()),
                frames=len(ms),
                worst_ms=float(ms.max()),
                processor_p99_ms=float(np.percentile(processor_ms, 99)),
                processor_worst_ms=float(processor_ms.max()),
                repeated_worst_ms=float(least_ms.max()),
            )
    return found


def text(entries: dict[str, Any]) -> str:
    """A table.

    Args:
        entries: dict of a tracker's name -> what ``by_state`` gives.
    """
    wide = max(len(name) for name in entries) + 2
    keys = [f"p{percent}_ms" for percent in PERCENTILES] + ["worst_ms"]
    keys += ["processor_p99_ms", "processor_worst_ms", "repeated_worst_ms"]
    titles = ["frames"] + [key.replace("_", " ").replace("processor", "cpu") for key in keys[:-1]]
    titles.append("in all rounds")
    lines = [" " * (wide + 8) + "".join(f"{title:>14}" for title in titles)]
    for name, groups in entries.items():
        for group, row in groups.items():
            cells = ["{:d}".format(row["frames"])] + [f"{row[key]:.2f}" for key in keys]
            start = name.ljust(wide) + group.ljust(8)
            lines.append(start + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)


def over_budget(runs: Sequence[Run], budget_ms: float | None = None) -> str:
    """A sentence: how many frames with a lost target took longer than the budget and a fifth of it.

    The limit of a frame is the one that the search has, by the frames that were tracked before. The
    sentence states the median of these limits.

    Args:
        runs: as in ``by_state``.
        budget_ms: of the search; None for its share of a tracked frame's time.
    """
    limits = np.concatenate([_limits(run, budget_ms)[1:] for run in runs])
    is_lost = np.concatenate([run.states[1:] == "lost" for run in runs])
    lost = is_lost & np.isfinite(limits)
    if not lost.any():
        return ""
    counts = []
    for name in ("ms", "processor_ms", "least_ms"):
        times = np.concatenate([getattr(run, name)[1:] for run in runs])
        counts.append(int((times[lost] > limits[lost] * TOLERANCE).sum()))
    limit = float(np.median(limits[lost]))
    return (
        "limit {:.2f} ms, with a fifth more {:.2f} ms; of {} lost frames {} took longer, {} in "
        "processor time, {} in every round".format(limit, limit * TOLERANCE, lost.sum(), *counts)
    )


def _limits(run: Run, budget_ms: float | None) -> np.ndarray:
    """What each frame of a run was allowed to take, ms; NaN before the first tracked frame."""
    budget, limits = Budget(budget_ms), np.full(len(run.ms), np.nan)
    is_tracked, known = np.isin(run.states, GROUPS["tracked"]), False
    for index in range(1, len(run.ms)):
        if known:
            limits[index] = budget.limit_ms
        if is_tracked[index]:
            budget.tracked(float(run.ms[index]))
            known = True
    return limits
