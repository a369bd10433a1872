"""A network that was exported is trained on without its checkpoint."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from calib.errors import TrainingStopped  # noqa: E402
from calib.research.train import export, start  # noqa: E402  (after the check for torch)
from calib.research.train.__main__ import parser, run  # noqa: E402
from calib.research.train.network import Folded, Kestrel, normalise  # noqa: E402
from calib.research.train.stages import Standard  # noqa: E402
from calib.research.train.unfold import graphs_of, unfold  # noqa: E402
from tests.support.training import read_log, used_network, write_training  # noqa: E402

WIDER = {"shape": "k80", "width": 40, "tower": 8, "depth": 1}  # more channels than the teacher has
BLOCKS = {"shape": "tinyb", "width": 24, "tower": 8, "depth": 2}


def held(channels=48, pairs=6):
    """The fields of held-out pairs that an export is unfolded with."""
    rng, found = np.random.default_rng(5), {}
    for part, side, cells, brightest in (("exemplar", 127, 8, 256), ("search", 255, 16, 120)):
        found[part] = rng.integers(0, brightest, (pairs, side, side, 3), np.uint8)
        features = rng.normal(size=(pairs, channels, cells, cells))
        found[part + "_features"] = features.astype(np.float32)
    return found


def write(network, folder):
    """Export a network; returns the paths of its parts."""
    torch.save({"config": network.config, "average": network.state_dict()}, folder / "joint.pt")
    export.export(folder / "joint.pt", folder / "export")
    return {part: folder / "export" / f"kestrel_{part}.onnx" for part in PARTS}


PARTS = ("exemplar", "search")


def unfolded(config, paths):
    torch.manual_seed(7)
    network, pairs = Kestrel(**config), held()
    unfold(network, graphs_of(paths), pairs, Standard.of(pairs))
    return network


@pytest.mark.parametrize("config", [WIDER, BLOCKS], ids=["wider", "blocks"])
def test_it_computes_what_the_export_computes(tmp_path, config):
    first = used_network(**config)
    second = unfolded(first.config, write(first, tmp_path)).eval()
    crops = torch.randn(2, 3, 127, 127), torch.randn(2, 3, 255, 255)
    with torch.no_grad():
        for wanted, found in zip(Folded(first)(*crops), second(*crops)):
            assert torch.allclose(wanted, found, atol=2e-3), (wanted - found).abs().max()


def test_its_statistics_are_those_of_pictures_and_it_learns(tmp_path):
    first = used_network(**BLOCKS)
    network = unfolded(first.config, write(first, tmp_path))
    crops = [normalise(torch.from_numpy(held()[part])) for part in PARTS]
    norm, seen = network.eval().backbone.layers[1].norm, []
    with torch.no_grad():
        for images in crops:
            values = network.backbone.layers[1].convolved(network.backbone.layers[0](images))
            seen.append((values.mean((0, 2, 3)), values.transpose(0, 1).flatten(1).var(1)))
    # what a training's running statistics come to, of exemplars and search crops in turns
    for n, kept in enumerate((norm.running_mean, norm.running_var)):
        running = seen[0][n].clone()
        for turn in range(400):
            running.lerp_(seen[turn % 2][n], norm.momentum)
        assert torch.allclose(kept, running, rtol=1e-3, atol=1e-4)
        assert not torch.allclose(kept, seen[1][n], rtol=1e-3, atol=1e-4)
    for unit in (network.head.reduce, network.backbone.layers[1], network.head.trunk[0]):
        lengths = unit.kernel().flatten(1).norm(dim=1)
        assert torch.allclose(lengths, torch.full_like(lengths, 2**0.5), atol=1e-4)
    sum(each.square().mean() for each in network(*crops)).backward()
    assert all(float(p.grad.abs().max()) > 0 for p in network.backbone.layers.parameters())


def test_what_is_no_export_of_this_network_is_refused(tmp_path):
    first = used_network(**WIDER)
    paths = write(first, tmp_path)
    network, weights = Kestrel(**first.config), graphs_of(paths)
    weights["search_graph.layers.0.0.weight_quantized"] = torch.zeros(1)
    with pytest.raises(TrainingStopped, match="in INT8; start from the TOML of its fp32 form"):
        unfold(network, weights, held(), Standard.of(held()))
    with pytest.raises(TrainingStopped, match="other layers than this network"):
        unfolded({**first.config, "depth": 2}, paths)
    folded = Folded(first)
    torch.nn.init.normal_(folded.search_graph.project.weight)  # as if it had been trained alone
    torch.save({"config": folded.config, "average": folded.state_dict()}, tmp_path / "finish.pt")
    export.export(tmp_path / "finish.pt", tmp_path / "export")
    with pytest.raises(TrainingStopped, match="start from a checkpoint of stage joint"):
        unfolded(first.config, paths)


def test_a_run_starts_from_a_toml_and_keeps_its_licence(tmp_path):
    write_training(tmp_path)
    common = ["--images", tmp_path / "images", "--teacher", tmp_path / "tiny.toml"]
    common += ["--cache", tmp_path / "cache", "--shape", "tiny", "--head", 16, 8, 1]
    common += ["--batch", 8, "--ring", 64, "--held", 16, "--lr", "joint=1e-9", "--pairs"]
    common += ["backbone=8", "head=16", "joint=8"]

    def train(out, *stages):
        arguments = [*common, "--out", tmp_path / out, "--stages", *stages]
        run(parser().parse_args([str(each) for each in arguments]))

    train("first", "backbone", "head", "joint")
    toml = tmp_path / "first" / "export" / "kestrel.toml"
    train("second", "joint", "--start", toml)
    lines = read_log(tmp_path / "second" / "log.jsonl")
    assert any("is an export" in str(line.get("what")) for line in lines)
    assert start.licences_of(toml) == start.UNKNOWN  # pictures that no table lists
    toml.write_text(toml.read_text().replace(start.UNSETTLED, start.FREE))
    assert start.licences_of(toml) == {"A": 0, "B": 0}
