"""Reports of runs, in Markdown."""

import pathlib
from typing import Dict, List, Sequence

from hotpath.base import cache
from hotpath.deploy.fps import Evidence, Result
from hotpath.deploy.fps.stats import figures_of

TEXTS = ("network", "precision", "engine")
PARTS = ("crop", "network", "select", "alone")  # of a frame, and the network by itself
HEADS = (*TEXTS, "FPS", "median ms", "p95 ms", "p99 ms", *(f"{part} ms" for part in PARTS))


def write(out: pathlib.Path, runs: Sequence[Evidence], lines: Sequence[str]) -> str:
    """Write ``out/report.md``, and return its text.

    Args:
        out: folder.
        runs: evidence of each run.
        lines: what was concluded.
    """
    parts = [part for evidence in runs for part in _described(evidence)]
    text = "\n".join(parts + [f"- {line}" for line in lines]) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    cache.write_text(out / "report.md", text)
    return text


def title(evidence: Evidence) -> str:
    """Board, mode, clocks and commit in one line."""
    before, run = evidence["before"], evidence["run"]
    held = sorted(part for part, locked in before["locked"].items() if locked)
    parts = ["{} ({})".format(before["board"], before["model"] or "no model name")]
    if before["power_mode"]:
        parts.append("mode {}".format(before["power_mode"]))
    parts.append("clocks held: {}".format(", ".join(held)) if held else "clocks not held")
    commit = (run["commit"] or "no commit")[:10] + (" with changes" if run["dirty"] else "")
    return "; ".join(parts + [commit, run["started"]])


def _described(evidence: Evidence) -> List[str]:
    """Lines on a run: its title, its table, and why it does not count."""
    rows = [_row(result) for result in evidence["results"] if result["rounds"]]
    heads = [head for head in HEADS if any(head in row for row in rows)]
    table = [heads, *([row.get(head, "") for head in heads] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    marks = ["<" if head in TEXTS else ">" for head in heads]
    table.insert(1, ["-" * (w - 1) + ("-" if m == "<" else ":") for m, w in zip(marks, widths)])
    grid = [[f"{c:{m}{w}}" for c, m, w in zip(row, marks, widths)] for row in table]
    lines = ["| {} |".format(" | ".join(row)) for row in grid if rows]
    state = "invalid" if evidence["invalid"] else "ok"
    if evidence["run"]["rounds"] == 1:
        state = "one round"
    reasons = [f"- {reason}" for reason in evidence["invalid"]]
    return [f"**{title(evidence)}**: {state}", "", *lines, "", *reasons, ""]


def _row(result: Result) -> Dict[str, str]:
    """A row of the table: column -> text."""
    steps = figures_of(result)
    total = steps["total"]
    row = dict(result, engine=result["engine"]["engine"], FPS="{fps:.1f}".format(**total))
    row.update({f"{key} ms": f"{total[key]:.3f}" for key in ("median", "p95", "p99")})
    row.update(
        {f"{part} ms": "{median:.3f}".format(**steps[part]) for part in PARTS if part in steps}
    )
    return {head: row[head] for head in HEADS if head in row}
