"""The table of backbones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEAD = (
    "backbone",
    "channels",
    "parameters, M",
    "MMAC",
    "activations, M",
    "element-wise",
    "branches",
    "grouped",
)


def stem(name: str) -> str:
    """Name of a backbone's files."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name.replace("timm:", "", 1))


def key(each: dict[str, Any]) -> float:
    """The least median of a row, milliseconds; the table is sorted by it."""
    return float(
        min(found["median"] for engine in each["ms"].values() for found in engine.values())
    )


def boards_of(rows: list[dict[str, Any]]) -> list[str]:
    """The FPGA boards that all rows were compiled for."""
    return [board for board in rows[0]["cycles"] if all(board in each["cycles"] for each in rows)]


def cells(each: dict[str, Any], boards: Sequence[str]) -> list[str]:
    """The texts of a row: figures, milliseconds by engine and precision, cycles by board."""
    found = [
        each["name"],
        str(each["channels"]),
        f"{each['parameters'] / 1e6:.2f}",
        f"{(each['macs'] or 0) / 1e6:.0f}",
        f"{each['activations'] / 1e6:.1f}",
        str(each["elementwise"]),
        str(each["branches"]),
        str(each["grouped"]),
    ]
    for engine in each["ms"].values():
        found += [f"{times['median']:.2f}" for times in engine.values()]
    for told in (each["cycles"][board] for board in boards):
        found.append(f"{told:,}" if isinstance(told, int) else "no")
    return found


def head(each: dict[str, Any], boards: Sequence[str]) -> list[str]:
    """The titles of the columns."""
    times = [
        f"{engine} {precision}, ms" for engine, found in each["ms"].items() for precision in found
    ]
    return [*HEAD, *times, *(f"{board}, cycles" for board in boards)]


def write(rows: list[dict[str, Any]], out: Path, conditions: dict[str, Any]) -> None:
    """Write table.md into ``out``."""
    rows = sorted(rows, key=key)
    boards = boards_of(rows)
    title = head(rows[0], boards)
    body = [cells(each, boards) for each in rows]
    lines = ["| " + " | ".join(line) + " |" for line in (title, ["---"] * len(title), *body)]
    lines += [
        "",
        f"{conditions['processor']}, threads: {conditions['threads']}, median of "
        f"{conditions['rounds']} rounds in turns, each the second run of two, "
        f"{conditions['date']}: `{conditions['command']}`.",
    ]
    refused = {
        each["name"]: [told for told in each["cycles"].values() if type(told) is str]
        for each in rows
    }
    told = [f"- {name}: {why[0]}" for name, why in refused.items() if why]
    if told:
        lines += ["", "What the FPGA engine can't do:", "", *told]
    (out / "table.md").write_text("\n".join(lines) + "\n")
