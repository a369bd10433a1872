"""A user's own network: a TOML of some twenty lines and its ONNX in a folder, nothing else."""

import numpy as np
import onnx

from hotpath.runtime import load_tracker
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import load_network
from tests.support import blobs, tiny
from tests.support.errors import refusal

OWN = """family = "points"
[input]
exemplar = 95
search = 191
crop = "area"
exemplar_factor = 1.5
search_factor = 3.0
corner = "s/2"
channels = "RGB"
[head]
stride = 16
map_size = 11
score = "sigmoid"
[tracking]
penalty = 0.05
window_influence = 0.2
size_lr = 0.5
[[file]]
part = "exemplar"
name = "mine_template.onnx"
[[file]]
part = "search"
name = "mine_track.onnx"
"""


def write_own(folder):
    """A TOML that no published network has, and files that fit it; returns the TOML."""
    path = folder / "mine.toml"
    path.write_text(OWN)
    network = load_network(path)
    for part, model in blobs.points(network).items():
        onnx.save(model, str(folder / network.file(part).name))
    return path


def assert_follows(toml, count=4):
    """A tracker with that network follows the blob of a film."""
    frames, boxes = blobs.film(count)
    found = tiny.boxes_of(load_tracker(toml), frames, boxes)
    np.testing.assert_allclose(found, boxes[1:], rtol=0, atol=1.5)


def test_a_network_of_ones_own_needs_a_toml_and_its_files_only(tmp_path):
    assert_follows(write_own(tmp_path), 25)


def test_outputs_may_come_in_any_order_and_with_any_name(tmp_path):
    toml = write_own(tmp_path)
    path = tmp_path / "mine_track.onnx"
    model = onnx.load(str(path))
    outputs = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend(reversed(outputs))
    onnx.save(model, str(path))
    assert_follows(toml)


def test_outputs_of_one_shape_are_told_apart_by_name(tmp_path):
    """The heat maps come bottom right first; `maps` says so, and without it the box is refused."""
    toml = blobs.write_network(tmp_path, "stark_s50")
    assert_follows(toml)
    toml.write_text(toml.read_text().replace('"top_left", ', '"top", '))
    with refusal(BadNetwork, "unknown output"):
        load_tracker(toml)


def test_masks_of_the_padding_are_left_open(tmp_path):
    """Exports of STARK take bool masks; nothing is masked, and no mask has to be fed."""
    toml = blobs.write_network(tmp_path, "stark_lightning")
    for part, image in (("exemplar", "picture"), ("search", "search")):
        add_mask(tmp_path / f"stark_lightning_{part}.onnx", image)
    assert_follows(toml)


def add_mask(path, image):
    """Give a model an input for a mask of its picture; true pixels would be removed."""
    model = onnx.load(str(path))
    side = next(v for v in model.graph.input if v.name == image)
    side = side.type.tensor_type.shape.dim[2].dim_value
    mask = onnx.helper.make_tensor_value_info("mask", onnx.TensorProto.BOOL, (1, side, side))
    model.graph.input.insert(0, mask)
    nodes = [
        onnx.helper.make_node("Cast", ["mask"], ["masked"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Mul", ["masked", "far"], ["away"]),
        onnx.helper.make_node("Sub", [image, "away"], ["seen"]),
    ]
    for node in model.graph.node:
        node.input[:] = ["seen" if name == image else name for name in node.input]
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes + rest)
    far = onnx.numpy_helper.from_array(np.array(1e3, np.float32), "far")
    model.graph.initializer.append(far)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def test_a_search_graph_without_a_picture_is_refused_in_words(tmp_path):
    toml = write_own(tmp_path)
    graph = blobs.BlobGraph()
    graph.Add("a", "b", output="c")
    shape = (1, 4, 11, 11)
    model = graph.model([("a", shape), ("b", shape)], [("c", shape)])
    onnx.save(model, str(tmp_path / "mine_track.onnx"))
    with refusal(BadNetwork, "parts do not fit"):
        load_tracker(toml)
