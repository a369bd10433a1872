"""A graph for several windows gives the maps of single calls, or is not made."""

import numpy as np
import pytest
from onnx import helper

from hotpath.graphs import assemble, batch
from hotpath.runtime.networks import canonical, load_network
from tests.conftest import ROOT
from tests.support import tiny
from tests.support.examples import few_of
from tests.support.models import model_of

onnxruntime = pytest.importorskip("onnxruntime")
INT8 = str(ROOT / "hotpath" / "runtime" / "networks" / "int8" / "kestrel-int8.toml")
PUBLISHED = ["nanotrack_v1", "nanotrack_v2", "nanotrack_v3", "kestrel", INT8]
PUBLISHED += ["fear_xs", "lighttrack", "siamfc_015"]


def _run(model, names, inputs):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(names, inputs)


@pytest.mark.parametrize(
    ("published", "count"),
    few_of(
        [(each, 4) for each in PUBLISHED] + [("kestrel", 2), ("kestrel", 8)],
        [(each, 4) for each in PUBLISHED[2:]] + [("kestrel", 2), ("kestrel", 8)],
        "nanotrack_v3 has their operators",
    ),
)
def test_a_batch_gives_the_maps_of_single_calls(networks_dir, published, count):
    network = load_network(published)
    graphs = canonical.load(network, network.locate(networks_dir), canonical.FLOATS)
    noise, shapes = np.random.RandomState(count), graphs.search.shapes
    taken = [name for name in graphs.features if name in shapes] + [graphs.image[1]]
    inputs = {
        name: noise.uniform(
            0, 255 if name == graphs.image[1] else 1, (count, *shapes[name])
        ).astype("f")
        for name in taken
    }
    joined = {name: np.concatenate(values) for name, values in inputs.items()}
    together = _run(graphs.several[count].path, graphs.maps, joined)
    for number in range(count):
        one = {name: values[number] for name, values in inputs.items()}
        for whole, alone in zip(together, _run(graphs.search.path, graphs.maps, one)):
            own = whole[len(alone) * number : len(alone) * (number + 1)]
            np.testing.assert_allclose(own, alone, rtol=2e-3, atol=2e-3)


def test_a_graph_with_shapes_of_one_target_is_not_batched(tmp_path):
    network = load_network(tiny.write_network(tmp_path))
    search = assemble.build(network, network.locate()).search
    assert batch.several(search, 2) is not None
    for node in search.graph.node:  # a mean over all targets would mix them
        if node.op_type == "Neg":
            node.op_type = "ReduceSum"
            node.attribute.append(helper.make_attribute("axes", [0]))
            node.attribute.append(helper.make_attribute("keepdims", 1))
    assert batch.several(search, 2) is None


@pytest.mark.parametrize("groups", [1, 4])
def test_features_as_weights_meet_their_own_target(groups):
    weights = (6 if groups == 1 else 4, 4 // groups, 3, 3)
    node = ("Conv", ["x", "w"], ["y"], {"group": groups, "pads": [1, 1, 1, 1]})
    inputs = {"x": (1, 4, 8, 8), "w": weights}
    model = model_of([node], inputs, {"y": (1, weights[0], 8, 8)})
    noise = np.random.RandomState(1)
    xs, ws = noise.randn(3, 4, 8, 8).astype("f"), noise.randn(3, *weights).astype("f")
    three = batch.several(model, 3).SerializeToString()
    (together,) = _run(three, None, {"x": xs, "w": ws.reshape((-1,) + weights[1:])})
    for index in range(3):
        (alone,) = _run(
            model.SerializeToString(), None, {"x": xs[index : index + 1], "w": ws[index]}
        )
        np.testing.assert_allclose(together[index : index + 1], alone, atol=1e-5)


def test_a_reshape_that_moves_the_targets_is_not_batched():
    node = ("Reshape", ["x", "to"], ["y"])
    model = model_of([node], {"x": (1, 16)}, {"y": (4, 4)}, {"to": np.array([4, 4])})
    assert batch.several(model, 2) is None
