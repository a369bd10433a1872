"""What a TensorRT bundle's ``run`` says: its parts, the steps between them, the tensors of both.

It is checked before memory is taken by it: kernels write where it says that tensors lie, and as
much as the network's TOML says.
"""

import math

from runtime import decode

MOST_NUMBERS = 1 << 28  # of a tensor; 1 GiB of float32
MOST_WEIGHTS = 48 * 1024 // 4  # of one channel of an exemplar: kernels.cuda.correlate
PICTURES = ("exemplar", "search")


def is_whole(run):
    """Whether the entries of a ``run`` have their types and fit together.

    Args:
        run: dict, as ``bundle.json`` has it.
    """
    lists = [run.get(key) for key in ("parts", "steps", "features", "maps")]
    shapes, seen = run.get("shapes"), run.get("seen")
    if not all(isinstance(entry, list) for entry in lists) or not isinstance(shapes, dict):
        return False
    parts, steps, features, maps = lists
    if not parts or not maps or not all(_is_shape(shape) for shape in shapes.values()):
        return False
    names = list(PICTURES) + features + maps + ([] if seen is None else [seen])
    if not all(isinstance(name, str) and name in shapes for name in names):
        return False
    if len(set(names)) != len(names):
        return False
    if not all(shapes[n] == [1, 3] + 2 * [shapes[n][-1]] for n in PICTURES):
        return False
    if seen is not None and not _are_cells(shapes[seen]):
        return False
    if len(steps) >= len(parts) or not all(isinstance(each, list) for each in steps):
        return False
    return all(_is_step(step, shapes) for each in steps for step in each)


def misfit(run, network):
    """What a network wants otherwise than a ``run`` has it.

    Returns:
        (what, built, wanted), texts; None when all fits.
    """
    sides = [run["shapes"][name][2] for name in PICTURES]
    wanted = [network.exemplar, network.search]
    if sides != wanted:
        return "pictures of " + network.name, _pixels(sides), _pixels(wanted)
    built = [run["shapes"][name] for name in run["maps"]]
    wanted = decode.shapes(network)
    if [_plain(shape) for shape in built] != [_plain(shape) for shape in wanted]:
        return "maps of " + network.name, _text(built), _text(wanted)
    return None


def _is_shape(shape):
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


def _are_cells(shape):
    """Whether a shape is that of search features: (1, channels, a square of cells)."""
    return len(shape) == 3 and shape[0] == 1 and int(round(math.sqrt(shape[2]))) ** 2 == shape[2]


def _is_step(step, shapes):
    """Whether a correlation is one that the kernels do, of tensors of these shapes."""
    if not isinstance(step, dict):
        return False
    names = [step.get(key) for key in ("search", "exemplar", "out")]
    padding = step.get("padding")
    if not all(isinstance(name, str) and name in shapes for name in names):
        return False
    if not isinstance(padding, int) or not 0 <= padding < 1 << 15:
        return False
    search, exemplar, out = (shapes[name] for name in names)
    if step.get("kind") == "pixelwise":
        both = len(search) == len(exemplar) == 3 and search[:2] == [1, exemplar[1]]
        return both and exemplar[0] == 1 and out == [1, exemplar[2], search[2]]
    if step.get("kind") != "depthwise" or len(search) != 4 or len(exemplar) != 4:
        return False
    moved = [search[i] + 2 * padding - exemplar[i] + 1 for i in (2, 3)]
    weights = exemplar[2] * exemplar[3]
    fits = search[:2] == [1, exemplar[1]] and out == exemplar[:2] + moved
    return fits and weights <= MOST_WEIGHTS


def _plain(shape):
    """A shape without the sides of 1, in which exports differ."""
    return [side for side in shape if side != 1]


def _pixels(sides):
    return "{} and {} pixels".format(*sides)


def _text(shapes):
    return " and ".join("x".join(map(str, shape)) for shape in shapes)
