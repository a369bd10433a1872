"""A network's ONNX files as the two graphs that a tracker runs: one for the exemplar, one a frame.

Files come in one of these ways, which the parts in the TOML name:

- backbone and head: the head takes both features (NanoTrack);
- exemplar and search: the search graph takes the exemplar's features (FEAR, LightTrack, SiamFC);
- whole: one graph takes both pictures (VitTrack);
- backbone alone: its features are the maps, the family correlates (DCFNet);
- network, kernel_cls and kernel_loc: two graphs make weights of the exemplar's features, which two
  convolutions of the network take (DaSiamRPN as OpenCV has it).

Either way the result is the same pair: all that depends on the exemplar alone moves into the
exemplar graph, so that a frame is one call and does nothing twice. Where the graph is cut follows
from the graph.
"""

from collections import namedtuple

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, shape_inference, version_converter

from runtime import decode
from runtime.errors import BadNetwork
from runtime.graphs.fold_if import add_prefix, decided

Graphs = namedtuple("Graphs", "exemplar search features image maps")
Graphs.__doc__ = """The two models of a network.

Attributes:
    exemplar: ONNX model, input ``exemplar`` (1, 3, e, e), outputs ``features``.
    search: ONNX model, inputs ``search`` (1, 3, s, s) and ``features``, outputs ``maps``.
    features: names of the tensors that the exemplar leaves for the frames.
    image: names of the two image inputs, ("exemplar", "search").
    maps: names of the outputs, in the order of the network's family (``runtime.decode.shapes``).
"""

IMAGES = ("exemplar", "search")

_MISFITS = (
    ValueError, RuntimeError, onnx.checker.ValidationError, KeyError, IndexError, StopIteration,
    TypeError, shape_inference.InferenceError,
)  # fmt: skip


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
        if "head" in parts:
            exemplar, search = _join(network, parts["backbone"], parts["head"])
        elif "search" in parts:
            exemplar, search = _rename_pair(network, parts["exemplar"], parts["search"])
        elif "whole" in parts:
            exemplar, search = _split(network, parts["whole"])
        elif "network" in parts:
            exemplar, search = _weights(network, parts)
        else:
            exemplar, search = _twice(network, parts["backbone"])
        if "backbone" not in parts or "head" in parts:
            exemplar, search = _hoist(exemplar, search)
        exemplar, search = (_without_branches(_inferred(m)) for m in (exemplar, search))
        _order_maps(network, search)
    except _MISFITS as error:
        raise BadNetwork(
            "the ONNX files of {} don't fit together: {}; run `python -m runtime.networks check "
            "{}`".format(network.name, str(error).strip().splitlines()[0], network.path)
        ) from None
    features = tuple(value.name for value in exemplar.graph.output)
    maps = tuple(value.name for value in search.graph.output)
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
    """Backbone and head -> (exemplar model, search model), the head all in the search one."""
    if len(_inputs(head)) != 2:
        raise ValueError("a head takes exemplar features and search features, two inputs")
    versions = [_opset(model) for model in (backbone, head)]
    if versions[0] != versions[1]:
        newest = max(versions)
        backbone = version_converter.convert_version(backbone, newest)
        head = version_converter.convert_version(head, newest)
    head.ir_version = backbone.ir_version = max(head.ir_version, backbone.ir_version)
    source, out = _inputs(backbone)[0].name, backbone.graph.output[0].name
    z_name, x_name = (value.name for value in _inputs(head))

    exemplar = _resized(add_prefix(backbone, "z/"), "z/" + source, network.exemplar)
    _rename(exemplar, {"z/" + source: IMAGES[0]})
    search = compose.merge_models(
        _resized(add_prefix(backbone, "x/"), "x/" + source, network.search),
        add_prefix(head, "head/"),
        io_map=[("x/" + out, "head/" + x_name)],
    )
    _rename(search, {"x/" + source: IMAGES[1], "head/" + z_name: "z/" + out})
    return exemplar, search


