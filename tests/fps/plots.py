"""The report's plots: over time with the sensors below, histograms, over commits (matplotlib)."""

import base64
import io

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from tests.fps import evidence as files

matplotlib.use("Agg")

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3fbf", "#8c6d31")
WIDE = 11  # inches
FEW = 4  # results; so many are plotted in milliseconds
TALLEST = 4.0  # medians
SHOWN = 99.5  # percentile where the time axis ends, so that a few frames do not flatten the rest


def image(chart, words):
    """Return a figure as an <img> element that holds its own data."""
    data = io.BytesIO()
    chart.savefig(data, format="png", dpi=110)
    return '<p><img alt="{}" src="data:image/png;base64,{}"></p>'.format(
        words.replace('"', "'").replace("<", ""), base64.b64encode(data.getvalue()).decode()
    )


def clip_names(evidence):
    """Names of the clips that have results."""
    return sorted({result["clip"] for result in evidence["results"] if result["rounds"]})


def over_time(evidence):
    """Plot frame times, and below them temperature, clocks and load at the same times."""
    rows = [row for row in (_temperatures, _clocks, _loads) if row(evidence, None)]
    chart = Figure(figsize=(WIDE, 3.6 + 1.6 * len(rows)))
    axes = np.atleast_1d(
        chart.subplots(
            1 + len(rows), 1, sharex=True, gridspec_kw={"height_ratios": [2.4] + [1] * len(rows)}
        )
    )
    results = [result for result in evidence["results"] if result["rounds"]]
    _frames(axes[0], results)
    for place, row in zip(axes[1:], rows):
        row(evidence, place)
    axes[-1].set_xlabel("seconds since the start")
    for place in axes:
        place.grid(alpha=0.3)
    chart.tight_layout()
    return chart


def _frames(place, results):
    """Plot each frame as a dot. Many results are plotted as multiples of their medians."""
    relative = len(results) > FEW
    highest, placed = 0.0, []
    for result in results:
        times, ms = _placed(result)
        placed.append((times, ms / np.median(ms) if relative else ms))
        highest = max(highest, 1.1 * _top(placed[-1][1]))
    for index, (result, (times, values)) in enumerate(zip(results, placed)):
        place.plot(
            times,
            values,
            ".",
            markersize=2,
            alpha=0.5,
            color=_colour(index),
            label=files.name_of(result),
        )
    above = sum(int((values > highest).sum()) for _, values in placed)
    words = "time of a frame /\nmedian of its kind" if relative else "ms a frame"
    place.set(ylabel=words, ylim=(0, highest or 1))
    if above:
        place.set_title(f"{above} frames are above the picture", fontsize=8, loc="right")
    _legend(place, max(1, len(results)), markerscale=5)


def _top(values):
    """Return where an axis ends. A note counts the frames above it."""
    return float(min(np.percentile(values, SHOWN), TALLEST * np.median(values)))


def _colour(index):
    """Return distinct colours: eight, then the same ones darker."""
    red, green, blue = to_rgb(COLOURS[index % len(COLOURS)])
    shade = 0.55 if index // len(COLOURS) % 2 else 1.0
    return red * shade, green * shade, blue * shade


def _legend(place, count, **more):
    """Put the legend above the plot, so that it covers no data."""
    place.legend(
        fontsize=7,
        loc="lower left",
        bbox_to_anchor=(0, 1.01),
        frameon=False,
        ncol=1 if count < 4 else 2 if count < 9 else 3,
        **more,
    )


def _placed(result):
    """Seconds since the start and ms of each frame of a result."""
    times, ms = [], []
    for entry in result["rounds"]:
        own = np.array(entry["ms"]["total"])
        # spread the frames over their round: the time between them is not recorded
        times.append(entry["started_s"] + np.cumsum(own) / max(own.sum(), 1e-9) * entry["seconds"])
        ms.append(own)
    return np.concatenate(times), np.concatenate(ms)


