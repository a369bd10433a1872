"""Exports of one network in other conventions have the boxes of the usual one."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hotpath.runtime import load_tracker
from tests.support import blobs


def multiply(folder, choose, factors):
    """Multiply a search graph's output of fewest channels (``min``), or of most (``max``)."""
    path = next(path for path in folder.glob("*.onnx") if len(onnx.load(str(path)).graph.input) > 1)
    model = onnx.load(str(path))
    graph = model.graph
    output = choose(graph.output, key=lambda v: v.type.tensor_type.shape.dim[1].dim_value).name
    plain = f"plain{len(graph.node)}"
    for node in graph.node:
        node.output[:] = [plain if name == output else name for name in node.output]
    array = np.array(factors, np.float32).reshape(1, -1, 1, 1)
    graph.initializer.append(numpy_helper.from_array(array, plain + "/factors"))
    graph.node.append(helper.make_node("Mul", [plain, plain + "/factors"], [output]))
    onnx.save(model, str(path))


def tracks_of(toml, engine="onnxruntime"):
    """Boxes and scores, (frames, 5)."""
    tracker = load_tracker(toml, engine=engine)
    frames, boxes = blobs.film(4)
    tracker.init(frames[0], boxes[0])
    found = [tracker.update(frame) for frame in frames[1:]]
    tracker.close()
    return np.array([tuple(track.box) + (track.score,) for track in found])


@pytest.mark.parametrize("engine", ("openvino", "onnxruntime"))
@pytest.mark.parametrize(
    "keys, factors",
    [
        ('unit = "cells"', np.ones(4) / 8),
        ('unit = "region"', np.ones(4) / 255),
        ('signs = "axes"', (-1, -1, 1, 1)),
        ('unit = "cells"\nsigns = "axes"', np.array((-1, -1, 1, 1)) / 8),
    ],
)
def test_distances_of_another_unit_and_sign_give_the_same_boxes(tmp_path, engine, keys, factors):
    toml = blobs.write_network(tmp_path, "siamban")
    before = tracks_of(toml, engine)
    multiply(tmp_path, max, factors)
    toml.write_text(toml.read_text().replace("[head]\n", "[head]\n" + keys + "\n"))
    np.testing.assert_allclose(tracks_of(toml, engine), before, atol=1e-3)


@pytest.mark.parametrize("name", ("siamban", "siamrpnpp"))
def test_the_target_may_be_the_first_half_of_a_softmax(tmp_path, name):
    toml = blobs.write_network(tmp_path, name)
    multiply(tmp_path, min, (0.01,))  # scores that lie between 0 and 1
    before = tracks_of(toml)
    # the logits of these networks are (-a, a); exchanged halves are (a, -a)
    multiply(tmp_path, min, (-1,))
    wrong = tracks_of(toml)
    toml.write_text(toml.read_text().replace("[head]\n", '[head]\ntarget = "first"\n'))
    np.testing.assert_allclose(tracks_of(toml), before, atol=1e-3)
    assert np.abs(wrong - before).max() > 0.05
