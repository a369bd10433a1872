"""Reports of runs: a table for the terminal, Markdown, JUnit XML; the page is ``plots``'s and ours.

Plots need matplotlib (the extra ``fps``); without it, as on a board, the page has the tables alone
and says so: ``python -m tests.fps report EVIDENCE`` on a computer makes it whole.
"""

import html
import importlib
from xml.etree import ElementTree

from tests.fps import compare, history
from tests.fps import evidence as files

COLOURS = {
    "ok": "#1a7f4b",
    "warn": "#9a6700",
    "invalid": "#c1121f",
    "slower": "#c1121f",
    "faster": "#1a7f4b",
    "same": "#1a7f4b",
    "undecided": "#9a6700",
}
STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2rem; }
p.note { opacity: .75; margin-top: .2rem; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
.runs th:nth-child(-n+4), .runs td:nth-child(-n+4) { text-align: left; }
.mark { color: #fff; border-radius: 4px; padding: .05rem .5rem; font-weight: 600; }
img { max-width: 100%; background: #fff; border-radius: 6px; }
"""
HEAD = (
    "network",
    "precision",
    "engine",
    "clip",
    "FPS",
    "median ms",
    "p95",
    "p99",
    "jitter",
    "crop ms",
    "network ms",
    "select ms",
    "sustained FPS",
    "mJ/frame",
    "paced FPS",
    "paced median ms",
    "paced p95",
    "paced / flat out",
)


def write(out, runs, found, refused):
    """Write report.html, report.md and junit.xml into a folder. Return the names."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text(markdown(runs, found, refused), encoding="utf-8")
    ElementTree.ElementTree(junit(runs, found)).write(
        str(out / "junit.xml"), encoding="utf-8", xml_declaration=True
    )
    (out / "report.html").write_text(page(out, runs, found, refused), encoding="utf-8")
    return ["report.html", "report.md", "junit.xml"]


def cells(evidence):
    """Return the table's rows: lists of text, in the order of ``HEAD``."""
    table = []
    for result in evidence["results"]:
        if not result["rounds"]:
            continue
        steps, figures = result["figures"]["steps"], result["figures"]
        total = steps["total"]
        row = [
            result["network"],
            result["precision"],
            result["engine"]["engine"],
            result["clip"],
            "{:.1f}".format(total["fps"]),
        ]
        row += [f"{total[key]:.3f}" for key in ("median", "p95", "p99", "jitter")]
        for step in ("crop", "network", "select"):
            row.append("{:.3f}".format(steps[step]["median"]) if step in steps else "")
        for key, form in (("sustained_fps", "{:.1f}"), ("energy_mj", "{:.2f}")):
            row.append("" if figures[key] is None else form.format(figures[key]))
        table.append(row + _paced_cells(result, total["median"]))
    return table


def _paced_cells(result, flat_ms):
    """What frames at a camera's pace took, and how many times the time of frames in memory."""
    if "paced" not in result:
        return [""] * 4
    total = result["paced"]["figures"]["total"]
    return [
        "{:g}".format(result["paced"]["fps"]),
        "{:.3f}".format(total["median"]),
        "{:.3f}".format(total["p95"]),
        "{:.2f}".format(total["median"] / flat_ms),
    ]


def title(evidence):
    """Board, mode, clocks and commit in one line."""
    board, before, run = evidence["board"], evidence["before"], evidence["run"]
    mode = before["power_mode"]
    held = sorted(part for part, locked in before["locked"].items() if locked)
    parts = ["{} ({})".format(board["name"], board["model"] or "no model name")]
    if mode:
        parts.append("mode {}".format(mode["name"] or mode["id"]))
    parts.append("clocks held: {}".format(", ".join(held)) if held else "clocks not held")
    commit = (run["commit"] or "no commit")[:10] + (" with changes" if run["dirty"] else "")
    return "; ".join(parts + [commit, run["started"]])


def text(runs, found, refused):
    """Return the text for the terminal."""
    lines = []
    for evidence in runs:
        lines += ["", title(evidence)]
        table = [list(HEAD)] + cells(evidence)
        keep = [c for c in range(len(HEAD)) if any(row[c] for row in table[1:])] or [0]
        widths = {c: max(len(row[c]) for row in table) for c in keep}
        for row in table:
            lines.append(
                "  ".join(
                    row[c].ljust(widths[c]) if c < 4 else row[c].rjust(widths[c]) for c in keep
                )
            )
        lines.append("verdict: {}".format(evidence["verdict"]["state"]))
        lines += ["  {state}: {text}".format(**r) for r in evidence["verdict"]["reasons"]]
    lines += [compare.sentence(*pair) for pair in found]
    return "\n".join(lines + (["not compared: " + refused] if refused else []))


def markdown(runs, found, refused):
    """Return tables for a README."""
    lines = []
    for evidence in runs:
        table = [HEAD] + cells(evidence)
        lines += ["**{}**: {}".format(title(evidence), evidence["verdict"]["state"]), ""]
        for index, row in enumerate(table):
            lines.append("| {} |".format(" | ".join(row)))
            if index == 0:
                lines.append("|{}".format("---|" * 4 + "--:|" * (len(HEAD) - 4)))
        lines += [""] + ["- {state}: {text}".format(**r) for r in evidence["verdict"]["reasons"]]
        lines.append("")
    lines += ["- " + compare.sentence(*pair) for pair in found]
    lines += ["- not compared: " + refused] if refused else []
    return "\n".join(lines) + "\n"


def junit(runs, found):
    """Return JUnit's XML. A result is a test case; slower ones fail, invalid runs are errors."""
    compared = dict(found)
    evidence = runs[-1]
    suite = ElementTree.Element("testsuite", name="fps." + evidence["board"]["name"])
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    verdict = evidence["verdict"]
    for result in evidence["results"]:
        name = files.name_of(result)
        seconds = sum(r["seconds"] for r in result["rounds"])
        case = ElementTree.SubElement(
            suite, "testcase", classname=suite.get("name"), name=name, time=f"{seconds:.3f}"
        )
        counts["tests"] += 1
        decision = compared[name].decision if name in compared else None
        if verdict["state"] == "invalid":
            ElementTree.SubElement(case, "error", message=verdict["reasons"][0]["text"])
            counts["errors"] += 1
        elif decision == "slower":
            ElementTree.SubElement(case, "failure", message=compare.sentence(name, compared[name]))
            counts["failures"] += 1
        elif decision == "undecided":
            ElementTree.SubElement(case, "skipped", message=compare.sentence(name, compared[name]))
            counts["skipped"] += 1
    for key, count in counts.items():
        suite.set(key, str(count))
    return suite


# -- the page


def page(out, runs, found, refused):
    """Return the page with its plots."""
    parts = ["<h1>Frames per second</h1>"]
    parts += [f"<p>{_mark(c.decision)} {html.escape(compare.sentence(n, c))}</p>" for n, c in found]
    if refused:
        parts.append("<p>{}</p>".format(html.escape("Not compared: " + refused)))
    for evidence in runs:
        parts += _run_part(evidence)
    plots = _plots()
    if plots is None:
        parts.append(
            "<p class=note>Plots need matplotlib: run `python -m tests.fps report` on "
            "this evidence where it is installed.</p>"
        )
    else:
        for evidence in runs:
            parts.append("<h2>{}</h2>".format(html.escape("Over time: " + _short(evidence))))
            parts.append(plots.image(plots.over_time(evidence), "frame time and sensors over time"))
            for name in plots.clip_names(evidence):
                parts.append(plots.image(plots.histograms(evidence, name), "histograms, " + name))
        rows = history.rows(out, runs[-1]["board"]["name"])
        if rows:
            parts.append("<h2>Over commits</h2>")
            parts.append(plots.image(plots.over_commits(rows), "median frame time over commits"))
    return _document(parts)


def write_history(out, board):
    """Write history.html and return its path."""
    rows = history.rows(out, board)
    parts = ["<h1>Frames per second over commits</h1>"]
    plots = _plots()
    if plots is None:
        parts.append(f"<pre>{html.escape(history.text(out, board))}</pre>")
    else:
        for name in sorted({row["board"] for row in rows}):
            own = [row for row in rows if row["board"] == name]
            picture = plots.image(plots.over_commits(own), "history of " + name)
            parts.append(f"<h2>{html.escape(name)}</h2>{picture}")
    (out / "history.html").write_text(_document(parts), encoding="utf-8")
    return out / "history.html"


def _plots():
    """Return the module that draws, or None without matplotlib."""
    try:
        return importlib.import_module("tests.fps.plots")
    except ImportError:
        return None


def _run_part(evidence):
    table = cells(evidence)
    keep = [c for c in range(len(HEAD)) if any(row[c] for row in table)] or [0]
    rows = ["".join(f"<th>{HEAD[c]}</th>" for c in keep)]
    rows += ["".join(f"<td>{html.escape(row[c])}</td>" for c in keep) for row in table]
    verdict = evidence["verdict"]
    reasons = "".join(
        "<li>{} {}</li>".format(_mark(r["state"]), html.escape(r["text"]))
        for r in verdict["reasons"]
    )
    return [
        f"<h2>{html.escape(_short(evidence))}</h2><p class=note>{html.escape(title(evidence))}</p>",
        "<p>Verdict: {}</p><ul>{}</ul>".format(_mark(verdict["state"]), reasons),
        "<div class=wide><table class=runs>{}</table></div>".format(
            "".join(f"<tr>{row}</tr>" for row in rows)
        ),
    ]


def _short(evidence):
    side = {"base": "the other commit", "new": "this checkout"}.get(evidence["run"].get("side"))
    commit = (evidence["run"]["commit"] or "no commit")[:10]
    return "{} on {}{}".format(commit, evidence["board"]["name"], ", " + side if side else "")


def _mark(word):
    return f'<span class=mark style="background:{COLOURS[word]}">{word}</span>'


def _document(parts):
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>FPS</title>'
        '<meta name="viewport" content="width=device-width"><style>{}</style>{}</html>\n'.format(
            STYLE, "".join(parts)
        )
    )