def _lines(evidence, place, keys, label, factor=1.0):
    """Plot the keys that occur in the samples. Return whether there are any."""
    samples = evidence["samples"]
    known = [k for k in keys if any(s.get(k) is not None for s in samples)]
    if place is not None:
        times = [sample["time_s"] for sample in samples]
        for index, key in enumerate(known):
            values = [np.nan if s.get(key) is None else s[key] * factor for s in samples]
            place.plot(
                times,
                values,
                "-",
                linewidth=1.4,
                marker=".",
                color=_colour(index),
                label=key.rsplit("_", 1)[0].replace("_", " "),
            )
        place.set_ylabel(label)
        place.margins(y=0.15)
        place.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return bool(known)


def _keys(evidence, ending):
    return sorted({k for sample in evidence["samples"] for k in sample if k.endswith(ending)})


def _temperatures(evidence, place):
    keys = [k for k in _keys(evidence, "_temp_c") if k.startswith(("hottest", "gpu", "cpu", "tj"))]
    return _lines(evidence, place, keys[:5], "°C")


def _clocks(evidence, place):
    return _lines(evidence, place, ("gpu_clock_hz", "emc_clock_hz", "cpu0_clock_hz"), "MHz", 1e-6)


def _loads(evidence, place):
    found = _lines(evidence, place, ["own_cores", "other_cores"], "processors busy")
    if found and place is not None:
        place.set_ylim(bottom=0)
    return found


def histograms(evidence, clip):
    """Frame times of each result on a clip, on one axis; p95 is marked."""
    results = [r for r in evidence["results"] if r["rounds"] and r["clip"] == clip]
    chart = Figure(figsize=(WIDE, 1.1 + 0.55 * len(results)))
    axes = np.atleast_1d(chart.subplots(len(results), 1, sharex=True, gridspec_kw={"hspace": 0.0}))
    all_ms = [np.concatenate(files.totals(result)) for result in results]
    top = max(_top(ms) for ms in all_ms)
    bins = np.linspace(0, top, 140)
    for index, (place, result, ms) in enumerate(zip(axes, results, all_ms)):
        place.hist(ms, bins, color=_colour(index))
        place.axvline(np.median(ms), color="#000", linewidth=1)
        place.axvline(np.percentile(ms, 95), color="#000", linewidth=1, linestyle=":")
        place.set_yticks([])
        place.set_ylabel(
            "{network}\n{precision}, {engine[engine]}".format(**result),
            rotation=0,
            ha="right",
            va="center",
            fontsize=8,
        )
    axes[0].set_title(f"{clip}: median (line), p95 (dotted)", fontsize=9)
    axes[-1].set_xlabel("ms a frame")
    chart.tight_layout()
    return chart


def over_commits(rows):
    """Median frame time of each result, run after run; hollow where the run was invalid."""
    runs = list(dict.fromkeys(row["run"] for row in rows))
    labels = {}
    for row in rows:
        changed = "+" if row["dirty"] else ""
        labels[row["run"]] = (row["commit_id"] or "unknown")[:8] + changed
    chart = Figure(figsize=(WIDE, 4.2))
    place = chart.subplots()
    names = list(dict.fromkeys(row["result"] for row in rows))
    for index, name in enumerate(names):
        own = [row for row in rows if row["result"] == name]
        colour = _colour(index)
        x = [runs.index(row["run"]) for row in own]
        place.plot(x, [row["median_ms"] for row in own], "-", color=colour, linewidth=1, label=name)
        for spot, row in zip(x, own):
            face = "none" if row["verdict"] == "invalid" else colour
            place.plot(spot, row["median_ms"], "o", color=colour, markerfacecolor=face)
    place.set_xticks(range(len(runs)))
    place.set_xticklabels([labels[run] for run in runs], rotation=45, ha="right", fontsize=8)
    place.set(ylabel="ms a frame, median", ylim=(0, 1.1 * max(row["median_ms"] for row in rows)))
    place.set_xlim(-0.5, len(runs) - 0.5)
    _legend(place, len(names))
    place.set_title("hollow: invalid; +: with changes in no commit", fontsize=8, loc="right")
    place.grid(alpha=0.3)
    chart.tight_layout()
    return chart
