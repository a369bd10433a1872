"""An evaluation for the eye: one HTML file with plots, a table, and pictures of the worst clips."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hotpath.base import cache
from hotpath.calib.picture import pyplot
from hotpath.runtime.boxes import overlap
from hotpath.runtime.pictures import bgr_of
from hotpath_lab import metrics, words
from hotpath_lab.report import COLOURS, PLOTTED, Table

WORST, SHOWN = 5, 6  # clips, and frames of each
STRIP_PX = 220  # height of a frame
TRUE, PREDICTED = (80, 220, 60), (60, 60, 235)  # BGR
WORD_COLOURS = {"tracked": "#2f9e4f", "unsure": "#e8930c", "lost": "#d23b3b"}
STYLE = (
    ":root{color-scheme:light dark;font:16px/1.45 system-ui,sans-serif}body{margin:auto;"
    "max-width:1180px;padding:16px}section{margin:24px 0}img{max-width:100%;background:#fff;"
    "border-radius:8px}table{border-collapse:collapse}td,th{padding:4px 14px 4px 0;"
    "text-align:right}td:first-child,th:first-child{text-align:left}.wide{overflow-x:auto}"
)
COLUMNS = (
    ("AUC", "success", "{:.3f}"),
    ("from", "success_low", "{:.3f}"),
    ("to", "success_high", "{:.3f}"),
    ("precision, 20 px", "precision", "{:.3f}"),
    ("AO", "ao", "{:.3f}"),
    ("ms", "ms", "{:.2f}"),
)


def write(
    table: Table, clips: Sequence[Any], results: Mapping[str, Mapping[str, Any]], path: Path
) -> Path:
    """Write the report.

    Args:
        table: of ``hotpath_lab.figures``.
        clips: those that were followed; their frames are read again.
        results: clip -> the stored result of the first tracker. Clips without one have no strip.
        path: of the file.
    """
    parts = ["<h1>Evaluation</h1>", _table(table), "<section><h2>Success and precision</h2>"]
    parts += [_image(_curves(table)), "</section>"]
    if any(entry["mean"].get("ms") for entry in table["trackers"].values()):
        parts += ["<section><h2>Speed against accuracy</h2>", _image(_speed(table)), "</section>"]
    said = {name: entry["words"] for name, entry in table["trackers"].items() if entry["words"]}
    if said:
        parts += ["<section><h2>What the words are worth</h2>", _image(_words(said))]
        parts += [f"<p>{html.escape(_finds(name, one))}</p>" for name, one in said.items()]
        parts.append("</section>")
    first = next(iter(table["trackers"]))
    figures = table["trackers"][first]["clips"]
    there = [clip for clip in clips if clip.name in results and clip.name in figures]
    there.sort(key=lambda clip: figures[clip.name]["ao"])
    if there:
        parts.append(f"<section><h2>The worst clips of {html.escape(first)}</h2>")
        parts.append("<p>Green: the true box. Red: the predicted one.</p>")
    for clip in there[:WORST]:
        strip = _strip(clip, np.asarray(results[clip.name]["boxes"], float))
        title = f"{clip.name}: mean overlap {figures[clip.name]['ao']:.3f}"
        parts.append(f"<h3>{html.escape(title)}</h3>{_image(strip, 'jpeg', title)}")
    body = "\n".join(parts)
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Evaluation</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    )
    cache.write_text(path, text)
    return path


def _table(table: Table) -> str:
    titles = "".join(f"<th>{title}</th>" for title, _, _ in COLUMNS)
    rows = []
    for name, entry in table["trackers"].items():
        values = [(entry["mean"].get(key), form) for _, key, form in COLUMNS]
        cells = "".join(f"<td>{'' if v is None else form.format(v)}</td>" for v, form in values)
        rows.append(f"<tr><td>{html.escape(name)}</td>{cells}</tr>")
    body = f"<tr><th>tracker</th>{titles}</tr>{''.join(rows)}"
    return f'<section class="wide"><table>{body}</table></section>'


def _curves(table: Table) -> bytes:
    plt = pyplot()
    chart, places = plt.subplots(1, 2, figsize=(11, 4), dpi=100)
    ranked = sorted(table["trackers"].items(), key=lambda item: -item[1]["mean"]["success"])
    kinds = (
        ("success", metrics.SUCCESS, "overlap threshold"),
        (
            "precision",
            metrics.PRECISION_PX,
            "distance of the centres, px",
        ),
    )
    for axes, (key, x, label) in zip(places, kinds):
        for (name, entry), colour in zip(ranked[:PLOTTED], COLOURS * 9):
            text = f"{entry['mean'][key]:.3f}  {name}"
            axes.plot(x, entry["curves"][key], color=colour, label=text)
        axes.set(xlabel=label, ylabel="share of frames", ylim=(0, 1), xlim=(x[0], x[-1]))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    return _drawn(plt, chart)


def _speed(table: Table) -> bytes:
    plt = pyplot()
    chart, axes = plt.subplots(figsize=(7, 4), dpi=100)
    for (name, entry), colour in zip(table["trackers"].items(), COLOURS * 9):
        mean = entry["mean"]
        if mean.get("ms"):
            axes.plot(mean["ms"], mean["success"], "o", color=colour)
            axes.annotate(name, (mean["ms"], mean["success"]), fontsize=8)
    axes.set(xlabel="milliseconds a frame", ylabel="success AUC")
    axes.grid(alpha=0.3)
    return _drawn(plt, chart)


def _words(said: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A reliability plot of the presence, and right and wrong frames of each word."""
    plt = pyplot()
    chart, (left, right) = plt.subplots(1, 2, figsize=(11, 4), dpi=100)
    left.plot((0, 1), (0, 1), "--", color="#999999", label="as it should be")
    middles = (np.arange(words.BINS) + 0.5) / words.BINS
    for (name, figures), colour in zip(said.items(), COLOURS * 9):
        shares = [share if count else np.nan for count, share in figures["presence"]]
        left.plot(middles, shares, "o-", color=colour, label=name)
    left.set(xlabel="presence", ylabel="share of right boxes", xlim=(0, 1), ylim=(0, 1))
    left.legend(fontsize=7)
    names = [f"{name}\n{word}" for name in said for word in words.WORDS]
    for place, (name, word) in enumerate((n, w) for n in said for w in words.WORDS):
        share = said[name][f"share_{word}"]
        good = share * np.nan_to_num(said[name][f"right_{word}"])
        right.bar(place, good, color=WORD_COLOURS[word])
        right.bar(place, share - good, bottom=good, color=WORD_COLOURS[word], alpha=0.3)
    right.set_xticks(range(len(names)), names, fontsize=7)
    right.set(ylabel="share of frames (pale: the box is wrong)", ylim=(0, 1))
    return _drawn(plt, chart)


