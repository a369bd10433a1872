"""A graph for several windows gives the maps of single calls, or is not made."""

import numpy as np
import pytest

from hotpath.graphs import batch, models
from hotpath.runtime.networks import canonical, load_network
from tests.conftest import ROOT
from tests.support.examples import few_of
from tests.support.models import model_of

onnxruntime = pytest.importorskip("onnxruntime")
INT8 = str(ROOT / "hotpath" / "runtime" / "networks" / "int8" / "kestrel-int8.toml")
PUBLISHED = ["nanotrack_v1", "nanotrack_v2", "nanotrack_v3", "kestrel", INT8]
PUBLISHED += ["lighttrack", "siamfc_015"]


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


X = (1, 4, 6)  # of x in the graphs below; y is theirs
MIXES = {
    "a sum": (("ReduceSum", ["x", "c"], ["y"]), X, {"c": np.array([0])}),
    "a softmax": (("Softmax", ["x"], ["y"], {"axis": 0}), X, {}),
    "a softmax from the end": (("Softmax", ["x"], ["y"], {"axis": -3}), X, {}),
    "a concatenation": (("Concat", ["x", "x"], ["y"], {"axis": 0}), (2, 4, 6), {}),
    "a transposition": (("Transpose", ["x"], ["y"], {"perm": [1, 0, 2]}), (4, 1, 6), {}),
    "a table beside it": (("Add", ["x", "c"], ["y"]), (2, 4, 6), {"c": np.ones((2, 1, 1), "f")}),
    "a lower rank": (("Add", ["x", "z"], ["y"]), X, {}),
    "a product with itself": (("MatMul", ["z", "x"], ["y"]), (1, 1, 6), {}),
    "a size": (("Resize", ["x", "", "", "c"], ["y"]), X, {"c": np.array(X)}),
    "a scale": (("Resize", ["x", "", "c"], ["y"]), (2, 4, 6), {"c": np.array([2, 1, 1], "f")}),
    "another operator": (("CumSum", ["x", "c"], ["y"]), X, {"c": np.array(0)}),
}


@pytest.mark.parametrize("how", sorted(MIXES))
def test_a_graph_that_mixes_the_targets_is_not_batched(how):
    node, shape, constants = MIXES[how]
    inputs = {"x": X, "z": (1, 4 if node[0] == "MatMul" else 6)}
    model = model_of([node], inputs, {"y": shape}, constants)
    assert batch.several(model, 2) is None and batch.several(model, 4) is None


def test_a_graph_that_mixes_the_targets_inside_is_not_batched():
    mean = ("ReduceMean", ["x"], ["mean"], {"axes": [0]})
    model = model_of([mean, ("Sub", ["x", "mean"], ["y"])], {"x": X}, {"y": X})
    assert batch.several(models.infer_shapes(model), 2) is None


ROWS = ("Flatten", ["x"], ["rows"], {"axis": 2})
BESIDE = {  # what ONNX says of a shape does not tell that these fit one target only
    "a bias for each row": [ROWS, ("Gemm", ["rows", "w", "c"], ["y"])],
    "a slope for each row": [ROWS, ("PRelu", ["rows", "c"], ["y"])],
    "one number": [
        ("ReduceMean", ["x"], ["m"], {"keepdims": 0}),
        ("QuantizeLinear", ["m", "s"], ["q"]),
        ("DequantizeLinear", ["q", "s"], ["d"]),
        ROWS,
        ("Add", ["rows", "d"], ["y"]),
    ],
}


@pytest.mark.parametrize("how", sorted(BESIDE))
def test_a_graph_that_only_one_target_fits_is_not_batched(how):
    constants = {"w": np.eye(6, dtype="f"), "c": np.ones((4, 6), "f"), "s": np.float32(1)}
    used = {name for node in BESIDE[how] for name in node[1]}
    constants = {name: value for name, value in constants.items() if name in used}
    model = models.infer_shapes(model_of(BESIDE[how], {"x": X}, {"y": (4, 6)}, constants))
    assert batch.several(model, 2) is None


KEEPS = {
    "a maximum": (("ReduceMax", ["x"], ["y"], {"axes": [1], "keepdims": 0}), (1, 6), {}),
    "a softmax": (("Softmax", ["x"], ["y"], {"axis": 1}), X, {}),
    "a concatenation": (("Concat", ["x", "x"], ["y"], {"axis": -1}), (1, 4, 12), {}),
    "a transposition": (("Transpose", ["x"], ["y"], {"perm": [0, 2, 1]}), (1, 6, 4), {}),
    "a table": (("Add", ["c", "x"], ["y"]), X, {"c": np.arange(24, dtype="f").reshape(X)}),
    "a product": (("MatMul", ["c", "x"], ["y"]), (1, 2, 6), {"c": np.ones((2, 4), "f")}),
    "rows": (("Reshape", ["x", "c"], ["y"]), (4, 6), {"c": np.array([4, 6])}),
}


@pytest.mark.parametrize("how", sorted(KEEPS))
def test_a_graph_that_keeps_the_targets_apart_gives_the_maps_of_single_calls(how):
    node, shape, constants = KEEPS[how]
    model = model_of([node], {"x": X}, {"y": shape}, constants)
    xs = np.random.RandomState(2).randn(3, *X[1:]).astype("f")
    (together,) = _run(batch.several(model, 3).SerializeToString(), None, {"x": xs})
    alone = [_run(model.SerializeToString(), None, {"x": x[None]})[0] for x in xs]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-6)
