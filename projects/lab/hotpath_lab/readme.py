"""README's table of networks, written from the CSV of ``hotpath evaluate --benchmark public``."""

import csv
from collections.abc import Mapping
from pathlib import Path

NETWORKS = (
    "kestrel:int8",
    "kestrel_fast:int8",
    "nanotrack_v2",
    "nanotrack_v3",
    "lightfc",
    "TrackerNano",
)
Means = dict[str, dict[str, dict[str, str]]]  # tracker -> group -> column -> value
ALL, UNSEEN = "all", "unseen"
MEAN = "mean of "
# of the frames that show the target: it claims a box that misses it; it claims nothing
DRIFT, SILENT = "dre", "nre"


def read(path: Path) -> Means:
    """Return the means of a table.csv."""
    means: Means = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if row["clip"] == "mean" or row["clip"].startswith(MEAN):
                group = ALL if row["clip"] == "mean" else row["clip"][len(MEAN) :]
                means.setdefault(row["tracker"], {})[group] = row
    return means


def table(means: Means, ms: Mapping[str, float] = {}) -> str:
    """Return Markdown: AUC and its interval, that of unseen sequences, drift and time.

    Args:
        means: what ``read`` returns. The first tracker is the default, with which the unseen
            sequences compare the others.
        ms: tracker -> milliseconds of a frame; those of the evaluation where it lacks one.
    """
    first = next(iter(means.values()))
    counts = first[ALL]["clips"], first.get(UNSEEN, {}).get("clips") or "0"
    drift = DRIFT in first[ALL]
    titles = [
        "tracker",
        f"AUC, {counts[0]} sequences",
        f"its {counts[1]} unseen, and the difference to the default",
        *(["of the frames that show it: `tracked`; beside it"] if drift else []),
        "ms",
    ]
    lines = [titles, ["---"] * len(titles)]
    for name, groups in means.items():
        whole, unseen = groups[ALL], groups.get(UNSEEN, {})
        took = ms.get(name) or float(whole.get("ms") or "nan")
        lines.append(
            [
                f"**{shown(name)}, the default**" if groups is first else shown(name),
                figure(whole, "success") + between(whole, "success"),
                figure(unseen, "success") + difference(unseen),
                *([_drift(whole)] if drift else []),
                f"{took:.2f}" if took == took else "–",
            ]
        )
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _drift(row: Mapping[str, str]) -> str:
    return f"{_percent(1 - float(row[SILENT]), 0)}; {_percent(row[DRIFT], 1)}"


def _percent(share: str | float, digits: int) -> str:
    return f"{100 * float(share):.{digits}f} %"


def shown(name: str) -> str:
    """A tracker's name as README writes it."""
    if name == "TrackerNano":
        return "OpenCV's TrackerNano"
    return f"`{name[:-5]}`, INT8" if name.endswith("-int8") else f"`{name}`"


def figure(row: Mapping[str, str], key: str, sign: str = "") -> str:
    """A share without its leading zero; "–" where there is none."""
    value = row.get(key)
    return f"{float(value):{sign}.3f}".replace("0.", ".").replace("-", "−") if value else "–"


def between(row: Mapping[str, str], key: str, sign: str = "") -> str:
    """The 95 % interval in brackets, with a blank before; empty where there is none."""
    if not row.get(key + "_low"):
        return ""
    return f" [{figure(row, key + '_low', sign)}, {figure(row, key + '_high', sign)}]"


def difference(row: Mapping[str, str]) -> str:
    """The paired difference to the first tracker, with a comma before; empty for the first."""
    if not row.get("difference"):
        return ""
    return ", " + figure(row, "difference", "+") + between(row, "difference", "+")
