"""Write the HTML of a report, which contains its pictures and charts and loads nothing."""

import base64
import html
import os
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from hotpath.app.report.charts import FrameAxis, bars, curve, time_line
from hotpath.app.report.history import (
    DOUBT,
    FIND,
    GIVEN_UP,
    LOSS,
    SELECTED,
    RunEvent,
    RunHistory,
    TargetHistory,
)
from hotpath.base.messages import counted
from hotpath.runtime.types import STATES, SURE

CAPTIONS = {
    SELECTED: "selected",
    LOSS: "lost",
    FIND: "re-acquired",
    GIVEN_UP: "candidate given up",
    DOUBT: "still unsure",
}
OPTION = re.compile(r"(?<!\S)--?[\w-]+")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root{color-scheme:light dark;--ground:#eef1f4;--card:#fff;--line:#d3dae1;--ink:#12181f;
--soft:#53606d;--good:#2f9e4f;--warn:#e8930c;--bad:#d23b3b;--accent:#0b63ce;
font:16px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
@media(prefers-color-scheme:dark){:root{--ground:#0d1115;--card:#161c22;--line:#2e3842;
--ink:#eef3f7;--soft:#9dabb8;--good:#43b863;--warn:#ffab33;--bad:#f2635b;--accent:#62a8ff}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink)}
main{max-width:1180px;margin:auto;padding:24px 16px 48px;display:grid;gap:16px}
main>*{min-width:0}h1{font-size:1.6rem;margin:0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:0 0 8px}h3{font-size:1rem;margin:20px 0 6px}p{margin:0 0 8px}
.soft,figcaption span{color:var(--soft)}section{background:var(--card);padding:18px 20px;
border:1px solid var(--line);border-radius:12px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:12px;padding:0;
margin:0;background:none;border:0}.tiles div{background:var(--card);border:1px solid var(--line);
border-radius:12px;padding:10px 16px}.tiles b{display:block;font-size:1.5rem;line-height:1.2}
.tiles span{color:var(--soft);font-size:.9rem}svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font-size:12px}.end{text-anchor:end}.tick{text-anchor:middle}
.tracked{fill:var(--good)}.unsure{fill:var(--warn)}.lost{fill:var(--bad)}
.mark{fill:var(--ink)}.stem{stroke:var(--ink);stroke-width:1.5}.bar{fill:var(--accent)}
.grid{stroke:var(--line)}.limit{stroke:var(--good);stroke-dasharray:5 4}
.curve{fill:none;stroke:var(--accent);stroke-width:1.6}
.label{margin:12px 0 2px;font-weight:600;font-size:.92rem}
.words{display:flex;flex-wrap:wrap;gap:6px 20px;margin:0 0 10px;padding:0;list-style:none}
.words i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:7px}
i.tracked{background:var(--good)}i.unsure{background:var(--warn)}i.lost{background:var(--bad)}
.events{display:flex;flex-wrap:wrap;gap:16px;align-items:start}
figure{margin:0;border:1px solid var(--line);border-radius:10px;overflow:hidden}
figure .pair{display:flex;gap:2px}
.shot,figure img{display:block;width:160px;height:160px;background-size:cover;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
figure.found{border-color:var(--good)}figure.lost{border-color:var(--bad)}
figure.unsure{border-color:var(--warn)}
summary{display:block;cursor:pointer}figure img.whole{width:min(480px,84vw);height:auto}
figcaption{padding:7px 11px;font-weight:600;font-size:.92rem}figcaption span{font-weight:400}
.none{display:grid;place-content:center;text-align:center;color:var(--soft);font-size:.85rem}
.first{width:100%;max-width:720px;height:auto;border-radius:8px;display:block;max-height:62vh;
object-fit:contain;object-position:0 0}
pre{overflow:auto;padding:12px 14px;background:var(--ground);border-radius:8px;margin:0 0 12px;
white-space:pre-wrap;overflow-wrap:anywhere}table{border-collapse:collapse}
td{padding:3px 18px 3px 0;vertical-align:top;overflow-wrap:anywhere}
td:first-child{color:var(--soft)}
svg.line{height:30px}svg.bars{max-width:620px}.wide{overflow-x:auto}figure{width:min-content}.word{white-space:nowrap}
@media(max-width:760px){.wide svg{min-width:640px}}
@media(max-width:480px){.shot,figure img{width:42vw;height:42vw}section{padding:14px}}
"""


class ReportFacts(NamedTuple):
    """What a report says besides the history of its targets.

    Attributes:
        source: name of what was tracked.
        settings: rows of a table, name and value.
        command: a command that repeats the run, or "".
        fps: frames a second of the run, or None.
        steps: rows of (step, median, p95), milliseconds.
    """

    source: str
    settings: Sequence[Tuple[str, str]] = ()
    command: str = ""
    fps: Optional[float] = None
    steps: Sequence[Tuple[str, float, float]] = ()


def document(history: RunHistory, facts: ReportFacts) -> str:
    """The whole file, as text.

    Args:
        history: of all targets.
        facts: what else is known of the run.
    """
    selected = [
        (number, past.events[0].picture)
        for number, past in sorted(history.targets.items())
        if past.events and past.events[0].picture
    ]
    style = STYLE + "".join(
        f".s{number}{{background-image:url({_data(picture)})}}" for number, picture in selected
    )
    title = html.escape(f"{facts.source} - Hotpath report")
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{style}</style></head><body><main>",
        *_head(history, facts),
    ]
    axis = FrameAxis(history.first or 0, history.last or 0)
    for number, past in sorted(history.targets.items()):
        parts += _target(number, past, axis)
    parts += _times(facts) + _settings(history, facts)
    return "\n".join([*parts, "</main></body></html>", ""])


def _head(history: RunHistory, facts: ReportFacts) -> List[str]:
    name = os.path.basename(facts.source.rstrip("/")) or facts.source
    parts = [f'<header><h1 title="{html.escape(facts.source)}">{html.escape(name)}</h1>']
    parts.append(f"<p>{html.escape(verdict(history))}</p>")
    parts.append("</header>")
    losses = sum(past.count(LOSS) for past in history.targets.values())
    finds = sum(past.count(FIND) for past in history.targets.values())
    count = len(history.targets)
    tiles = [(f"{history.frames:,}", "frames"), (str(count), "target" if count == 1 else "targets")]
    tiles += [(str(losses), "time lost" if losses == 1 else "times lost")]
    tiles += [(str(finds), "re-acquisition" if finds == 1 else "re-acquisitions")]
    given_up = sum(past.count(GIVEN_UP) for past in history.targets.values())
    if given_up:
        name = "candidate" if given_up == 1 else "candidates"
        tiles.append((str(given_up), f"{name} given up"))
    if facts.fps:
        tiles.append((f"{facts.fps:.0f}", "frames a second"))
    tracking = [median for step, median, _ in facts.steps if step == "tracking"]
    if tracking:
        tiles.append((f"{tracking[0]:.2f} ms", "tracking, median"))
    row = "".join(f"<div><b>{value}</b><span>{name}</span></div>" for value, name in tiles)
    parts.append(f'<section class="tiles">{row}</section>')
    if history.overview:
        parts.append(
            "<section><h2>Where it began</h2>"
            f'<img class="first" alt="the first frame with its boxes" '
            f'src="{_data(history.overview)}"></section>'
        )
    return parts


def verdict(history: RunHistory) -> str:
    """One sentence for each target: how much of its frames has which word."""
    sentences = []
    for number, past in sorted(history.targets.items()):
        shares = [f"{word} in {share:.1%}" for word, share in _shares(past).items() if share]
        sentences.append(f"{_name(number, past)} was {', '.join(shares)} of its frames.")
    return " ".join(sentences) or "No target was selected."


def _shares(past: TargetHistory) -> Dict[str, float]:
    count = max(1, len(past.words))
    return {word: past.words.count(place) / float(count) for place, word in enumerate(STATES)}


def _name(number: int, past: TargetHistory) -> str:
    return f"Target {number}" + (f" ({past.name})" if past.name else "")


def _target(number: int, past: TargetHistory, axis: FrameAxis) -> List[str]:
    shares = _shares(past)
    legend = "".join(
        f'<li><i class="{word}"></i>{word} {share:.1%}</li>' for word, share in shares.items()
    )
    marks = [(event.frame, _caption(event)) for event in past.events if event.kind == FIND]
    finds = "<li>▼ re-acquired</li>" if marks else ""
    size = past.size
    parts = [
        f"<section><h2>{html.escape(_name(number, past))}</h2>",
        f'<ul class="words">{legend}{finds}</ul>',
        time_line(axis, past.frames, past.words, marks),
        '<div class="wide">',
        curve(axis, past.frames, past.presence, "presence", top=1.0, mark=SURE),
        curve(axis, past.frames, size, "size (square root of the box's area)", "pixels"),
        curve(axis, past.frames, past.speed, "speed of the box's centre", "pixels a second"),
        "</div>",
    ]
    parts.append("<h3>Then and now: is it the same object?</h3>")
    if any(event.whole for event in past.events):
        parts.append('<p class="soft">Click on a picture for the whole frame.</p>')
    if len(past.events) == 1:
        parts.append(
            '<p class="soft">The target was never lost and not unsure for long, so there is only '
            "its first picture.</p>"
        )
    figures = [_figure(number, event) for event in past.events]
    parts.append(f'<div class="events">{"".join(figures)}</div></section>')
    return parts


def _figure(number: int, event: RunEvent) -> str:
    """An event: its picture, beside the one with which the target was selected."""
    first = f'<div class="shot s{number}" role="img" aria-label="as it was selected"></div>'
    if event.kind == SELECTED:
        pair = first
    elif event.picture:
        pair = f'{first}<img alt="{CAPTIONS[event.kind]}" src="{_data(event.picture)}">'
    else:
        pair = first + '<div class="shot none">no picture:<br>too many events</div>'
    name = CAPTIONS[event.kind]
    rest = _caption(event)[len(name) :]
    caption = f"<figcaption>{name}<span>{rest}</span></figcaption>"
    card = f'<div class="pair">{pair}</div>{caption}'
    if event.whole:  # a click on the card shows it
        whole = f'<img class="whole" alt="the whole frame" src="{_data(event.whole)}">'
        card = f"<details><summary>{card}</summary>{whole}</details>"
    return f'<figure class="{event.kind}">{card}</figure>'


def _caption(event: RunEvent) -> str:
    at = "" if event.time_s is None else f", {event.time_s:.1f} s"
    return f"{CAPTIONS[event.kind]} in frame {event.frame}{at}"


def _times(facts: ReportFacts) -> List[str]:
    rows = [(step, median, f"{median:.2f} ms (p95 {p95:.2f})") for step, median, p95 in facts.steps]
    return ["<section><h2>Milliseconds of each step</h2>", f"{bars(rows)}</section>"]


def _settings(history: RunHistory, facts: ReportFacts) -> List[str]:
    width, height = history.size
    rows = [("source", facts.source)]
    rows.append(("frames", f"{counted(history.frames, 'frame')} of {width} x {height}"))
    rows += list(facts.settings)
    table = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
        for name, value in rows
    )
    parts = ["<section><h2>Settings</h2>"]
    if facts.command:
        parts.append("<p>This command repeats the run:</p>")
        # a browser would break a line within "--"
        command = OPTION.sub(r'<span class="word">\g<0></span>', html.escape(facts.command))
        parts.append(f"<pre>{command}</pre>")
    parts.append(f"<table>{table}</table></section>")
    return parts


def _data(picture: bytes) -> Any:
    """A JPEG as an address that holds it."""
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")
