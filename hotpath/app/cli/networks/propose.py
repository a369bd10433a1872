"""Propose a network's TOML from a user's ONNX files.

The tensors determine the parts, the sides, the family, the maps and the stride. They do not
determine colours, crop and border. For these there are alternatives here, of which
``hotpath networks add`` takes the usual ones; ``hotpath tune`` tries them on annotated clips.
"""

import pathlib
from types import SimpleNamespace
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np
from onnx import ModelProto

from hotpath.base import toml_checks
from hotpath.graphs import lifting, models, normalise, pair_of_parts
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.network import Network
from hotpath.runtime.networks import FOLDER, network_schema

BY_HAND = f"write the TOML by hand, like those in {FOLDER}"

Table = Dict[str, Any]
Changes = Dict[str, Any]  # key of [input], [head] or [tracking] -> value
Named = Dict[str, Tuple[pathlib.Path, ModelProto]]  # part -> its file

SIDES = ((127, 255), (128, 256), (127, 256), (127, 287), (112, 224), (128, 320), (127, 303))
EXEMPLARS = (127, 128, 112, 120, 96, 144)  # tried where only the search region's side is known

_MEAN, _SCALE = [123.675, 116.28, 103.53], [0.01712475, 0.0175070, 0.0174292]  # of ImageNet, RGB
COLOURS: Dict[str, Changes] = {
    "BGR, 0 to 255": {"channels": "BGR"},
    "RGB, 0 to 255": {"channels": "RGB"},
    "RGB, 0 to 1": {"channels": "RGB", "scale": [1 / 255.0] * 3},
    "BGR, 0 to 1": {"channels": "BGR", "scale": [1 / 255.0] * 3},
    "RGB, ImageNet": {"channels": "RGB", "mean": _MEAN, "scale": _SCALE},
    "BGR, ImageNet": {"channels": "BGR", "mean": _MEAN[::-1], "scale": _SCALE[::-1]},
    "BGR, ImageNet in the order of RGB": {"channels": "BGR", "mean": _MEAN, "scale": _SCALE},
    "RGB, -1 to 1": {"channels": "RGB", "mean": [127.5] * 3, "scale": [1 / 127.5] * 3},
    "BGR, -1 to 1": {"channels": "BGR", "mean": [127.5] * 3, "scale": [1 / 127.5] * 3},
    "BGR, less 104, 117, 123": {"channels": "BGR", "mean": [104.0, 117.0, 123.0]},
}
_AREA = {"crop": "area", "corner": "s/2", "box_centre": "w/2", "rounding": "half_even"}
CROPS: Dict[str, Changes] = {
    "square, context 0.5": {"crop": "square", "context": 0.5},
    "stretched, margins 0.2 and 2": dict(
        crop="stretched", exemplar_margin=0.2, search_margin=2.0, box_centre="w/2"
    ),
    "area, factors 2 and 4": dict(_AREA, exemplar_factor=2.0, search_factor=4.0),
    "area, factors 2 and 5": dict(_AREA, exemplar_factor=2.0, search_factor=5.0),
    "area, factors 2 and 4.5": dict(_AREA, exemplar_factor=2.0, search_factor=4.5),
}
BORDERS: Dict[str, Changes] = {"mean colour": {"border": "mean"}, "black": {"border": "zero"}}

# [tracking] of each family, used without ``--like``
TRACKING: Dict[str, Changes] = {
    "points": {"penalty": 0.1, "window_influence": 0.4, "size_lr": 0.4},
    "anchors": {"penalty": 0.05, "window_influence": 0.42, "size_lr": 0.38},
    "centre": {},
    "corners": {"clip": "corners"},
    "response": dict(
        scale_step=1.0375, scale_penalty=0.9745, scale_lr=0.59, window_influence=0.176
    ),
}


class Proposal(NamedTuple):
    """What follows from the tensors.

    Attributes:
        table: the TOML, without the keys that no tensor determines.
        alternatives: dict of a question -> dict of an answer -> the keys that it sets.
    """

    table: Table
    alternatives: Dict[str, Dict[str, Changes]]


