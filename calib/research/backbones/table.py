"""The table of backbones."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEAD = (
    "backbone",
    "channels",
    "parameters, M",
    "MMAC",
    "activations, M",
    "field, px",
    "element-wise",
    "branches",
    "grouped",
)


def stem(name: str) -> str:
    """Name of a backbone's files."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name.replace("timm:", "", 1))


def key(each: dict[str, Any]) -> float:
    """The least median of a row, milliseconds; the table is sorted by it."""
    return min(found["median"] for engine in each["ms"].values() for found in engine.values())


def boards_of(rows: list[dict[str, Any]]) -> list[str]:
    """The FPGA boards that all rows were compiled for."""
    return [board for board in rows[0]["cycles"] if all(board in each["cycles"] for each in rows)]


def cells(each: dict[str, Any], boards: Sequence[str]) -> list[str]:
    """The texts of a row: figures, milliseconds by engine and precision, cycles by board."""
    found = [
        each["name"],
        str(each["channels"]),
        "{:.2f}".format(each["parameters"] / 1e6),
        "{:.0f}".format((each["macs"] or 0) / 1e6),
        "{:.1f}".format(each["activations"] / 1e6),
        str(each["receptive_field"]),
        str(each["elementwise"]),
        str(each["branches"]),
        str(each["grouped"]),
    ]
    for engine in each["ms"].values():
        found += ["{:.2f}".format(engine[precision]["median"]) for precision in engine]
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
    """Write table.md and table.csv into ``out``."""
    rows = sorted(rows, key=key)
    boards = boards_of(rows)
    title = head(rows[0], boards)
    body = [cells(each, boards) for each in rows]
    lines = ["| " + " | ".join(line) + " |" for line in (title, ["---"] * len(title), *body)]
    lines += [
        "",
        "{processor}, threads: {threads}, median of {rounds} rounds in turns, each the second run "
        "of two, {date}: `{command}`.".format(**conditions),
    ]
    told = [
        "- {}: {}".format(each["name"], next(t for t in each["cycles"].values() if type(t) is str))
        for each in rows
        if any(type(each["cycles"][board]) is str for board in boards)
    ]
    if told:
        lines += ["", "What the FPGA engine can't do:", "", *told]
    (out / "table.md").write_text("\n".join(lines) + "\n")
    with open(str(out / "table.csv"), "w", newline="") as file:
        csv.writer(file).writerows([title, *body])
