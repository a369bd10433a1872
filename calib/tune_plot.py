"""Draw a search: how the best score rose, and the score over each parameter."""

import numpy as np

from calib.report import COLOURS, pyplot


def write(report, path):
    """Write a PNG of what NAME-tune.json holds."""
    plt = pyplot()
    names, history = list(report["best"]), report["history"]
    scores = np.array([entry["score"] for entry in history])
    chart, axes = plt.subplots(1, 1 + len(names), figsize=(4 + 3.4 * len(names), 3.6), dpi=110)
    first = axes[0]
    first.plot(range(1, len(scores) + 1), scores, "o", color="#8888", markersize=4)
    first.plot(range(1, len(scores) + 1), np.maximum.accumulate(scores), color=COLOURS[0])
    first.axhline(scores[0], color="#888", linewidth=1, linestyle=":")
    first.set(xlabel="trial", ylabel="{} on the searched clips".format(report["goal"].upper()))
    first.set_title("best so far; dotted: the network's own", fontsize=9)
    for axis, name in zip(axes[1:], names):
        values = [entry[name] for entry in history]
        shown = axis.scatter(values, scores, c=range(len(scores)), cmap="viridis", s=16)
        axis.axvline(report["start"][name], color="#888", linewidth=1, linestyle=":")
        axis.plot(
            report["best"][name], report["score"]["best"], "*", color=COLOURS[1], markersize=13
        )
        axis.set(xlabel=name)
    chart.colorbar(shown, ax=axes[-1], label="trial")
    for axis in axes:
        axis.grid(alpha=0.3)
    held = report["score_held_out"]
    chart.suptitle(
        "{}: held-out clips {:.3f} before, {:.3f} after".format(
            report["network"], held["start"], held["best"]
        ),
        fontsize=10,
    )
    chart.tight_layout()
    chart.savefig(path)
    plt.close(chart)
