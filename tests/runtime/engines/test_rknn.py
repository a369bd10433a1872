"""The engine of the RK3588's NPU, on a stand-in with the signatures of rknn-toolkit-lite2."""

import ast
import inspect
import pathlib

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from boards import load_board
from boards.build.engines import converted
from boards.build.order import Order
from runtime import engines, load_tracker, loading
from runtime.errors import BadNetwork, NetworkFailed, NoEngine
from runtime.networks import load_network
from tests.support import ROOT, tiny

FAKES = ROOT / "tests" / "fakes" / "rknn"
# Where `make test-arm` unpacks the published wheel.
PUBLISHED = ROOT / ".cache" / "arm" / "aarch64" / "site" / "rknnlite" / "api" / "rknn_lite.py"
CALLED = ("__init__", "load_rknn", "init_runtime", "inference", "release")


@pytest.fixture
def npu(monkeypatch):
    """The stand-in's class."""
    monkeypatch.syspath_prepend(str(FAKES))
    from rknnlite.api import RKNNLite

    monkeypatch.setattr(RKNNLite, "driver_is_there", True)
    return RKNNLite


@pytest.fixture
def made(tmp_path):
    """A bundle of the tiny network whose models the stand-in can run."""
    network = load_network(tiny.write_network(tmp_path))

    def convert(part):
        (part.folder / (part.name + ".rknn")).write_bytes(part.model.SerializeToString())
        return {"model": part.name + ".rknn"}

    order = Order(load_board("rk3588"), network, "fp16", tmp_path / "engines")
    return converted.build(order, "2.5.0", convert)


def test_maps_equal_those_of_the_processors_engine(npu, made):
    network = made.load_network()
    ours = loading.open_bundle(made)
    files = {entry.part: made.folder.parents[2] / entry.name for entry in network.files}
    theirs = engines.create("onnxruntime", network, files)
    random = np.random.RandomState(1)
    pictures = [random.uniform(0, 255, (1, 3, side, side)) for side in (127, 255)]
    found = []
    for engine in (ours, theirs):
        engine.exemplar_crop[...], engine.search_crop[...] = pictures
        found.append([array.copy() for array in engine.search(engine.exemplar())])
    for got, want in zip(*found):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_a_tracker_follows_on_it_and_gives_the_npu_back(npu, made):
    tracker = load_tracker(bundle=made.folder, board="rk3588")
    pictures, boxes = tiny.film(6)
    tracker.init(pictures[0], boxes[0])
    for picture, box in zip(pictures[1:], boxes[1:]):
        assert np.abs(np.array(tracker.update(picture).box) - box).max() < 12
    assert tracker.engine.describe()["device"] == "RK3588 NPU"
    tracker.engine.close()
    assert npu.last.released


def test_without_the_driver_the_sentence_says_what_is_needed(npu, made):
    npu.driver_is_there = False
    with pytest.raises(NoEngine, match="the NPU can't be opened; this must be an RK3588"):
        loading.open_bundle(made)


def test_a_model_that_cannot_be_loaded_is_named(npu, made, monkeypatch):
    monkeypatch.setattr(npu, "load_rknn", lambda self, path, key_path=None: -1)
    with pytest.raises(BadNetwork, match="can't load .*exemplar.rknn of tiny; build the bundle"):
        loading.open_bundle(made)


def test_a_run_that_fails_is_no_result(npu, made, monkeypatch):
    engine = loading.open_bundle(made)
    monkeypatch.setattr(npu, "inference", lambda self, **values: None)
    with pytest.raises(NetworkFailed, match="the NPU did not finish tiny"):
        engine.search(())


def test_the_stand_in_has_the_published_signatures(npu):
    if not PUBLISHED.is_file():
        pytest.skip("rknn-toolkit-lite2 is not unpacked; run make test-arm")
    tree = ast.parse(pathlib.Path(str(PUBLISHED)).read_text(encoding="utf-8"))
    published = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "RKNNLite")
    methods = {n.name: n for n in published.body if isinstance(n, ast.FunctionDef)}
    for name in CALLED:
        wanted = [argument.arg for argument in methods[name].args.args]
        assert list(inspect.signature(getattr(npu, name)).parameters) == wanted, name
    assert "NPU_CORE_0" in ast.dump(published)