def propose(paths: Sequence[pathlib.Path]) -> Proposal:
    """Propose a TOML for ONNX files, which are in any order.

    Raises:
        BadNetwork: a file is no ONNX, or the files have no known form.
    """
    files = lifting.enter({path: path for path in paths})
    named = name_parts(files)
    problems = []
    for sides in _sides(named):
        try:
            outputs = _outputs(named, sides)
            family, head, choices = _family(outputs, sides)
        except Exception as error:  # shape inference raises several classes
            problems.append(models.first_line(error))
            continue
        table: Table = {
            "family": family,
            "input": {"exemplar": sides[0], "search": sides[1]},
            "head": head,
            "tracking": dict(TRACKING[family]),
            "file": [{"part": part, "name": path.name} for part, (path, _) in named.items()],
        }
        return Proposal(table, choices)
    names = ", ".join(path.name for path in paths)
    problem = (problems or ["no known sides"])[0]
    raise BadNetwork(f"no family fits {names}: {problem}; {BY_HAND}")


def name_parts(files: Mapping[pathlib.Path, ModelProto]) -> Named:
    """Find out which part each file is, by its inputs."""
    pictures = {
        path: [models.is_picture(v) for v in models.inputs(m) if not pair_of_parts.is_box(v)]
        for path, m in files.items()
    }
    only = [path for path, flags in pictures.items() if flags == [True]]
    both = [path for path, flags in pictures.items() if flags in ([True] * 2, [True] * 3)]
    mixed = [path for path, flags in pictures.items() if sum(flags) == 1 and len(flags) > 1]
    rest = [path for path, flags in pictures.items() if not any(flags)]
    only.sort(key=lambda path: _picture_sides(files[path]))
    order: List[Tuple[str, pathlib.Path]] = []
    if len(files) == 1 and both:
        order = [("whole", both[0])]
    elif len(files) == 1 and only:
        raise BadNetwork(_of_one_picture(only[0].name, files[only[0]]))
    elif len(files) == 2 and only and mixed:
        order = [("exemplar", only[0]), ("search", mixed[0])]
    elif len(rest) == 1 and len(only) in (1, 2) and len(only) + 1 == len(files):
        names = ["backbone"] if len(only) == 1 else ["exemplar", "search"]
        order = list(zip([*names, "head"], only + rest))
    if not order:
        raise BadNetwork(f"the parts of the network are not clear: {_inputs_of(files)}; {BY_HAND}")
    return {part: (path, files[path]) for part, path in order}


def _of_one_picture(name: str, model: ModelProto) -> str:
    """Say why a network of one file that takes one picture is no tracker."""
    outputs = [models.shape_of(value) for value in model.graph.output]
    shapes = " and ".join("x".join(map(str, shape)) for shape in outputs)
    kind = "a detector, a classifier or a network of re-identification is not a tracker"
    if len(outputs) == 1 and len(outputs[0]) == 4 and outputs[0][2] == outputs[0][3]:
        kind = "it looks like a backbone; name the file of the head too"
        kind += " (a detector is not a tracker)"
    return f"{name} gives {shapes} from one picture: {kind}"


def _inputs_of(files: Mapping[pathlib.Path, ModelProto]) -> str:
    """Say what each file takes."""
    taken = []
    is_grey = is_last = False
    for path, model in files.items():
        shapes = [list(models.shape_of(value)) for value in models.inputs(model)]
        taken.append(f"{path.name} takes {' and '.join(map(str, shapes))}")
        is_grey |= any(len(s) == 4 and s[1] == 1 and s[2] > 1 for s in shapes)
        is_last |= any(len(s) == 4 and s[3] == 3 and s[1] == s[2] > 3 for s in shapes)
    grey = ", a grey picture, but pictures have three channels here" * is_grey
    last = ", with the channels last; export it with pictures as N,C,H,W" * is_last
    return ", ".join(taken) + grey + last


