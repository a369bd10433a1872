"""How long a frame takes while the target is tracked, and while it is lost."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from calib.research.longterm.judge import Run

GROUPS = {"start": (), "tracked": ("tracked", "unsure", "found"), "lost": ("lost",)}
PERCENTILES = (50, 95, 99)


def by_state(runs: Sequence[Run]) -> dict[str, Any]:
    """dict of a group -> dict of ``frames``, ``p50_ms``, ``p95_ms``, ``p99_ms``, ``worst_ms``.

    ``processor_p99_ms`` and ``processor_worst_ms`` are the processor's time. Where the worst time
    is far above it, something else ran meanwhile. The first frame, in which the target is given,
    is the group "start".
    """
    found = {}
    for group, states in GROUPS.items():
        chosen = [np.isin(run.states, states) & (np.arange(len(run.ms)) > 0) for run in runs]
        if group == "start":
            chosen = [np.arange(len(run.ms)) == 0 for run in runs]
        ms, processor_ms = (
            np.concatenate([getattr(run, name)[rows] for run, rows in zip(runs, chosen)])
            for name in ("ms", "processor_ms")
        )
        if len(ms):
            names = (f"p{percent}_ms" for percent in PERCENTILES)
            found[group] = dict(
                zip(names, np.percentile(ms, PERCENTILES).tolist()),
                frames=len(ms),
                worst_ms=float(ms.max()),
                processor_p99_ms=float(np.percentile(processor_ms, 99)),
                processor_worst_ms=float(processor_ms.max()),
            )
    return found


def text(entries: dict[str, Any]) -> str:
    """A table.

    Args:
        entries: dict of a tracker's name -> what ``by_state`` gives.
    """
    wide = max(len(name) for name in entries) + 2
    keys = [f"p{percent}_ms" for percent in PERCENTILES] + ["worst_ms"]
    keys += ["processor_p99_ms", "processor_worst_ms"]
    titles = ["frames"] + [key.replace("_", " ").replace("processor", "cpu") for key in keys]
    lines = [" " * (wide + 8) + "".join(f"{title:>14}" for title in titles)]
    for name, groups in entries.items():
        for group, row in groups.items():
            cells = ["{:d}".format(row["frames"])] + [f"{row[key]:.2f}" for key in keys]
            start = name.ljust(wide) + group.ljust(8)
            lines.append(start + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)
