"""Write an evaluation as text, CSV, JSON and a page with plots and pictures."""

import csv
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from calib import metrics
from calib.clips import Clip
from calib.errors import Missing
from calib.figures import ALL, Tracked

FILES = ("report.html", "table.csv", "evaluation.json")
COSTS = ("mflops", "parameters_m")  # published figures that are not accuracy
MOMENTS = 3  # pictures a clip
PICTURE_HEIGHT = 270  # pixels
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3fbf", "#8c6d31")
TRUTH = "#ffffff"
WHOLE_GROUPS = (ALL, "unseen")  # of which every figure is printed, not AUC alone
PLOTTED = 20  # curves in a plot: ours, and the best of the others
COLUMNS = (
    ("clips", "clips", "{:.0f}"),
    ("ao", "AO", "{:.3f}"),
    ("sr50", "SR50", "{:.3f}"),
    ("sr75", "SR75", "{:.3f}"),
    ("success", "AUC", "{:.3f}"),
    ("success_low", "AUC from", "{:.3f}"),
    ("success_high", "to", "{:.3f}"),
    ("precision", "Prec. 20 px", "{:.3f}"),
    ("norm_precision", "Norm. prec.", "{:.3f}"),
    ("fps", "FPS", "{:.0f}"),
    ("ms", "ms", "{:.2f}"),
    ("crop_ms", "crop ms", "{:.3f}"),
    ("network_ms", "network ms", "{:.3f}"),
    ("select_ms", "select ms", "{:.3f}"),
    ("skipped", "late frames", "{:.0f}"),
    ("difference", "to first", "{:+.3f}"),
    ("difference_low", "from", "{:+.3f}"),
    ("difference_high", "to", "{:+.3f}"),
    ("verdict", "verdict", "{}"),
)

STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1280px; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p.note { opacity: .75; margin-top: .2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
.key { display: inline-block; width: .8em; height: .8em; margin-right: .45em; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
.plots img { width: 32%; min-width: 300px; background: #fff; border-radius: 6px; }
figure { margin: 0; } figcaption { font-size: .85rem; opacity: .8; }
.moments { display: flex; flex-wrap: wrap; gap: .8rem; }
.moments img { max-width: 100%; height: auto; border-radius: 4px; }
"""


def write(
    table: dict[str, Any], clips: Sequence[Clip], tracked: Mapping[str, Tracked], out: Path
) -> None:
    """Write every file of ``FILES``, the plots and the pictures into the folder ``out``.

    Args:
        table: of ``calib.figures``.
        clips: of the table.
        tracked: the trackers; the pictures show boxes of those that ran here.
        out: the folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    colours = dict(zip(table["trackers"], COLOURS * 9))
    (out / "evaluation.json").write_text(json.dumps(table, indent=1))
    _write_csv(table, out / "table.csv")
    _plot_curves(table, colours, out)
    parts = [_head(table, colours)]
    ran = {name: entry.results for name, entry in tracked.items() if entry.engine}
    for clip in clips:
        boxes = {name: np.array(results[clip.name]["boxes"]) for name, results in ran.items()}
        parts.append(_clip_part(clip, boxes, colours, out))
    (out / "report.html").write_text(_page(parts))


def text(table: dict[str, Any]) -> str:
    """Return the means as lines of text: of all clips, of each group; AUC of each attribute."""
    columns, entries = _columns(table), table["trackers"].items()
    lines = []
    for group, names in table["groups"].items():
        if group not in WHOLE_GROUPS:
            continue
        lines += ["{:<32}".format(f"mean of {len(names)} clips, {group}") + _titles(columns)]
        for name, entry in entries:
            mean = _mean(entry, group)
            cells = ("{:>12}".format(_cell(mean, key, form)) for key, _, form in columns)
            lines.append(f"{name:<32}" + "".join(cells) + _published(entry))
    attributes = [group for group in table["groups"] if group not in WHOLE_GROUPS]
    if attributes:
        lines += ["{:<32}".format("AUC by attribute") + "".join(f"{a:>8}" for a in attributes)]
    for name, entry in entries if attributes else ():
        cells = (_cell(_mean(entry, group), "success", "{:.3f}") for group in attributes)
        lines.append(f"{name:<32}" + "".join(f"{cell:>8}" for cell in cells))
    return "\n".join(lines)


def _titles(columns: Sequence[tuple[str, str, str]]) -> str:
    return "".join(f"{title:>12}" for _, title, _ in columns)


def _mean(entry: dict[str, Any], group: str) -> dict[str, Any]:
    found: dict[str, Any] = entry["mean"] if group == ALL else entry["groups"][group]
    return found


def _published(entry: dict[str, Any]) -> str:
    """Return the end of a line: the accuracy that the network's authors publish."""
    told = {name: value for name, value in entry["published"].items() if name not in COSTS}
    if not told:
        return ""
    figures = ("{} {:g}".format(name.replace("_", " "), value) for name, value in told.items())
    return "   published: " + ", ".join(figures)


def _columns(table: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the columns for which some tracker has a figure."""
    means = [entry["mean"] for entry in table["trackers"].values()]
    return [c for c in COLUMNS if any(m.get(c[0]) for m in means) or c[0] in metrics.FIGURES]


def _cell(figures: dict[str, Any], key: str, form: str) -> str:
    value = figures.get(key)
    return "" if value is None or value != value else form.format(value)


def _write_csv(table: dict[str, Any], path: Path) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["tracker", "engine", "clip"] + [key for key, _, _ in COLUMNS])
        for name, entry in table["trackers"].items():
            means = {f"mean of {group}": mean for group, mean in entry["groups"].items()}
            for clip, figures in {**entry["clips"], "mean": entry["mean"], **means}.items():
                writer.writerow(
                    [name, entry["engine"], clip] + [figures.get(key, "") for key, _, _ in COLUMNS]
                )


# -- plots


def pyplot() -> Any:
    """Import matplotlib's pyplot, set up to draw into files."""
    try:
        import matplotlib
    except ImportError:
        raise Missing("the plots need matplotlib; run `pip install matplotlib`") from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def _plot_curves(table: dict[str, Any], colours: dict[str, str], out: Path) -> None:
    plt = pyplot()
    for key, x, label, figure in (
        ("success", metrics.SUCCESS, "overlap threshold", "success"),
        ("precision", metrics.PRECISION_PX, "distance of the centres, px", "precision"),
        ("norm_precision", metrics.NORMALISED, "distance / size of the target", "norm_precision"),
    ):
        chart, axes = plt.subplots(figsize=(5, 3.8), dpi=110)
        ranked = sorted(table["trackers"].items(), key=lambda item: -item[1]["mean"][figure])
        others = [name for name, entry in ranked if not entry["engine"]]
        hidden = others[max(0, PLOTTED - len(ranked) + len(others)) :]
        for name, entry in ranked:
            if name in hidden:
                continue
            axes.plot(
                x,
                entry["curves"][key],
                color=colours[name],
                linewidth=1.8 if entry["engine"] else 1.0,
                linestyle="-" if entry["engine"] else "--",
                label="{:.3f}  {}".format(entry["mean"][figure], name),
            )
        axes.set(xlabel=label, ylabel="share of frames", ylim=(0, 1), xlim=(x[0], x[-1]))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        chart.savefig(out / (key + ".png"), bbox_inches="tight")
        plt.close(chart)


def _plot_overlap(
    path: Path, ious: dict[str, np.ndarray], moments: Sequence[int], colours: dict[str, str]
) -> None:
    """Draw the overlap over the frames of one clip."""
    plt = pyplot()
    chart, axes = plt.subplots(figsize=(10.4, 1.7), dpi=110)
    for name, values in ious.items():
        axes.plot(values, color=colours[name], linewidth=1)
    for index in moments:
        axes.axvline(index, color="#888", linewidth=0.8, linestyle=":")
    count = len(next(iter(ious.values())))
    axes.set(ylim=(0, 1), xlim=(0, count - 1), ylabel="overlap", xlabel="frame")
    axes.grid(alpha=0.3)
    chart.tight_layout()
    chart.savefig(path)
    plt.close(chart)


# -- the page


def _page(parts: Sequence[str]) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Evaluation</title>'
        '<meta name="viewport" content="width=device-width"><style>{}</style>{}</html>\n'.format(
            STYLE, "".join(parts)
        )
    )


def _head(table: dict[str, Any], colours: dict[str, str]) -> str:
    frames = sum(clip["frames"] for clip in table["clips"])
    return (
        "<h1>Evaluation</h1><p class=note>{} trackers on {} clips, {} frames. Means over the "
        "clips; frames without the target are left out.</p>{}"
        "<h2>Curves</h2><div class=plots>{}</div>"
        "<h2>Mean overlap of each clip</h2>{}<h2>Clips</h2><p class=note>Dotted lines and "
        "pictures: the worst moments. The truth is drawn white.</p>"
    ).format(
        len(table["trackers"]),
        len(table["clips"]),
        frames,
        _mean_table(table, colours),
        "".join(
            f'<img src="{key}.png" alt="{key} curves">'
            for key in ("success", "precision", "norm_precision")
        ),
        _clip_table(table, colours),
    )


def _key(name: str, colours: dict[str, str]) -> str:
    return f'<span class=key style="background:{colours[name]}"></span>{html.escape(name)}'


def _mean_table(table: dict[str, Any], colours: dict[str, str]) -> str:
    columns = _columns(table)
    rows = [["tracker", "engine", *(title for _, title, _ in columns)]]
    for name, entry in table["trackers"].items():
        cells = (_cell(entry["mean"], key, form) for key, _, form in columns)
        rows.append([_key(name, colours), html.escape(entry["engine"]), *cells])
    return _html(rows)


def _clip_table(table: dict[str, Any], colours: dict[str, str]) -> str:
    entries = table["trackers"]
    rows = [["clip", "frames", *(_key(name, colours) for name in entries)]]
    for clip in table["clips"]:
        each = (entry["clips"].get(clip["name"], {}) for entry in entries.values())
        cells = (_cell(figures, "ao", "{:.3f}") for figures in each)
        rows.append([html.escape(clip["name"]), str(clip["frames"]), *cells])
    return _html(rows)


def _html(rows: Sequence[Sequence[str]]) -> str:
    """A table; the first row is its head."""
    lines = [
        "".join(f"<{tag}>{cell}</{tag}>" for cell in row)
        for row, tag in zip(rows, ["th"] + ["td"] * len(rows))
    ]
    return "<div class=wide><table><tr>{}</tr></table></div>".format("</tr><tr>".join(lines))


def _clip_part(
    clip: Clip,
    boxes: dict[str, np.ndarray],
    colours: dict[str, str],
    out: Path,
) -> str:
    """Return a clip's section: heading, overlap over time, pictures of the worst moments."""
    ious = {name: metrics.overlap(found, clip.boxes) for name, found in boxes.items()}
    moments = worst_moments(np.stack(list(ious.values())))
    folder = out / "clips"
    folder.mkdir(exist_ok=True)
    _plot_overlap(folder / (clip.name + ".png"), ious, moments, colours)
    figures = []
    for index in moments:
        name = f"{clip.name}-{index:05d}.jpg"
        cv2.imwrite(str(folder / name), picture(clip, index, boxes, colours))
        worst = min(ious, key=lambda n: ious[n][index])
        figures.append(
            f'<figure><img src="clips/{html.escape(name)}" alt=""><figcaption>frame {index}, '
            f"worst {html.escape(worst)} {ious[worst][index]:.2f}</figcaption>"
            "</figure>"
        )
    return '<h3>{0}</h3><img src="clips/{0}.png" alt="overlap" style="max-width:100%">'.format(
        html.escape(clip.name)
    ) + "<div class=moments>{}</div>".format("".join(figures))


def worst_moments(ious: np.ndarray, count: int = MOMENTS) -> list[int]:
    """Return the frames with the least mean overlap, at least a tenth of the clip apart, sorted.

    Args:
        ious: (trackers, frames), NaN where the target is absent.
    """
    absent = np.isnan(ious).any(axis=0)
    mean = np.where(absent, np.inf, np.where(np.isnan(ious), 0, ious).mean(axis=0))
    apart = max(1, ious.shape[1] // 10)
    found: list[int] = []
    while len(found) < count and np.isfinite(mean).any():
        index = int(np.argmin(mean))
        found.append(index)
        mean[max(0, index - apart) : index + apart + 1] = np.inf
    return sorted(found)


def picture(
    clip: Clip, index: int, boxes: dict[str, np.ndarray], colours: dict[str, str]
) -> np.ndarray:
    """Return the part of a frame that holds the truth and every tracker's box, with boxes drawn."""
    frame = clip[index]
    drawn = [(clip.boxes[index], TRUTH)] + [(b[index], colours[n]) for n, b in boxes.items()]
    x0, y0, x1, y1 = _view(np.array([box for box, _ in drawn]), frame.shape)
    scale = PICTURE_HEIGHT / (y1 - y0)
    view = cv2.resize(frame[y0:y1, x0:x1], (round((x1 - x0) * scale), PICTURE_HEIGHT))
    for width, black in ((3, True), (1, False)):
        for box, colour in drawn:
            low = ((box[:2] - (x0, y0)) * scale).round().astype(int)
            high = ((box[:2] + box[2:] - (x0, y0)) * scale).round().astype(int)
            bgr = tuple(int(colour[at : at + 2], 16) for at in (5, 3, 1))
            cv2.rectangle(view, low, high, (0, 0, 0) if black else bgr, width, cv2.LINE_AA)
    return view


def _view(boxes: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of a 4:3 part of the frame that shows all boxes and some scene."""
    height, width = shape[:2]
    low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    size = np.maximum((high - low) * 1.2, np.sqrt(boxes[0, 2] * boxes[0, 3]) * 5)
    tall = min(height, max(size[1], size[0] * 3 / 4, 60))
    wide = min(width, tall * 4 / 3)
    x0 = int(np.clip((low[0] + high[0] - wide) / 2, 0, width - wide))
    y0 = int(np.clip((low[1] + high[1] - tall) / 2, 0, height - tall))
    return x0, y0, x0 + int(wide), y0 + int(tall)
