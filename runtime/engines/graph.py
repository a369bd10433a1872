"""A network's ONNX files as the two graphs that a tracker runs: one for the exemplar, one a frame.

Files come as backbone and head (NanoTrack: the head takes both features) or as exemplar and search
(the search graph takes the exemplar's features). Either way the result is the same pair: all that
depends on the exemplar alone moves into the exemplar graph, so that a frame is one call and does
nothing twice. Where the graph is cut follows from the graph.
"""

from collections import namedtuple

import onnx
from onnx import TensorProto, compose, helper, shape_inference

from runtime.errors import BadNetwork

Graphs = namedtuple("Graphs", "exemplar search features image maps")
Graphs.__doc__ = """The two models of a network.

Attributes:
    exemplar: ONNX model, input ``exemplar`` (1, 3, e, e), outputs ``features``.
    search: ONNX model, inputs ``search`` (1, 3, s, s) and ``features``, outputs ``maps``.
    features: names of the tensors that the exemplar leaves for the frames.
    image: names of the two image inputs, ("exemplar", "search").
    maps: names of the outputs, score map first, then distances.
"""

IMAGES = ("exemplar", "search")


def build(network, paths):
    """Build both graphs of a network.

    Args:
        network: the ``Network``.
        paths: dict of part name -> path, as ``network.locate()`` gives it.

    Returns:
        ``Graphs``.

    Raises:
        BadNetwork: a file is no ONNX, or its tensors don't fit the TOML.
    """
    parts = {part: _read(path) for part, path in paths.items()}
    try:
        if "backbone" in parts:
            exemplar, search = _join(network, parts["backbone"], parts["head"])
        else:
            exemplar, search = _rename_pair(network, parts["exemplar"], parts["search"])
        exemplar, search = _hoist(exemplar, search)
        exemplar, search = _inferred(exemplar), _inferred(search)
    except (ValueError, RuntimeError, onnx.checker.ValidationError, KeyError, IndexError) as error:
        raise BadNetwork(
            "the ONNX files of {} don't fit together: {}; run `python -m runtime.networks check "
            "{}`".format(network.name, str(error).strip().splitlines()[0], network.path)
        ) from None
    features = tuple(value.name for value in exemplar.graph.output)
    maps = tuple(value.name for value in search.graph.output)
    _check(network, search, maps)
    return Graphs(exemplar, search, features, IMAGES, maps)


def _read(path):
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
        return model
    except Exception as error:  # protobuf's DecodeError is not in every version's public names
        raise BadNetwork(
            "{} is not a whole ONNX file ({}); fetch it again".format(
                path, (str(error).strip().splitlines() or [type(error).__name__])[0]
            )
        ) from None


def _join(network, backbone, head):
    """Backbone and head -> (exemplar model, search model), the head's work all in the search one."""
    if len(head.graph.input) - _initialised_inputs(head) != 2:
        raise ValueError("a head takes exemplar features and search features, two inputs")
    versions = [_opset(model) for model in (backbone, head)]
    if versions[0] != versions[1]:
        newest = max(versions)
        backbone = onnx.version_converter.convert_version(backbone, newest)
        head = onnx.version_converter.convert_version(head, newest)
    head.ir_version = backbone.ir_version = max(head.ir_version, backbone.ir_version)
    source, out = backbone.graph.input[0].name, backbone.graph.output[0].name
    z_name, x_name = (value.name for value in head.graph.input[:2])

    exemplar = _resized(compose.add_prefix(backbone, "z/"), "z/" + source, network.exemplar)
    _rename(exemplar, {"z/" + source: IMAGES[0]})
    search = compose.merge_models(
        _resized(compose.add_prefix(backbone, "x/"), "x/" + source, network.search),
        compose.add_prefix(head, "head/"),
        io_map=[("x/" + out, "head/" + x_name)],
    )
    _rename(search, {"x/" + source: IMAGES[1], "head/" + z_name: "z/" + out})
    return exemplar, search


