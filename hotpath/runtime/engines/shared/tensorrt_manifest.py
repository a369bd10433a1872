"""Check the entry ``run`` of a TensorRT bundle: its parts, the steps between them, the tensors.

The check runs before memory is allocated. Kernels write to the tensors that the entry names, with
the sizes of the network's TOML.
"""

import functools
import math
import operator
from typing import List, Sequence, Tuple

from hotpath.base import json_forms
from hotpath.base.toml_keys import FileName, Key, Table

MOST_NUMBERS = 1 << 28  # of a tensor; 1 GiB of float32
MOST_WEIGHTS = 48 * 1024 // 4  # of one channel of an exemplar: hotpath.kernels.cuda.correlate
PICTURES = ("exemplar", "search")
NAME = Key(str)
STEP = {
    "kind": Key(str, choices=("depthwise",)),
    "search": NAME,
    "exemplar": NAME,
    "out": NAME,
    "padding": Key(int, low=0, high=(1 << 15) - 1),
}
RUN = {
    "exemplar": Key(FileName),
    "parts": [Key(FileName)],
    "steps": [[STEP]],
    "features": [NAME],
    "maps": [NAME],
    "seen": Key(str, default=None),
    "shapes": {str: [Key(int, low=1, high=MOST_NUMBERS)]},
    # of all tensors; a bundle of an earlier version has float32 and does not say so
    "dtype": Key(str, default="float32", choices=("float32", "float16")),
}


def check(run: Table) -> None:
    """Raise ``ValueError`` unless the entries of a ``run`` have their types and fit together."""
    json_forms.check_json(run, RUN, "run")
    shapes, parts, seen = run["shapes"], run["parts"], run.get("seen")
    names = [*PICTURES, *run["features"], *run["maps"], *([] if seen is None else [seen])]
    steps = [step for level in run["steps"] for step in level]
    used = [*names, *(step[key] for step in steps for key in ("search", "exemplar", "out"))]
    fits = (
        len(run["steps"]) < len(parts)
        and len(run["maps"]) > 0
        and len(set(names)) == len(names)
        and all(name in shapes for name in used)
        and all(
            shape and functools.reduce(operator.mul, shape) <= MOST_NUMBERS
            for shape in shapes.values()
        )
        and all(shapes[name] == [1, 3] + 2 * [shapes[name][-1]] for name in PICTURES)
        and (seen is None or _are_cells(shapes[seen]))
        and all(_is_step(step, shapes) for step in steps)
    )
    if not fits:
        raise ValueError("its parts, steps and tensors do not fit together")


def shapes_of(run: Table) -> Tuple[List[int], List[Sequence[int]]]:
    """Sides of the two pictures, and shapes of the maps, of a ``run`` that is whole."""
    shapes = run["shapes"]
    return [shapes[name][2] for name in PICTURES], [shapes[name] for name in run["maps"]]


def _are_cells(shape: Sequence[int]) -> bool:
    """Whether a shape is that of search features: (1, channels, a square of cells)."""
    return len(shape) == 3 and shape[0] == 1 and int(round(math.sqrt(shape[2]))) ** 2 == shape[2]


def _is_step(step: Table, shapes: Table) -> bool:
    """Whether a correlation is one that the kernels do, of tensors of these shapes."""
    search, exemplar, out = (shapes[step[key]] for key in ("search", "exemplar", "out"))
    if len(search) != 4 or len(exemplar) != 4:
        return False
    moved = [search[i] + 2 * step["padding"] - exemplar[i] + 1 for i in (2, 3)]
    weights = exemplar[2] * exemplar[3]
    fits = search[:2] == [1, exemplar[1]] and out == exemplar[:2] + moved
    return bool(fits and weights <= MOST_WEIGHTS)
