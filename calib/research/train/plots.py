"""Pictures of a training: what a batch looks like, and the curves of losses and validation."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

NO_CURVES = {"time", "stage", "event", "steps", "pairs", "seconds", "processor_seconds", "lr"}
COLOURS = ((0, 200, 0), (0, 0, 230), (220, 200, 0), (150, 150, 150))  # one a kind of pair


def batch_picture(
    pairs: dict[str, np.ndarray], path: Path, rows: int = 5, columns: int = 8
) -> None:
    """Exemplars and the teacher's scores above search crops with their boxes.

    Boxes are green for pairs of one picture, red for negative pairs, cyan for true boxes, and grey
    where there is no true box.
    """
    tiles = []
    for i in range(min(rows * columns, len(pairs["kind"]))):
        search = pairs["search"][i].copy()
        x1, y1, x2, y2 = (int(round(float(v))) for v in pairs["box"][i])
        cv2.rectangle(search, (x1, y1), (x2, y2), COLOURS[int(pairs["kind"][i])], 2)
        heat = cv2.resize(pairs["probability"][i].astype(np.float32), (127, 127))
        heat = cv2.applyColorMap((heat * 255).clip(0, 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
        top = np.hstack([pairs["exemplar"][i], heat, np.zeros((127, 1, 3), np.uint8)])
        tiles.append(cv2.copyMakeBorder(np.vstack([top, search]), 2, 2, 2, 2, cv2.BORDER_CONSTANT))
    lines = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles) - columns + 1, columns)]
    cv2.imwrite(str(path), np.vstack(lines or [np.hstack(tiles)]))


def read_log(path: Path) -> list[dict[str, Any]]:
    """The objects of a log; half a line, which a killed run may have left, is passed over."""
    found = []
    with open(path) as file:
        for line in file:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def curves(log_path: Path, path: Path) -> None:
    """Losses (left) and validation (right) of every stage, against pairs.

    Overlaps (os_NAME) have their standard errors (se_NAME) as bars.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines = [line for line in read_log(log_path) if "pairs" in line]
    stages = list(dict.fromkeys(line["stage"] for line in lines))
    if not stages:
        return
    figure, axes = pyplot.subplots(len(stages), 2, figsize=(11, 2.6 * len(stages)), squeeze=False)
    for (left, right), stage in zip(axes, stages):
        here = [line for line in lines if line["stage"] == stage]
        _plot(left, [line for line in here if "event" not in line], stage)
        _plot(right, [line for line in here if "event" in line], stage + ", held out")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def _plot(axis: Any, lines: list[dict[str, Any]], title: str) -> None:
    names = list(dict.fromkeys(name for line in lines for name in line if name not in NO_CURVES))
    for name in names:
        if name.startswith("se_"):
            continue  # the error of os_
        points = [(line["pairs"] / 1000, line[name]) for line in lines if name in line]
        error = name.replace("os_", "se_", 1)
        told = error != name and error in names
        errors = [line.get(error, 0.0) for line in lines if name in line] if told else None
        axis.errorbar(
            *zip(*points),
            errors,
            label=name.strip("_"),
            linewidth=1,
            capsize=2,
            marker="." if len(points) < 30 else None,
        )
    axis.set_title(title)
    axis.set_xlabel("thousand pairs")
    axis.grid(alpha=0.3)
    if names:
        axis.legend(fontsize=7)