def _rename_pair(network, exemplar, search):
    """An exemplar and a search model whose shared tensors get the same names."""
    image, features = exemplar.graph.input[0].name, [v.name for v in exemplar.graph.output]
    exemplar, search = compose.add_prefix(exemplar, "z/"), compose.add_prefix(search, "x/")
    _resized(exemplar, "z/" + image, network.exemplar)
    _rename(exemplar, {"z/" + image: IMAGES[0]})
    frame = [v for v in search.graph.input if _is_image(v)]
    others = [v for v in search.graph.input if not _is_image(v)]
    if len(frame) != 1 or len(others) != len(features):
        raise ValueError("the search graph must take one picture and the exemplar's features")
    renames = {value.name: "z/" + name for value, name in zip(others, features)}
    renames[frame[0].name] = IMAGES[1]
    _rename(search, renames)
    _resized(search, IMAGES[1], network.search)
    return exemplar, search


def _hoist(exemplar, search):
    """Move what depends on the exemplar alone out of the search model, into the exemplar's."""
    known = {v.name for v in exemplar.graph.output}
    constants = {tensor.name: tensor for tensor in search.graph.initializer}
    fixed = set(constants)
    moved, kept, carried = [], [], []
    for node in search.graph.node:
        inputs = [name for name in node.input if name]
        if all(name in fixed for name in inputs):  # constant nodes are needed on both sides
            fixed.update(node.output)
            carried.append(node)
            kept.append(node)
        elif all(name in known or name in fixed for name in inputs):
            known.update(node.output)
            moved.append(node)
        else:
            kept.append(node)
    needed = {name for node in kept for name in node.input} | {v.name for v in search.graph.output}
    frontier = [name for name in _in_order(exemplar, moved) if name in known & needed]

    del search.graph.node[:]
    search.graph.node.extend(kept)
    exemplar.graph.node.extend(carried + moved)
    have = {tensor.name for tensor in exemplar.graph.initializer}
    exemplar.graph.initializer.extend(t for n, t in constants.items() if n not in have)
    del exemplar.graph.output[:]
    exemplar.graph.output.extend(helper.ValueInfoProto(name=name) for name in frontier)
    exemplar = _inferred(_pruned(exemplar))
    images = [value for value in search.graph.input if value.name == IMAGES[1]]
    del search.graph.input[:]
    search.graph.input.extend(images)
    search.graph.input.extend(exemplar.graph.output)
    return exemplar, _pruned(search)


def _in_order(exemplar, moved):
    for value in exemplar.graph.output:
        yield value.name
    for node in moved:
        for name in node.output:
            yield name


def _pruned(model):
    """Drop nodes and initializers whose results nobody reads."""
    graph = model.graph
    needed, nodes = {value.name for value in graph.output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(reversed(nodes))
    tensors = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(tensors)
    return model


def _resized(model, name, side):
    """Give an image input another side, and forget all that was inferred from the old one."""
    for value in model.graph.input:
        if value.name == name:
            dims = value.type.tensor_type.shape.dim
            if len(dims) != 4:
                raise ValueError("the picture {} must have 4 dimensions".format(name))
            for dim, size in zip(dims, (1, 3, side, side)):
                dim.dim_value = size
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    return model


def _rename(model, names):
    graph = model.graph
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in list(graph.input) + list(graph.output) + list(graph.value_info):
        value.name = names.get(value.name, value.name)


def _inferred(model):
    for value in model.graph.output:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    return shape_inference.infer_shapes(model, strict_mode=True)


def shape_of(value):
    """The shape of a graph's input or output, as a tuple of ints (0 where it is not fixed)."""
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def _check(network, search, maps):
    """Refuse outputs that the TOML does not announce, in words."""
    size = network.map_size
    channels = 2 if network.score == "softmax" else 1
    wanted = [(1, channels, size, size), (1, 4, size, size)]
    shapes = [shape_of(value) for value in search.graph.output]
    if shapes != wanted:
        raise BadNetwork(
            "{} says maps of {} (map_size {}, score {}), but its ONNX gives {} for a {} px search "
            "region; correct the TOML or the file".format(
                network.path, _text(wanted), size, network.score, _text(shapes), network.search
            )
        )


def _text(shapes):
    return " and ".join("x".join(map(str, shape)) for shape in shapes)


def _is_image(value):
    shape = shape_of(value)
    return len(shape) == 4 and shape[1] == 3


def _opset(model):
    return next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _initialised_inputs(model):
    tensors = {tensor.name for tensor in model.graph.initializer}
    return sum(value.name in tensors for value in model.graph.input)

