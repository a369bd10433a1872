"""Write the report of a run, in Markdown."""

from typing import Dict, List

from hotpath.deploy.fps import Evidence, Result
from hotpath.deploy.fps.evidence import figures_of

TEXTS = ("network", "precision", "engine")
PARTS = ("crop", "network", "select", "alone")  # of a frame, and the network by itself; medians
ALONE = (
    "alone ms is no part of a frame: its library runs the network's file by itself between the "
    "frames, which shows how fast this computer was during the run."
)
HEADS = (*TEXTS, "FPS", "median ms", "p95 ms", "p99 ms", *(f"{part} ms" for part in PARTS))


def describe_run(evidence: Evidence) -> str:
    """A run's title and its table."""
    state = "invalid" if evidence["invalid"] else "ok"
    if evidence["run"]["rounds"] == 1:
        state = "one round"
    rows = [_row(result) for result in evidence["results"] if result["rounds"]]
    columns = []
    for head in HEADS:
        if any(head in row for row in rows):
            columns.append(_column(head, [row.get(head, "") for row in rows]))
    lines = [f"| {' | '.join(cells)} |" for cells in zip(*columns)]
    if any("alone ms" in row for row in rows):
        lines += ["", ALONE]
    return "\n".join([f"**{title(evidence)}**: {state}", "", *lines, *([""] if lines else [])])


def _column(head: str, cells: List[str]) -> List[str]:
    """A column of Markdown, all of one width: texts stand on the left, numbers on the right."""
    width = max(map(len, [head, *cells]))
    if head in TEXTS:
        return [head.ljust(width), "-" * width, *(cell.ljust(width) for cell in cells)]
    return [head.rjust(width), "-" * (width - 1) + ":", *(cell.rjust(width) for cell in cells)]


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


def _row(result: Result) -> Dict[str, str]:
    """Column -> text of a row of the table, for what was timed."""
    steps = figures_of(result)
    total = steps["total"]
    row = {name: result[name] for name in ("network", "precision")}
    row.update(engine=result["engine"]["engine"], FPS="{fps:.1f}".format(**total))
    row.update({f"{key} ms": f"{total[key]:.3f}" for key in ("median", "p95", "p99")})
    for part in PARTS:
        if part in steps:
            row[f"{part} ms"] = "{median:.3f}".format(**steps[part])
    return row