def _picture_sides(model: ModelProto) -> List[int]:
    """Sides of a model's pictures, the smallest first; 0 if one is not fixed."""
    return sorted(models.shape_of(v)[3] for v in models.inputs(model) if models.is_picture(v))


def _sides(named: Named) -> Iterator[Tuple[int, int]]:
    """Sides of exemplar and search region that the files allow, the likeliest first."""
    if "whole" in named:
        sides = _picture_sides(named["whole"][1])
        if all(sides):
            yield sides[0], sides[-1]
            return
    elif "exemplar" in named:
        pair = _picture_sides(named["exemplar"][1]) + _picture_sides(named["search"][1])
        if all(pair):
            yield pair[0], pair[1]
            return
    else:
        side = _picture_sides(named["backbone"][1])[0]
        if side:
            for exemplar in EXEMPLARS:
                yield exemplar, side
            return
    yield from SIDES


def _outputs(named: Named, sides: Tuple[int, int]) -> List[Tuple[str, models.Shape]]:
    """Names and shapes of the outputs of the search graph."""
    network: Any = SimpleNamespace(exemplar=sides[0], search=sides[1])
    copies = {part: models.copy(model) for part, (_, model) in named.items()}
    head = models.inputs(copies["head"]) if "head" in copies else []
    declared = [models.shape_of(value) for value in head]
    exemplar, search = pair_of_parts.join(network, copies)
    exemplar = normalise.normalise(exemplar)
    shapes = models.all_shapes(exemplar)
    features = [shapes[value.name] for value in exemplar.graph.output]
    if "head" in named and all(len(s) == 4 and all(s) for s in declared):
        if not any(shape in declared for shape in features):
            raise ValueError(f"the head takes other features than {sides[0]} px give")
    models.set_shapes(search, shapes)
    graph = models.infer_shapes(normalise.normalise(search)).graph
    return [(v.name.split("/", 1)[-1], models.shape_of(v)) for v in graph.output]


