"""Exports that PyTorch makes here track like the model, whatever the exporter leaves in a graph."""

import itertools
import shutil
import sys
import warnings

import numpy as np
import onnx
import pytest

from hotpath.graphs import models
from hotpath.runtime import load_tracker
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import load_network
from tests.support import blobs, tiny
from tests.support.examples import few_of

pytest.importorskip("torch")
pytest.importorskip("onnxslim")
pytest.importorskip("onnxscript")  # the newer exporter needs it

from research_tests.export import torch_module

warnings.filterwarnings("ignore")

# a network of every family
FAMILIES = ("lighttrack", "siamrpnpp_resnet50", "vittrack", "stark_s50", "siamfc_015")
WAYS = {
    "opset 9": dict(opset=9, folding=False),
    "opset 11, dynamic": dict(opset=11, folding=False, dynamic=True),
    "opset 13, folded": dict(opset=13),
    "opset 17, dynamic": dict(opset=17, folding=False, dynamic=True),
    "opset 18, dynamo": dict(opset=18, dynamo=True, folding=False),
    "opset 18, dynamo, optimised": dict(opset=18, dynamo=True),
}
ENGINES = ("onnxruntime", "openvino")


def boxes_of(toml, engine, networks_dir=None):
    """Boxes of the blob film."""
    tracker = load_tracker(toml, engine=engine, networks_dir=networks_dir)
    return tiny.boxes_of(tracker, *blobs.film(6))


def without_hashes(lines):
    """The lines of a TOML for files of other bytes: no hashes, and no negatives of the old ones."""
    text = "".join(lines).partition("[negatives]")[0]
    return "".join(line for line in text.splitlines(True) if not line.startswith("sha256"))


def check(toml, folder, networks_dir=None, change=None, bound=1e-3, **way):
    """Export all files of a network by PyTorch; check that the boxes stay the same (px)."""
    network = load_network(toml)
    plain, exported = folder / "plain", folder / "exported"
    for place in (plain, exported):
        place.mkdir()
        text = network.path.read_text().splitlines(keepends=True)
        (place / "net.toml").write_text(without_hashes(text))
    for part, path in network.locate(networks_dir).items():
        model = models.read(path)
        if change:
            change(model)
        onnx.save(model, str(plain / network.file(part).name))
        torch_module.export(model, exported / network.file(part).name, **way)
    for engine in ENGINES:
        expected = boxes_of(plain / "net.toml", engine)
        assert np.abs(np.diff(expected, axis=0)).max() > 0.1  # the box does move
        np.testing.assert_allclose(boxes_of(exported / "net.toml", engine), expected, atol=bound)
    return exported


# (network, way): those that `make test` tries
KEPT = [(name, "opset 17, dynamic") for name in FAMILIES]
KEPT += [("lighttrack", "opset 9"), ("siamrpnpp_resnet50", "opset 11, dynamic")]
KEPT += [("lighttrack", "opset 18, dynamo")]
NANOTRACK = [("nanotrack_v2", "opset 11, dynamic")]
SLOW = "PyTorch exports each network in each way"


@pytest.mark.parametrize("name, way", few_of(itertools.product(FAMILIES, WAYS), KEPT, SLOW))
def test_an_export_of_every_family_has_the_boxes_of_its_model(tmp_path, name, way):
    check(blobs.write_network(tmp_path, name), tmp_path, **WAYS[way])


@pytest.mark.parametrize(
    "name, way",
    few_of(itertools.product([f"nanotrack_v{n}" for n in (1, 2, 3)], WAYS), NANOTRACK, SLOW),
)
def test_an_export_of_nanotrack_has_the_published_boxes(tmp_path, networks_dir, name, way):
    if name == "nanotrack_v3" and WAYS[way].get("dynamic"):
        pytest.skip("PyTorch exports no convolution by a tensor whose sides are left open")
    check(name, tmp_path, networks_dir, **WAYS[way])


def to_float16_numbers(model):
    """Round a model's weights to numbers that float16 has."""
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            array = onnx.numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def test_a_float16_export_computes_in_float32(tmp_path, networks_dir):
    half = dict(opset=13, half=True, bound=5e-3)  # scalars beside the weights are rounded too
    exported = check("nanotrack_v2", tmp_path, networks_dir, to_float16_numbers, **half)
    model = onnx.load(str(next(exported.glob("*.onnx"))))
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT16


def test_weights_in_a_file_of_their_own_are_read(tmp_path):
    toml = blobs.write_network(tmp_path, "lighttrack")
    expected = boxes_of(toml, "onnxruntime")
    for path in list(tmp_path.glob("*.onnx")):
        torch_module.with_external_data(path)
    assert list(tmp_path.glob("*.data"))
    np.testing.assert_array_equal(boxes_of(toml, "onnxruntime"), expected)


def test_backbone_and_head_may_have_different_opsets(tmp_path, networks_dir):
    network = load_network("nanotrack_v2")
    paths = network.locate(networks_dir)
    lines = network.path.read_text().splitlines(keepends=True)
    (tmp_path / "net.toml").write_text(without_hashes(lines))
    shutil.copy(str(paths["head"]), str(tmp_path / network.file("head").name))  # opset 14
    torch_module.export(
        models.read(paths["backbone"]), tmp_path / network.file("backbone").name, opset=11
    )
    for engine in ENGINES:
        expected = boxes_of("nanotrack_v2", engine, networks_dir)
        np.testing.assert_allclose(boxes_of(tmp_path / "net.toml", engine), expected, atol=1e-3)


def test_without_onnxslim_one_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    toml = tiny.write_network(tmp_path)
    for path in load_network(toml).locate().values():
        torch_module.export(models.read(path), path, opset=13, folding=False, dynamic=True)
    monkeypatch.setitem(sys.modules, "onnxslim", None)
    with pytest.raises(BadNetwork, match="make setup ALSO=exports"):
        load_tracker(toml)
