"""Nothing opens an ONNX file of a stranger before its budget was checked."""

import json
import shutil

import numpy as np
import pytest

from hotpath.app import detect
from hotpath.deploy.bundles import prepared
from hotpath.runtime.errors import BadNetwork, NetworkFailed
from hotpath.runtime.network import NETWORKS, sha256_of
from hotpath.runtime.networks import canonical, onnx_budget
from hotpath.runtime.tracker import point_prompt
from tests.support import malformed, tiny_detector
from tests.support.errors import refusal


@pytest.fixture
def evil(tmp_path):
    """An ONNX file over the budget; ``test_budgets`` has other kinds."""
    pytest.importorskip("onnx")
    path = tmp_path / "evil.onnx"
    path.write_bytes(malformed.inside("Loop", 1))
    return path


def test_a_detector_over_the_budget_is_refused(evil, tmp_path):
    toml = tiny_detector.write_detector(tmp_path)
    shutil.copy(str(evil), str(tmp_path / "tiny_detector.onnx"))
    with pytest.raises(BadNetwork):
        detect.load_detector(toml)


def test_a_head_of_the_tap_over_the_budget_is_refused(evil):
    with pytest.raises(BadNetwork):
        point_prompt.PointPrompt(None, str(evil))


def test_a_graph_of_a_bundle_over_the_budget_is_refused(evil, tmp_path):
    folder = tmp_path / "graphs"
    folder.mkdir()
    for name in ("exemplar.onnx", "search.onnx"):
        shutil.copy(str(NETWORKS / f"kestrel_{name}"), str(folder / name))
    entry = dict(path="search.onnx", bytes=[], pixels=[], keeps_floats=False, shapes={})
    values = dict(precision="fp32", exemplar=dict(entry, path="exemplar.onnx"), search=entry)
    values.update(several={}, features=[], image=["a", "b"], maps=[], search_features=None)
    (folder / canonical.DESCRIPTION).write_text(json.dumps(values))
    canonical.read(str(folder))
    shutil.copy(str(evil), str(folder / "search.onnx"))
    with pytest.raises(BadNetwork):
        canonical.read(str(folder))


def test_a_model_of_a_prepared_folder_over_the_budget_is_refused(evil, tmp_path):
    values = {"files": {evil.name: sha256_of(evil)}, "format": prepared.FORMAT}
    values["sha256"] = prepared._digest(values)
    (tmp_path / prepared.FILE).write_text(json.dumps(values))
    with pytest.raises(BadNetwork):
        prepared.read(tmp_path)


def test_a_detectors_huge_tensor_is_refused_and_a_failure_said(tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx")
    toml = tiny_detector.write_detector(tmp_path)
    detector = detect.load_detector(toml)

    def fails(feeds):
        raise RuntimeError("bad allocation\nmore")

    monkeypatch.setattr(detector, "_run", fails)
    with pytest.raises(NetworkFailed, match="can't be run: bad allocation;"):
        detector.detect(tiny_detector.frame([]))
    model = tiny_detector.model()
    model.graph.node.append(onnx.helper.make_node("Expand", ["cells", "far"], ["huge"]))
    shape = onnx.numpy_helper.from_array(np.array([1 << 23, 3, 16, 16]), "far")
    model.graph.initializer.append(shape)
    onnx.save(model, str(tmp_path / "tiny_detector.onnx"))
    with refusal(BadNetwork, "too large"):
        detect.load_detector(toml)


@pytest.mark.parametrize("lengths", [[1 << 31], [None], [None, 8], [700 << 20, 700 << 20]])
def test_weights_in_other_files_count_before_a_byte_of_them_is_read(tmp_path, lengths):
    path = tmp_path / "a.onnx"
    path.write_bytes(malformed.beside(*lengths, name="weights.bin"))
    with open(str(tmp_path / "weights.bin"), "wb") as file:
        file.truncate(3 << 30 if None in lengths else 1)
    with refusal(BadNetwork, "over the budget"):
        onnx_budget.check(path)
    if None in lengths:  # what is hashed
        with refusal(BadNetwork, "over the budget"):
            sha256_of(path)
    path.write_bytes(malformed.beside(1 << 20, None, name="weights.bin"))
    (tmp_path / "weights.bin").write_bytes(bytes(2 << 20))
    onnx_budget.check(path)
