"""Files that a user exported are taken if they find a target, whatever their sha256 is."""

import numpy as np
import pytest

from hotpath.runtime import load_tracker
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import load_network
from tests.support.errors import refusal

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(params=["fear_xs", "lighttrack", "siamfc_030"])
def exported(request, networks_dir, tmp_path):
    """A network, and a function that exports it again: with its own or with random weights."""
    network = load_network(request.param)
    try:
        paths = network.locate(networks_dir)
    except BadNetwork as error:
        pytest.skip(str(error))

    def export(random):
        folder = tmp_path / ("random" if random else "same")
        folder.mkdir()
        numbers = np.random.default_rng(0)
        for path in paths.values():
            model = onnx.load(str(path))
            model.producer_name = "another program"
            for weights in model.graph.initializer if random else ():
                array = onnx.numpy_helper.to_array(weights)
                if array.dtype == np.float32 and array.size > 64:
                    drawn = numbers.normal(0, array.std() or 0.1, array.shape)
                    new = onnx.numpy_helper.from_array(drawn.astype(np.float32), weights.name)
                    weights.CopyFrom(new)
            onnx.save(model, str(folder / path.name))
        return folder

    return network, export, networks_dir


def test_another_export_of_the_same_weights_is_taken_with_a_sentence(exported):
    network, export, networks_dir = exported
    said = []
    load_tracker(network.name, networks_dir=export(random=False), log=said.append).close()
    (line,) = [line for line in said if "sha256 is unknown" in line]
    assert all(entry.name in line for entry in network.files) and "right shapes" in line
    said.clear()
    load_tracker(network.name, networks_dir=networks_dir, log=said.append).close()
    assert not [line for line in said if "unknown" in line]  # the one that was measured


def test_a_network_of_other_weights_is_refused(exported):
    network, export, _ = exported
    with refusal(BadNetwork, "other network") as refused:
        load_tracker(network.name, networks_dir=export(random=True))
    assert "hotpath networks add" in str(refused.value)


def test_files_that_ship_or_are_downloaded_keep_their_hashes():
    for name in ("kestrel", "lightfc", "nanotrack_v2", "vittrack"):
        assert all(entry.sha256 and not entry.measured_sha256 for entry in load_network(name).files)
    (vittrack,) = load_network("vittrack").files  # not the upload that its author withdrew
    assert vittrack.sha256.startswith("2990f0b7") and "/fef72f8f" in vittrack.url