def _rename_pair(network, exemplar, search):
    """An exemplar and a search model whose shared tensors get the same names."""
    exemplar, search = _unmasked(exemplar), _unmasked(search)
    image = next(v.name for v in _inputs(exemplar) if _is_image(v))
    features = [v.name for v in exemplar.graph.output]
    exemplar, search = add_prefix(exemplar, "z/"), add_prefix(search, "x/")
    _resized(exemplar, "z/" + image, network.exemplar)
    _rename(exemplar, {"z/" + image: IMAGES[0]})
    frame = [v for v in _inputs(search) if _is_image(v)]
    others = [v for v in _inputs(search) if not _is_image(v)]
    if len(frame) != 1 or len(others) != len(features):
        raise ValueError("the search graph must take one picture and the exemplar's features")
    renames = {value.name: "z/" + name for value, name in zip(others, features)}
    renames[frame[0].name] = IMAGES[1]
    _rename(search, renames)
    _resized(search, IMAGES[1], network.search)
    return exemplar, search


def _twice(network, backbone):
    """One model for the exemplar and for every frame; neither needs the other."""
    pair = []
    for image, prefix, side in zip(IMAGES, ("z/", "x/"), (network.exemplar, network.search)):
        model = add_prefix(backbone, prefix)
        _rename(_resized(model, prefix + _inputs(backbone)[0].name, side), {
            prefix + _inputs(backbone)[0].name: image})  # fmt: skip
        pair.append(model)
    return pair


def _split(network, whole):
    """A model of both pictures -> the exemplar's picture alone, and all the rest."""
    images = [value for value in _inputs(whole) if _is_image(value)]
    if len(images) != 2 or len(_inputs(whole)) != 2:
        raise ValueError("a whole network takes two pictures, exemplar and search region")
    sides = [shape_of(value)[2] for value in images]
    if sides == [network.search, network.exemplar] and sides[0] != sides[1]:
        images.reverse()
    search = add_prefix(whole, "x/")
    names = ["x/" + value.name for value in images]
    _resized(search, names[0], network.exemplar)
    _resized(search, names[1], network.search)
    _rename(search, {names[0]: "z/pixels", names[1]: IMAGES[1]})
    shape = [1, 3, network.exemplar, network.exemplar]
    picture, pixels = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in (IMAGES[0], "z/pixels")
    )
    copy = helper.make_node("Identity", [IMAGES[0]], ["z/pixels"])
    exemplar = helper.make_model(
        helper.make_graph([copy], "exemplar", [picture], [pixels]),
        opset_imports=search.opset_import, ir_version=search.ir_version,
    )  # fmt: skip
    return exemplar, search


def _weights(network, parts):
    """A network whose convolutions take weights that kernel models make of the exemplar."""
    whole, cut = parts["network"], network.file("network").features
    source = _inputs(whole)[0].name
    if not any(cut in node.output for node in whole.graph.node):
        raise ValueError("the network has no tensor {!r} (its file's features)".format(cut))
    exemplar = _resized(add_prefix(whole, "z/"), "z/" + source, network.exemplar)
    _rename(exemplar, {"z/" + source: IMAGES[0]})
    search = _resized(add_prefix(whole, "x/"), "x/" + source, network.search)
    _rename(search, {"x/" + source: IMAGES[1]})
    del exemplar.graph.output[:]
    for part in ("kernel_cls", "kernel_loc"):
        output = network.file(part).weight_of
        conv = next((n for n in search.graph.node if "x/" + output in n.output), None)
        if conv is None or conv.op_type != "Conv":
            raise ValueError("the network has no convolution that gives {!r}".format(output))
        kernel = add_prefix(parts[part], part + "/")
        made, taken = part + "/" + parts[part].graph.output[0].name, "weights/" + part
        _rename(kernel, {part + "/" + _inputs(parts[part])[0].name: "z/" + cut})
        shape = next(t.dims for t in search.graph.initializer if t.name == conv.input[1])
        shape = helper.make_tensor(taken + "/shape", TensorProto.INT64, [len(shape)], shape)
        exemplar.graph.node.extend(kernel.graph.node)
        exemplar.graph.node.append(helper.make_node("Reshape", [made, shape.name], [taken]))
        exemplar.graph.initializer.extend(list(kernel.graph.initializer) + [shape])
        exemplar.graph.output.append(helper.ValueInfoProto(name=taken))
        conv.input[1] = taken
    return _pruned(exemplar), search


