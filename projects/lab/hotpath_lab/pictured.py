"""An evaluation for the eye: one HTML file with plots, a table, and pictures of the worst clips."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hotpath.app.report.document import POLICY, STYLE
from hotpath.base import cache
from hotpath.base.commands import counted
from hotpath.calib.picture import pyplot
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.frames.pictures import bgr_of
from hotpath_lab import metrics, state_metrics
from hotpath_lab.report import COLOURS, PLOTTED, Table

WORST, SHOWN = 5, 6  # clips, and frames of each
STRIP_PX = 220  # height of a frame
TRUE, PREDICTED = (80, 220, 60), (60, 60, 235)  # BGR
WORD_COLOURS = {"tracked": "#2f9e4f", "unsure": "#e8930c", "lost": "#d23b3b"}
# drawn in a chart in place of the colours of the page, which follow the viewer's light or dark mode
INK, SOFT, CARD, LINE = "#010203", "#010204", "#010205", "#010206"
PAGE_COLOURS = {INK: "ink", SOFT: "soft", CARD: "card", LINE: "line", COLOURS[0]: "accent"}
UNSAID = ("Creator", "Date", "Format", "Type")  # what an SVG says about its origin by default
SIZE = 5.4, 3.9  # of a chart, inches
CHART = {
    "svg.fonttype": "none",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": LINE,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": LINE,
    "legend.facecolor": CARD,
    "legend.edgecolor": LINE,
    "legend.framealpha": 0.85,
    "lines.linewidth": 1.8,
}
MORE_STYLE = """
td,th{padding:4px 14px 4px 0;text-align:right;font-variant-numeric:tabular-nums}
td:first-child,th:first-child{text-align:left;color:var(--ink)}th{color:var(--soft);font-weight:600}
tbody tr{border-top:1px solid var(--line)}svg text{font-family:inherit!important}
.charts{display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}
@media(max-width:760px){td,th{padding-right:9px;font-size:.86rem}.charts svg{min-width:0}}
.charts svg{max-width:580px}
.strip{display:block;width:auto;height:auto;max-width:none;border-radius:8px}
i.true{background:#3cdc50}i.predicted{background:#eb3c3c}
"""
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
    first, *others = table["trackers"]
    clips_counted = counted(table["trackers"][first]["mean"]["clips"], "clip")
    title = first if not others else counted(len(table["trackers"]), "tracker")
    parts = [f"<header><h1>Evaluation of {html.escape(title)} on {clips_counted}</h1></header>"]
    parts.append(_section("Mean of all clips", _table(table)))
    with pyplot().rc_context(CHART):
        parts.append(_section("Success and precision", _curves(table)))
        if any(entry["mean"].get("ms") for entry in table["trackers"].values()):
            parts.append(_section("Speed against accuracy", _speed(table)))
        messages = {n: entry["words"] for n, entry in table["trackers"].items() if entry["words"]}
        if messages:
            finds = [f"<p>{html.escape(_finds(name, one))}</p>" for name, one in messages.items()]
            parts.append(_section("What the words are worth", _words(messages), *finds))
    figures = table["trackers"][first]["clips"]
    there = [clip for clip in clips if clip.name in results and clip.name in figures]
    there.sort(key=lambda clip: figures[clip.name]["ao"])
    strips = []
    for clip in there[:WORST]:
        strip = _strip(clip, np.asarray(results[clip.name]["boxes"], float))
        name = f"{clip.name}: mean overlap {figures[clip.name]['ao']:.3f}"
        strips.append(f'<h3>{html.escape(name)}</h3><div class="wide">{_image(strip, name)}</div>')
    if strips:
        legend = '<li><i class="true"></i>true box</li><li><i class="predicted"></i>predicted</li>'
        legend = f'<ul class="words">{legend}</ul>'
        parts.append(_section(f"The worst clips of {first}", legend, *strips))
    body = "\n".join(parts)
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Evaluation</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}{MORE_STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )
    cache.write_text(path, text)
    return path


def _section(title: str, *content: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2>{''.join(content)}</section>"


def _table(table: Table) -> str:
    titles = "".join(f"<th>{title}</th>" for title, _, _ in COLUMNS)
    rows = []
    for name, entry in table["trackers"].items():
        values = [(entry["mean"].get(key), form) for _, key, form in COLUMNS]
        cells = "".join(f"<td>{'' if v is None else form.format(v)}</td>" for v, form in values)
        rows.append(f"<tr><td>{html.escape(name)}</td>{cells}</tr>")
    head = f"<thead><tr><th>tracker</th>{titles}</tr></thead>"
    return f'<div class="wide"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _curves(table: Table) -> str:
    plt = pyplot()
    ranked = sorted(table["trackers"].items(), key=lambda item: -item[1]["mean"]["success"])
    kinds = (
        ("success", metrics.SUCCESS, "overlap threshold"),
        ("precision", metrics.PRECISION_PX, "distance of the centres, px"),
    )
    drawn = []
    for key, x, label in kinds:
        chart, axes = plt.subplots(figsize=SIZE)
        for (name, entry), colour in zip(ranked[:PLOTTED], COLOURS * 9):
            text = f"{entry['mean'][key]:.3f}  {name}"
            axes.plot(x, entry["curves"][key], color=colour, label=text)
        axes.set(xlabel=label, ylabel="share of frames", ylim=(0, 1), xlim=(x[0], x[-1]))
        axes.grid()
        axes.legend(fontsize=9 if len(ranked) < 10 else 7)
        drawn.append(_drawn(plt, chart))
    return _charts(*drawn)


def _speed(table: Table) -> str:
    plt = pyplot()
    chart, axes = plt.subplots(figsize=SIZE)
    for (name, entry), colour in zip(table["trackers"].items(), COLOURS * 9):
        mean = entry["mean"]
        if mean.get("ms"):
            axes.plot(mean["ms"], mean["success"], "o", color=colour)
            axes.annotate(
                name,
                (mean["ms"], mean["success"]),
                xytext=(7, -3),
                textcoords="offset points",
            )
    axes.margins(0.12)
    axes.set(xlabel="milliseconds a frame", ylabel="success AUC")
    axes.grid()
    return _charts(_drawn(plt, chart))


def _words(messages: Mapping[str, Mapping[str, Any]]) -> str:
    """A reliability plot of the presence, and right and wrong frames of each word."""
    plt = pyplot()
    reliability, left = plt.subplots(figsize=SIZE)
    left.plot((0, 1), (0, 1), "--", color=SOFT, label="as it should be")
    middles = (np.arange(state_metrics.BINS) + 0.5) / state_metrics.BINS
    for (name, figures), colour in zip(messages.items(), COLOURS * 9):
        shares = [share if count else np.nan for count, share in figures["presence"]]
        left.plot(middles, shares, "o-", color=colour, label=name)
    left.set(xlabel="presence", ylabel="share of right boxes", xlim=(0, 1), ylim=(0, 1))
    left.grid()
    left.legend(fontsize=9)
    shares_of_words, right = plt.subplots(figsize=SIZE)
    places, labels = [], []
    for group, (name, figures) in enumerate(messages.items()):
        for each, word in enumerate(state_metrics.WORDS):
            place = group * (len(state_metrics.WORDS) + 0.5) + each
            share = figures[f"share_{word}"]
            good = share * np.nan_to_num(figures[f"right_{word}"])
            right.bar(place, good, color=WORD_COLOURS[word])
            right.bar(place, share - good, bottom=good, color=WORD_COLOURS[word], alpha=0.3)
            places.append(place)
            labels.append(f"{word}\n{name}" if word == state_metrics.WORDS[1] else word)
    right.set_xticks(places, labels, fontsize=9 if len(messages) < 3 else 6)
    right.set(ylabel="share of frames", ylim=(0, 1))
    right.set_title("pale: the box is wrong", fontsize=10)
    return _charts(_drawn(plt, reliability), _drawn(plt, shares_of_words))


def _finds(name: str, figures: Mapping[str, Any]) -> str:
    right, wrong = figures["finds_right"], figures["finds_wrong"]
    return f"{name}: re-acquisitions: {right:.0f} correct, {wrong:.0f} wrong."


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


def _drawn(plt: Any, chart: Any) -> str:
    """A chart as SVG that takes its colours and its letters from the page."""
    file = io.StringIO()
    chart.savefig(file, format="svg", bbox_inches="tight", metadata=dict.fromkeys(UNSAID))
    plt.close(chart)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for colour, name in PAGE_COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    return text


def _charts(*drawn: str) -> str:
    """Charts side by side, or below each other on a narrow screen."""
    return f'<div class="charts">{"".join(drawn)}</div>'


def _image(picture: bytes, text: str) -> str:
    data = base64.b64encode(picture).decode("ascii")
    return f'<img class="strip" alt="{html.escape(text)}" src="data:image/jpeg;base64,{data}">'
