"""The network that ships: its size, its operators, and that folding changes nothing."""

import hashlib
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from hotpath.calib.errors import TrainingStopped  # noqa: E402
from hotpath.runtime.networks import load_network  # noqa: E402
from hotpath_research.train import export, layers, origin  # noqa: E402  (after the check for torch)
from research_tests.training import used_network  # noqa: E402

ALLOWED = {"Conv", "Relu", "Concat", "MatMul", "Reshape", "Transpose", "Constant", "Add"}
ALLOWED.add("Sigmoid")


@pytest.fixture(scope="module", params=["nine", "four"])
def used(request):
    width, tower = (96, 64) if request.param == "nine" else (64, 48)
    return used_network(shape=request.param, width=width, tower=tower)


@pytest.fixture(scope="module")
def exported(used, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    torch.save({"config": used.config, "average": used.state_dict()}, folder / "run.pt")
    return folder, export.export(folder / "run.pt", folder, "kestrel")


def test_the_size_is_that_of_the_document(used, exported):
    wanted = {"nine": 298.9, "four": 160.9}[used.config["shape"]]
    assert exported[1]["macs_m"] == pytest.approx(wanted, abs=0.05)


def test_exported_graphs_hold_operators_of_every_target(exported):
    for path in exported[0].glob("*.onnx"):
        model = onnx.load(str(path))
        assert {node.op_type for node in model.graph.node} <= ALLOWED
        for node in model.graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Conv":
                assert attributes["kernel_shape"] in ([1, 1], [3, 3])


def test_onnx_runtime_agrees_with_torch_on_the_exported_graphs(used, exported):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(1, 3, 128, 128)).astype(np.float32)
    x = rng.normal(size=(1, 3, 256, 256)).astype(np.float32)
    assert exported[1]["fold_error"] < 1e-3
    run = [
        onnxruntime.InferenceSession(str(exported[0] / name), providers=["CPUExecutionProvider"])
        for name in ("kestrel_exemplar.onnx", "kestrel_search.onnx")
    ]
    features = run[0].run(None, {"image": z})[0]
    found = run[1].run(None, {"exemplar": features, "image": x})
    with torch.no_grad():
        logits, size, offset = used(torch.from_numpy(z), torch.from_numpy(x))
    assert features.shape == (1, used.head.width, 8, 8)
    for ours, theirs in zip(found, (logits[:, None].sigmoid(), size, offset)):
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_a_head_takes_the_backbone_of_another_run(used, exported, tmp_path):
    other = used_network(**{**used.config, "shape": "tiny"})
    for network, scale in ((used, 1.0), (other, 3.0)):
        network.backbone.mean.fill_(0.5 * scale)
        network.backbone.deviation.fill_(scale)
    for name, network in (("head", used), ("features", other)):
        state = {"config": network.config, "average": network.state_dict()}
        torch.save(state, tmp_path / f"{name}.pt")
    joined = export.load(tmp_path / "head.pt", tmp_path / "features.pt")
    x = torch.randn(1, 3, 256, 256)
    with torch.no_grad():  # the teacher's features, as the head knows them
        theirs = other.backbone(x) * 3.0 + 1.5
        torch.testing.assert_close(joined.backbone(x), theirs - 0.5, atol=1e-3, rtol=1e-3)
    assert torch.equal(joined.head.score.weight, used.head.score.weight)


def test_export_of_a_run_that_is_not_there_says_so(tmp_path):
    with pytest.raises(TrainingStopped, match="train first"):
        export.export(tmp_path / "none.pt", tmp_path)


def test_the_toml_asks_for_the_crops_that_were_trained_on(exported):
    found, teacher = load_network(str(exported[0] / "kestrel.toml")), load_network("lightfc")
    for key in ("family", "crop", "exemplar", "search", "mean", "scale", "channels", "map_size"):
        assert getattr(found, key) == getattr(teacher, key)