def _finds(name: str, figures: Mapping[str, Any]) -> str:
    right, wrong = figures["finds_right"], figures["finds_wrong"]
    return f"{name}: {right:.0f} finds were right, {wrong:.0f} wrong."


def _strip(clip: Any, predicted: np.ndarray) -> bytes:
    """Frames of a clip side by side: evenly apart, and the one with the smallest overlap."""
    truth = np.asarray(clip.boxes, float)
    overlaps = np.array([overlap(a, b) for a, b in zip(truth, predicted)])
    known = np.flatnonzero(np.isfinite(overlaps) & np.isfinite(truth[: len(overlaps), 0]))
    wanted = {int(n) for n in np.linspace(0, len(overlaps) - 1, SHOWN - 1)}
    wanted |= {int(known[np.argmin(overlaps[known])])} if len(known) else set()
    pictures = []
    for index, frame in enumerate(clip):
        if index not in wanted:
            continue
        picture = bgr_of(frame).copy()
        line_px = max(1, picture.shape[0] // 160)
        for box, colour in ((truth[index], TRUE), (predicted[index], PREDICTED)):
            if np.isfinite(box).all():
                x, y, w, h = (int(round(value)) for value in np.clip(box, -16000, 16000))
                cv2.rectangle(picture, (x, y), (x + w, y + h), colour, line_px)
        width = max(1, int(picture.shape[1] * STRIP_PX / picture.shape[0]))
        picture = cv2.resize(picture, (width, STRIP_PX), interpolation=cv2.INTER_AREA)
        text = f"frame {index}"
        cv2.putText(picture, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3)
        cv2.putText(picture, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
        pictures.append(picture)
    return cv2.imencode(".jpg", np.hstack(pictures))[1].tobytes()


def _drawn(plt: Any, chart: Any) -> bytes:
    file = io.BytesIO()
    chart.savefig(file, format="png", bbox_inches="tight")
    plt.close(chart)
    return file.getvalue()


def _image(picture: bytes, kind: str = "png", text: str = "") -> str:
    data = base64.b64encode(picture).decode("ascii")
    return f'<img alt="{html.escape(text)}" src="data:image/{kind};base64,{data}">'
