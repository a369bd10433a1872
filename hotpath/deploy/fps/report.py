"""Reports of runs, in Markdown."""

from typing import List

from hotpath.deploy.fps import Evidence, Result
from hotpath.deploy.fps.evidence import figures_of

HEADS = ("network", "precision", "engine", "FPS", "median ms", "p95 ms", "p99 ms")
PARTS = ("crop", "network", "select", "alone")  # of a frame, and the network by itself; medians


def described(evidence: Evidence) -> str:
    """A run's title and its table."""
    state = "invalid" if evidence["invalid"] else "ok"
    if evidence["run"]["rounds"] == 1:
        state = "one round"
    table = [[*HEADS, *(f"{part} ms" for part in PARTS)]]
    table += [_row(result) for result in evidence["results"] if result["rounds"]]
    widths = [max(map(len, column)) for column in zip(*table)]
    table.insert(1, ["-" * width for width in widths])
    lines = [" | ".join(map(str.ljust, row, widths)) for row in table]
    return "\n".join(
        [f"**{title(evidence)}**: {state}", "", *(f"| {line} |" for line in lines), ""]
    )


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


def _row(result: Result) -> List[str]:
    """A row of the table; a part that was not timed is empty."""
    steps = figures_of(result)
    total = steps["total"]
    row = [result["network"], result["precision"], result["engine"]["engine"]]
    row.append("{fps:.1f}".format(**total))
    row += [f"{total[key]:.3f}" for key in ("median", "p95", "p99")]
    return row + ["{median:.3f}".format(**steps[p]) if p in steps else "" for p in PARTS]