def test_the_licence_of_weights_follows_from_their_pictures(tmp_path):
    def is_free(*lines, event="pictures", teacher="MIT"):
        events = ["pictures", *[event] * (len(lines) - 1)]
        told = [{"event": each, "licences": found} for each, found in zip(events, lines)]
        told += [{"event": "teacher", "name": "a", "licence": teacher}] * bool(teacher)
        (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
        licence = origin.origin_of(tmp_path / "head.pt").licence
        assert licence.startswith((origin.FREE, origin.UNSETTLED))
        return licence.startswith(origin.FREE)

    assert is_free({"A": 10, "B": 2})
    for lines in ([{"A": 10, "S": 1}], [{"A": 10}, {"R": 5}], [{"SA": 1}], []):
        assert not is_free(*lines)
    for teacher in ("", "not stated", "CC BY-NC 4.0", "not settled: unknown"):
        assert not is_free({"A": 10}, teacher=teacher)
    # as free as what it starts from
    assert is_free({"A": 5}, {"A": 5}, event="start")
    assert not is_free({"A": 5}, {"R": 5}, event="start")
    (tmp_path / "log.jsonl").unlink()
    assert not origin.origin_of(tmp_path / "head.pt").licence.startswith(origin.FREE)


def test_an_export_is_named_and_described_by_its_run(tmp_path):
    network = used_network(shape="tiny", width=16, tower=8)
    run = tmp_path / "my run"
    run.mkdir()
    torch.save({"config": network.config, "average": network.state_dict()}, run / "head.pt")
    events = [
        {"event": "started", "options": {"teacher": "vittrack"}, "git": "abc123"},
        {"event": "teacher", "name": "other_teacher", "licence": "MIT"},
        {"event": "pictures", "count": 1234, "licences": {"A": 1234}, "sources": {"birds": 1234}},
    ]
    (run / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    record = export.export(run / "head.pt", tmp_path / "out")
    text = (tmp_path / "out" / "my_run.toml").read_text()
    for part in ("other_teacher (MIT)", "1,234 pictures of birds", "A 1,234", "abc123"):
        assert part in text, text
    assert hashlib.sha256((run / "head.pt").read_bytes()).hexdigest() in text
    assert "LightFC" not in text and " 0 million" not in text
    assert f"{record['macs_m']:.3g} million" in text and record["macs_m"] > 1
    made = load_network(record["toml"])
    assert made.name == "my_run" and "other_teacher: MIT" in made.licence
    made.locate()


@pytest.mark.parametrize("folder, name", [("kestrel", "kestrel_own"), ("a-b", "a_b")])
def test_no_run_takes_the_name_of_a_network_that_ships(folder, name, tmp_path):
    assert origin.name_of(tmp_path / folder / "head.pt") == name
    assert origin.name_of(tmp_path / folder / "checkpoints" / "head-100.pt") == name


def test_another_network_is_replaced_only_by_force(tmp_path, capsys):
    command = [str(tmp_path), "--shape", "tiny", "--head", "8", "8", "0", "--name", "mine"]
    (tmp_path / "mine.toml").write_text("# somebody's\n")
    assert export.main(command) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "mine.toml").read_text() == "# somebody's\n"
    assert export.main([*command, "--force"]) == 0
    assert "random" in (tmp_path / "mine.toml").read_text()


def test_fixed_batch_norms_give_the_same_and_learn_parameters(used):
    unit = next(m for m in used.modules() if isinstance(m, layers.Depthwise))
    x = torch.randn(2, unit.weight.shape[0], 16, 16)
    unit.eval()
    convolved = torch.nn.functional.conv2d(
        x, unit.dense(), None, unit.stride, unit.padding, 1, unit.groups
    )
    torch.testing.assert_close(unit.convolved(x), unit.norm(convolved), rtol=1e-4, atol=1e-4)
    unit.convolved(x).square().mean().backward()
    assert unit.norm.weight.grad.abs().max() > 0 and unit.weight.grad.abs().max() > 0
    unit.zero_grad()
