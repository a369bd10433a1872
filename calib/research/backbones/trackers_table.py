"""The table of trained trackers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def write(rows: list[dict[str, Any]], told: dict[str, Any], out: Path) -> str:
    """Write table.md into a folder.

    Args:
        rows: of ``calib.research.backbones.trackers``, one a tracker.
        told: dict of ``clips``, ``ranges``, ``conditions`` and ``first``, the tracker that the
            others are compared with.

    Returns:
        the table's text.
    """
    rows = sorted(rows, key=lambda row: -row["one_step"]["fp32"][0])
    boards = groups(rows)
    titles = title(rows[0], told["first"], boards)
    lines = [titles, ["---"] * len(titles)]
    lines += [cells(row, boards) for row in rows]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    text += "\n\n" + "\n".join(notes(rows, told, boards)) + "\n"
    (out / "table.md").write_text(text)
    return text


def groups(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Lists of FPGA boards; those of a list have the same cycles everywhere."""
    found: dict[tuple[str, ...], list[str]] = {}
    for board in rows[0]["cycles"]:
        found.setdefault(tuple(str(row["cycles"][board]) for row in rows), []).append(board)
    return list(found.values())


def title(row: dict[str, Any], first: str, boards: Sequence[Sequence[str]]) -> list[str]:
    """The titles of the columns."""
    times = [f"{e} {p}, ms" for e, found in row["ms"].items() for p in found]
    return [
        "tracker",
        "pairs",
        "minutes",
        "MMAC",
        "one-step fp32",
        f"to {first}",
        "INT8",
        "change",
        "mean overlap fp32",
        "INT8",
        *times,
        *("{}, cycles".format(", ".join(names)) for names in boards),
    ]


def cells(row: dict[str, Any], boards: Sequence[Sequence[str]]) -> list[str]:
    """The texts of a row."""
    found = [
        row["name"],
        "{:,}".format(row["pairs"].get("backbone", 0)),
        "{:.1f}".format(row["minutes"]),
        "{:.0f}".format((row["macs"] or 0) / 1e6),
        "{:.3f} ± {:.3f}".format(*row["one_step"]["fp32"]),
        "{:+.3f} ± {:.3f}".format(*row["to_first"]),
        "{:.3f}".format(row["one_step"]["int8"][0]),
        "{:+.4f} ± {:.4f}".format(*row["change"]["one_step"]),
        "{:.3f} ± {:.3f}".format(*row["mean_overlap"]["fp32"]),
        "{:.3f}".format(row["mean_overlap"]["int8"][0]),
    ]
    for engine in row["ms"].values():
        found += [f"{ms:.2f}" for ms in engine.values()]
    for names in boards:
        told = row["cycles"][names[0]]
        found.append(f"{told:,}" if isinstance(told, int) else "no")
    return found


def notes(
    rows: list[dict[str, Any]], told: dict[str, Any], boards: Sequence[Sequence[str]]
) -> Iterator[str]:
    """What the figures hang on, and what the FPGA engine refuses."""
    seeds = sorted({row["seed"] for row in rows})
    yield (
        "Pairs of stage backbone; processor minutes of all stages that the run itself trained; "
        "seed {}. Overlaps on {} clips, standard error by bootstrap over clips; ranges from {} "
        "other clips, every layer in 8 bit.".format(
            ", ".join(map(str, seeds)), len(told["clips"]), len(told["ranges"])
        )
    )
    yield (
        "Times: {processor}, threads: {threads}, median of {rounds} whole frames in turns, each "
        "the second of two, {date}: `{command}`.".format(**told["conditions"])
    )
    for row in rows:
        for names in boards:
            if not isinstance(row["cycles"][names[0]], int):
                yield "{} on {}: {}.".format(row["name"], ", ".join(names), row["cycles"][names[0]])
