"""Nothing opens an ONNX file of a stranger before its budget was checked."""

import ast
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
from tests.support import ROOT, malformed, tiny_detector
from tests.support.errors import refusal

# functions of the libraries that open an ONNX model, as they are called here
OPENERS = {
    *("onnx.load", "onnx.load_model", "onnx.load_model_from_string", "onnx.load_from_string"),
    *(
        "InferenceSession",
        "read_model",
        "readNetFromONNX",
        "readNet",
        "OnnxParser",
        "ParseFromString",
    ),
}
# each file that calls one, and why its model is no stranger's or was checked
KNOWN = {
    "hotpath/graphs/models.py": "the door",
    "hotpath/graphs/canonical_models.py": "files of canonical.load, which were checked",
    "hotpath/runtime/tracker/point_prompt.py": "checks its head",
    "hotpath/runtime/engines/onnxruntime.py": "of canonical.read, or app/detect, which checks it",
    "hotpath/runtime/engines/onnxruntime_gpu.py": "files of canonical.read",
    "hotpath/runtime/engines/openvino.py": "of canonical.read, or app/detect, which checks it",
    "hotpath/deploy/bundles/prepared.py": "a model that was made here",
    "hotpath/deploy/bundles/plans.py": "files of prepared.read, which checks them",
    "hotpath/deploy/fps/worker.py": "files of canonical.load",
    "projects/nogpu/hotpath_nogpu/tensorrt/models.py": "what deploy gave a GPU's stand-in",
    "projects/research/hotpath_research/train/teacher.py": "a network that canonical.load has read",
}


def opens(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if name in OPENERS or node.attr in OPENERS:
                return True
    return False


def test_who_opens_a_model_is_known():
    paths = list((ROOT / "hotpath").rglob("*.py"))
    for package in (ROOT / "projects").glob("*/hotpath_*"):
        paths += package.rglob("*.py")
    found = {str(path.relative_to(ROOT)) for path in paths if opens(path)}
    assert found == set(KNOWN)


@pytest.fixture(params=["loop", "nodes", "cut"])
def evil(request, tmp_path):
    """An ONNX file over the budget."""
    pytest.importorskip("onnx")
    path = tmp_path / "evil.onnx"
    if request.param == "loop":
        path.write_bytes(malformed.inside("Loop", 1))
    elif request.param == "nodes":
        path.write_bytes(malformed.network(*[malformed.node("Identity")] * 60000))
    else:
        path.write_bytes(b"\x3a\xff\xff\xff\xff\x7f" + bytes(20))
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


def test_what_ships_is_within_the_budget():
    for path in NETWORKS.glob("*.onnx"):
        onnx_budget.check(path)
