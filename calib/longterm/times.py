"""How long a frame takes while the target is tracked, and while it is lost."""

import numpy as np

GROUPS = {"start": (), "tracked": ("tracked", "unsure", "found"), "lost": ("lost",)}
PERCENTILES = (50, 95, 99)


def by_state(runs):
    """dict of a group -> dict of ``frames``, ``p50_ms``, ``p95_ms``, ``p99_ms``, ``worst_ms``.

    Args:
        runs: list of ``calib.longterm.judge.Run``. The first frame, in which the target is given,
            is the group "start".
    """
    found = {}
    for group, states in GROUPS.items():
        if group == "start":
            ms = np.array([run.ms[0] for run in runs])
        else:
            ms = np.concatenate([run.ms[1:][np.isin(run.states[1:], states)] for run in runs])
        if len(ms):
            found[group] = {"frames": len(ms), "worst_ms": float(ms.max())}
            names = ("p{}_ms".format(percent) for percent in PERCENTILES)
            found[group].update(zip(names, np.percentile(ms, PERCENTILES).tolist()))
    return found


def text(entries):
    """A table.

    Args:
        entries: dict of a tracker's name -> what ``by_state`` gives.
    """
    wide = max(len(name) for name in entries) + 2
    titles = ("frames", "p50 ms", "p95 ms", "p99 ms", "worst ms", "worst / p50")
    lines = [" " * (wide + 8) + "".join("{:>12}".format(title) for title in titles)]
    for name, groups in entries.items():
        for group, row in groups.items():
            cells = ["{:d}".format(row["frames"])]
            cells += ["{:.2f}".format(row["p{}_ms".format(percent)]) for percent in PERCENTILES]
            cells += ["{:.2f}".format(row["worst_ms"])]
            cells += ["{:.2f}".format(row["worst_ms"] / row["p50_ms"])]
            start = name.ljust(wide) + group.ljust(8)
            lines.append(start + "".join("{:>12}".format(cell) for cell in cells))
    return "\n".join(lines)
