"""Reports of runs, in Markdown."""

import pathlib
from typing import List, Optional, Sequence

from hotpath.deploy.fps import compare
from hotpath.deploy.fps.evidence import Evidence
from hotpath.kernels import cache

HEAD = (
    "network|precision|engine|clip|FPS|median ms|p95|p99|jitter|crop ms|network ms|select ms|"
    "alone ms|sustained FPS|mJ/frame"
).split("|")


def write(
    out: pathlib.Path,
    runs: Sequence[Evidence],
    comparisons: Sequence[compare.Named],
    refused: Optional[str],
    is_quick: bool = False,
) -> pathlib.Path:
    out.mkdir(parents=True, exist_ok=True)
    path = out / "report.md"
    cache.write_text(path, markdown(runs, comparisons, refused, is_quick))
    return path


def cells(evidence: Evidence) -> List[List[str]]:
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
        for step in ("crop", "network", "select", "alone"):
            row.append("{:.3f}".format(steps[step]["median"]) if step in steps else "")
        for key, form in (("sustained_fps", "{:.1f}"), ("energy_mj", "{:.2f}")):
            row.append("" if figures[key] is None else form.format(figures[key]))
        table.append(row)
    return table


def title(evidence: Evidence) -> str:
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


def markdown(
    runs: Sequence[Evidence],
    comparisons: Sequence[compare.Named],
    refused: Optional[str],
    is_quick: bool = False,
) -> str:
    """Return tables for a README and the terminal, without columns that are empty.

    Args:
        is_quick: whether it is one short round, which is compared with nothing.
    """
    lines = []
    for evidence in runs:
        table = [HEAD, *cells(evidence)]
        keep = [c for c in range(len(HEAD)) if any(row[c] for row in table[1:])] or [0]
        widths = {c: max(len(row[c]) for row in table) for c in keep}
        rows = [
            [row[c].rjust(widths[c]) if c > 3 else row[c].ljust(widths[c]) for c in keep]
            for row in table
        ]
        rows.insert(1, ["-" * (widths[c] - 1) + (":" if c > 3 else "-") for c in keep])
        state = "one short round" if is_quick else evidence["verdict"]["state"]
        lines += ["**{}**: {}".format(title(evidence), state), ""]
        lines += ["| {} |".format(" | ".join(row)) for row in rows] + [""]
        for reason in evidence["verdict"]["reasons"]:
            lines.append("- {}: {text}".format("warn" if is_quick else reason["state"], **reason))
        lines.append("")
    lines += ["- " + compare.sentence(*pair) for pair in comparisons]
    return "\n".join(lines + (["- not compared: " + refused] if refused else [])) + "\n"
