"""The picture of what a training shows its network."""

from pathlib import Path

import cv2
import numpy as np

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
