"""The network that ships: its size, its operators, and that folding changes nothing."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from calib.errors import TrainingStopped  # noqa: E402
from calib.research.train import export, network, start  # noqa: E402  (after the check for torch)
from runtime.networks import load_network  # noqa: E402
from tests.support.training import used_network  # noqa: E402

ALLOWED = {"Conv", "Relu", "Concat", "MatMul", "Exp", "Reshape", "Transpose", "Constant", "Add"}


BLOCKS = {"shape": "k48b5", "width": 64, "tower": 48, "depth": 4}  # with a teacher's blocks


@pytest.fixture(scope="module", params=[{"shape": "k80"}, BLOCKS], ids=["k80", "b5"])
def used(request):
    return used_network(**request.param)


@pytest.fixture(scope="module")
def exported(used, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    torch.save({"config": used.config, "average": used.state_dict()}, folder / "run.pt")
    return folder, export.export(folder / "run.pt", folder)


def test_the_size_is_that_of_the_document(used, exported):
    size = {"k80": (98.7, 0.31), "k48b5": (124.3, 0.34)}[used.config["shape"]]
    assert (exported[1]["macs_m"], exported[1]["parameters_m"]) == pytest.approx(size, abs=0.05)


def test_exported_graphs_hold_only_operators_that_every_target_has(exported):
    for path in exported[0].glob("*.onnx"):
        model = onnx.load(str(path))
        assert {node.op_type for node in model.graph.node} <= ALLOWED
        for node in model.graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Conv":
                depthwise = attributes.get("group", 1) > 1
                assert attributes["kernel_shape"] in ([[5, 5]] if depthwise else [[1, 1], [3, 3]])


def test_onnx_runtime_agrees_with_torch_on_the_exported_graphs(used, exported):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(1, 3, 127, 127)).astype(np.float32)
    x = rng.normal(size=(1, 3, 255, 255)).astype(np.float32)
    assert exported[1]["fold_error"] < 1e-3
    run = [
        onnxruntime.InferenceSession(str(exported[0] / name), providers=["CPUExecutionProvider"])
        for name in ("kestrel_exemplar.onnx", "kestrel_search.onnx")
    ]
    features = run[0].run(None, {"image": z})[0]
    score, distances = run[1].run(None, {"exemplar": features, "image": x})
    with torch.no_grad():
        logits, logs = used(torch.from_numpy(z), torch.from_numpy(x))
    assert features.shape == (1, used.head.width, 8, 8)
    assert score.shape == (1, 1, 16, 16) and distances.shape == (1, 4, 16, 16)
    np.testing.assert_allclose(score[0, 0], logits[0], atol=2e-3)
    inside = (logs[0] > -1.9) & (logs[0] < 6.4)
    np.testing.assert_allclose(np.log(distances[0])[inside], logs[0][inside], atol=2e-3)


def test_export_of_a_run_that_is_not_there_says_so(tmp_path):
    with pytest.raises(TrainingStopped, match="train first"):
        export.export(tmp_path / "none.pt", tmp_path)


def test_normalised_images_are_what_the_toml_asks_the_runtime_for(exported):
    found = load_network(str(exported[0] / "kestrel.toml"))
    assert found.mean == (network.MEAN,) * 3 and found.scale == pytest.approx([network.SCALE] * 3)
    images = torch.tensor([[[[118, 60, 176]]]], dtype=torch.uint8)
    np.testing.assert_allclose(network.normalise(images).flatten(), [0.0, -1.0, 1.0], atol=1e-6)


def test_the_licence_of_weights_follows_from_the_pictures_that_the_run_saw(tmp_path):
    def licence(*lines, event="pictures"):
        events = ["pictures", *[event] * (len(lines) - 1)]
        told = [{"event": each, "licences": found} for each, found in zip(events, lines)]
        (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, told)))
        return start.licence_of(tmp_path / "joint.pt")

    assert licence({"A": 10, "B": 2}) == start.FREE
    for lines in ([{"A": 10, "S": 1}], [{"A": 10}, {"R": 5}], [{"SA": 1}], []):
        assert licence(*lines) == start.UNSETTLED
    # as free as what it starts from
    assert licence({"A": 5}, {"A": 5}, event="start") == start.FREE
    assert licence({"A": 5}, {"R": 5}, event="start") == start.UNSETTLED
    (tmp_path / "log.jsonl").unlink()
    assert start.licence_of(tmp_path / "joint.pt") == start.UNSETTLED