def _family(
    outputs: List[Tuple[str, models.Shape]], sides: Tuple[int, int]
) -> Tuple[str, Changes, Dict[str, Dict[str, Changes]]]:
    """The family, its keys of [head], and the alternatives."""
    choices: Dict[str, Dict[str, Changes]] = {"colours": dict(COLOURS)}
    shapes = [tuple(s for s in shape[1:]) for _, shape in outputs]
    square = [o for o in outputs if len(o[1]) == 4 and o[1][2] == o[1][3] > 1]
    if sorted(shape[1] for _, shape in square) == [1, 2, 2]:  # beside a finished box, too
        outputs, shapes = square, [shape[1:] for _, shape in square]
    elif not square and _finished(outputs):
        choices.update(crop=_led_by("area", CROPS), border=_led_by("black", BORDERS))
        return "corners", dict(_finished(outputs), correlation="attention"), choices
    size = shapes[0][-1]
    if any(len(shape) != 3 or shape[1:] != (size, size) for shape in shapes):
        raise ValueError(f"the outputs {outputs} are not square maps of one size")
    channels = [shape[0] for shape in shapes]
    square_first = 4 in channels or channels == [1] or max(channels) > 4
    crop, border = ("square", "mean") if square_first else ("area", "black")
    choices.update(crop=_led_by(crop, CROPS), border=_led_by(border, BORDERS))
    head: Changes = {"map_size": size}
    stride = _stride(sides[1], size)
    if channels == [1]:
        stride = max(1, int(round((sides[1] - sides[0]) / max(1.0, size - 1.0))))
        return "response", dict(head, stride=stride, correlation="cross"), choices
    if sorted(channels) == [1, 2, 2]:
        names = [name for name, shape in outputs if shape[1] == 2]
        score = next(name for name, shape in outputs if shape[1] == 1)
        choices["maps"] = {
            "size {}, offset {}".format(*pair): {"maps": [score] + pair}
            for pair in (names, names[::-1])
        }
        choices["score"] = {"as it is": {"score": "none"}, "sigmoid": {"score": "sigmoid"}}
        return "centre", dict(head, correlation="attention"), choices
    if sorted(channels) in ([1, 1], [2]):
        kind = "two_maps" if len(channels) == 2 else "one_map"
        head.update(output=kind, cell_centre=0.0, correlation="attention")
        return "corners", head, choices
    if 4 in channels and set(channels) <= {1, 2, 4}:
        choices["stride"] = {str(s): {"stride": s} for s in (stride, stride // 2) if s}
        return "points", dict(head, stride=stride, **_scores(channels, choices)), choices
    count = max(channels) // 4
    if count > 1 and sorted(channels) in ([count, 4 * count], [2 * count, 4 * count]):
        head.update(stride=stride, ratios=[0.33, 0.5, 1.0, 2.0, 3.0][:count], scales=[8.0])
        head["score"] = "softmax" if min(channels) == 2 * count else "sigmoid"
        return "anchors", dict(head, correlation="depthwise"), choices
    raise ValueError(f"no family has maps of {channels} channels")


def _finished(outputs: List[Tuple[str, models.Shape]]) -> Changes:
    """The keys of [head] of a graph that gives the box, with a score or without; else none."""
    boxes, scores = (
        [name for name, shape in outputs if int(np.prod(shape)) == count] for count in (4, 1)
    )
    if len(boxes) != 1 or len(scores) > 1:
        return {}
    return {"output": "scored_box" if scores else "box", "maps": boxes + scores}


def _led_by(first: str, changes: Dict[str, Changes]) -> Dict[str, Changes]:
    """Alternatives, with the family's usual ones first."""
    return {name: changes[name] for name in sorted(changes, key=lambda n: not n.startswith(first))}


def _scores(channels: List[int], choices: Dict[str, Dict[str, Changes]]) -> Changes:
    """How points become probabilities."""
    keys: Changes = {}
    if len(channels) == 3:
        raise ValueError(
            "there is a third map beside the score and the distances; multiply it into the score "
            "in the export"
        )
    if 2 in channels:
        keys["score"] = "softmax"
    else:
        choices["score"] = {"sigmoid": {"score": "sigmoid"}, "as it is": {"score": "none"}}
    return keys


def _stride(search: int, cells: int) -> int:
    """The largest power of two with which the cells lie inside the search region."""
    stride = 4
    while (cells - 1) * stride * 2 <= search:
        stride *= 2
    return stride


def network_for(table: Table, path: pathlib.Path) -> Network:
    """The network of a table.

    Args:
        table: of a TOML.
        path: of the TOML, which need not be there.

    Raises:
        BadNetwork: the table has a mistake.
    """
    values, files, mistakes = network_schema.read(table)
    if mistakes:
        raise BadNetwork(f"{path}: {toml_checks.sentence(mistakes[0])}; {BY_HAND}")
    return Network(path.stem, path, values, files)


def usual_answers(proposal: Proposal) -> Dict[str, str]:
    """The first answer to every question."""
    return {question: next(iter(answers)) for question, answers in proposal.alternatives.items()}


def usual_table(proposal: Proposal) -> Table:
    """The table of a proposal with the first answer to every question."""
    table = proposal.table
    for question, answer in usual_answers(proposal).items():
        table = with_changes(table, proposal.alternatives[question][answer])
    return table


def with_changes(table: Table, changes: Changes) -> Table:
    """A copy of a table with other values of some keys; None removes a key."""
    result = {k: dict(v) if isinstance(v, dict) else v for k, v in table.items()}
    for key, value in changes.items():
        section = result[section_of(key)]
        section[key] = value
        if value is None:
            del section[key]
    return result


def section_of(key: str) -> str:
    """The section of a TOML in which a key stands; what no section names is the family's."""
    return next((s for s in ("input", "tracking") if key in network_schema.SECTIONS[s]), "head")
