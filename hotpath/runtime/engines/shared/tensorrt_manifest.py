"""Checks the entry ``run`` of a TensorRT bundle: its parts, the steps between them, the tensors.

The check runs before memory is allocated. Kernels write to the tensors that the entry names, with
the sizes of the network's TOML.
"""

import math
from typing import Any, List, Sequence, Tuple

from hotpath.base.toml_keys import Table

MOST_NUMBERS = 1 << 28  # of a tensor; 1 GiB of float32
MOST_WEIGHTS = 48 * 1024 // 4  # of one channel of an exemplar: hotpath.kernels.cuda.correlate
MOST_WINDOWS = 64  # of a plan
PICTURES = ("exemplar", "search")
TYPES = ("float32", "float16")  # of all tensors


def is_whole(run: Table) -> bool:
    """Whether the entries of a ``run`` have their types and fit together.

    Args:
        run: dict, as ``bundle.json`` has it.
    """
    lists: List[Any] = [run.get(key) for key in ("parts", "steps", "features", "maps")]
    shapes, features_name = run.get("shapes"), run.get("seen")
    if not all(isinstance(entry, list) for entry in lists) or not isinstance(shapes, dict):
        return False
    parts, steps, features, maps = lists
    if dtype_of(run) not in TYPES:
        return False
    if not parts or not maps or not all(_is_shape(shape) for shape in shapes.values()):
        return False
    names = list(PICTURES) + features + maps + ([] if features_name is None else [features_name])
    if not all(isinstance(name, str) and name in shapes for name in names):
        return False
    if len(set(names)) != len(names):
        return False
    if not all(shapes[n] == [1, 3] + 2 * [shapes[n][-1]] for n in PICTURES):
        return False
    if features_name is not None and not _are_cells(shapes[features_name]):
        return False
    if not isinstance(windows_of(run), int) or not 1 <= windows_of(run) <= MOST_WINDOWS:
        return False
    if len(steps) >= len(parts) or not all(isinstance(level, list) for level in steps):
        return False
    return all(_is_step(step, shapes) for level in steps for step in level)


def shapes_of(run: Table) -> Tuple[List[int], List[Sequence[int]]]:
    """Sides of the two pictures, and shapes of the maps, of a ``run`` that is whole."""
    shapes = run["shapes"]
    return [shapes[name][2] for name in PICTURES], [shapes[name] for name in run["maps"]]


def dtype_of(run: Table) -> Any:
    """The type of all tensors; a bundle of an earlier version has float32 and does not say so."""
    return run.get("dtype", "float32")


def windows_of(run: Table) -> Any:
    """Return the most windows that one call of the plans takes."""
    return run.get("windows", 1)


def _is_shape(shape: Any) -> bool:
    if not isinstance(shape, list) or not shape:
        return False
    if not all(isinstance(side, int) and not isinstance(side, bool) for side in shape):
        return False
    numbers = 1
    for side in shape:
        numbers *= side
        if side < 1 or numbers > MOST_NUMBERS:
            return False
    return True


def _are_cells(shape: Sequence[int]) -> bool:
    """Whether a shape is that of search features: (1, channels, a square of cells)."""
    return len(shape) == 3 and shape[0] == 1 and int(round(math.sqrt(shape[2]))) ** 2 == shape[2]


def _is_step(step: Any, shapes: Table) -> bool:
    """Whether a correlation is one that the kernels do, of tensors of these shapes."""
    if not isinstance(step, dict):
        return False
    names: List[Any] = [step.get(key) for key in ("search", "exemplar", "out")]
    padding = step.get("padding")
    if not all(isinstance(name, str) and name in shapes for name in names):
        return False
    if not isinstance(padding, int) or not 0 <= padding < 1 << 15:
        return False
    search, exemplar, out = (shapes[name] for name in names)
    if step.get("kind") != "depthwise" or len(search) != 4 or len(exemplar) != 4:
        return False
    moved = [search[i] + 2 * padding - exemplar[i] + 1 for i in (2, 3)]
    weights = exemplar[2] * exemplar[3]
    fits = search[:2] == [1, exemplar[1]] and out == exemplar[:2] + moved
    return fits and weights <= MOST_WEIGHTS