def _unmasked(model):
    """Take away inputs and outputs that mask padding (STARK): nothing is masked."""
    graph = model.graph
    for value in _inputs(model):
        if value.type.tensor_type.elem_type == TensorProto.BOOL:
            zeros = np.zeros(shape_of(value), bool)
            graph.initializer.append(onnx.numpy_helper.from_array(zeros, value.name))
            graph.input.remove(value)
    for value in list(graph.output):
        if value.type.tensor_type.elem_type == TensorProto.BOOL:
            graph.output.remove(value)
    return model


def _hoist(exemplar, search):
    """Move what depends on the exemplar alone out of the search model, into the exemplar's."""
    known = {v.name for v in exemplar.graph.output}
    constants = {tensor.name: tensor for tensor in search.graph.initializer}
    fixed = set(constants)
    moved, kept, carried = [], [], []
    for node in search.graph.node:
        inputs = _reads(node)
        if all(name in fixed for name in inputs):  # constant nodes are needed on both sides
            fixed.update(node.output)
            carried.append(node)
            kept.append(node)
        elif all(name in known or name in fixed for name in inputs):
            known.update(node.output)
            moved.append(node)
        else:
            kept.append(node)
    needed = {name for node in kept for name in _reads(node)}
    needed.update(value.name for value in search.graph.output)
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
        yield from node.output


def _pruned(model):
    """Drop nodes and initializers whose results nobody reads."""
    graph = model.graph
    needed, nodes = {value.name for value in graph.output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(_reads(node))
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


def _without_branches(model):
    whole = decided(model)
    return model if whole is model else _inferred(_pruned(whole))


def shape_of(value):
    """The shape of a graph's input or output, as a tuple of ints (0 where it is not fixed)."""
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def _order_maps(network, search):
    """Bring the outputs into the family's order; refuse those that the TOML does not announce."""
    wanted = decode.shapes(network)
    there = list(search.graph.output)
    chosen = _by_name(network, there) if network.maps else _by_shape(wanted, there)
    shapes = [shape_of(value) for value in chosen]
    if [_plain(shape) for shape in shapes] != [_plain(shape) for shape in wanted]:
        raise BadNetwork(
            "{} says maps of {}, but its ONNX gives {} for a {} px search region; correct the TOML "
            "or the file".format(
                network.path, _text(wanted), _text([shape_of(v) for v in there]), network.search
            )
        )
    del search.graph.output[:]
    search.graph.output.extend(chosen)
    _pruned(search)


def _by_name(network, there):
    """The outputs that ``[head] maps`` names; they carry a prefix by now."""
    named = {value.name.split("/", 1)[-1]: value for value in there}
    for name in network.maps:
        if name not in named:
            raise BadNetwork(
                "{}: [head] maps names {!r}, but the ONNX gives {}; correct the name".format(
                    network.path, name, ", ".join(sorted(named))
                )
            )
    return [named[name] for name in network.maps]


def _by_shape(wanted, there):
    """For each wanted shape the first output that has it; where one lacks, those that are there."""
    left, chosen = list(there), []
    for shape in wanted:
        value = next((v for v in left if _plain(shape_of(v)) == _plain(shape)), None)
        if value is None:
            return there
        left.remove(value)
        chosen.append(value)
    return chosen


def _plain(shape):
    """A shape without the sides of 1, in which exports differ."""
    return tuple(side for side in shape if side != 1)


def _text(shapes):
    return " and ".join("x".join(map(str, shape)) for shape in shapes)


def _reads(node):
    """Names of all tensors that a node reads, those inside its branches too."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
        for graph in graphs:
            own = {name for inner in graph.node for name in inner.output}
            own.update(tensor.name for tensor in graph.initializer)
            own.update(value.name for value in graph.input)
            inside = {name for inner in graph.node for name in _reads(inner)}
            inside.update(value.name for value in graph.output)
            names.update(inside - own)
    return names


def _inputs(model):
    """A model's inputs without those that have a value."""
    tensors = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in tensors]


def _is_image(value):
    shape = shape_of(value)
    return len(shape) == 4 and shape[1] == 3


def _opset(model):
    return next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
