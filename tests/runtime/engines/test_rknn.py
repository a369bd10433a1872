"""The engine of the RK3588's NPU, over the toolkit's simulator and over ONNX Runtime."""

import ast
import inspect
import io
import json
import pathlib
import re
import subprocess
from multiprocessing.connection import Listener

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from hotpath.boards import load_board
from hotpath.deploy.bundles.engines import converted, rknn
from hotpath.deploy.bundles.order import Order
from hotpath.kernels import cpu
from hotpath.runtime import engines, load_tracker, loading
from hotpath.runtime.errors import BadNetwork, NetworkFailed, NoEngine
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.networks import load_network
from tests.support import ROOT, tiny
from tests.support.clips import clip_at
from tests.support.errors import refusal
from tests.support.needs import lacks, skip

FAKES = ROOT / "tests" / "fakes" / "rknn"
# where `make test-arm` unpacks the published wheel
PUBLISHED = ROOT / ".cache" / "arm" / "aarch64" / "site" / "rknnlite" / "api" / "rknn_lite.py"
CALLED = ("__init__", "load_rknn", "init_runtime", "inference", "release")
FRAMES = 12
# a tensor in INT8 and its greatest value, in the file that the toolkit takes
TAKEN = re.compile(r"    (\S+):\n.*\n.*layer\n.*int8\n.*min:\n.*\n.*max:\n +- +(\S+)")


@pytest.fixture
def npu(monkeypatch):
    """The stand-in's class."""
    monkeypatch.syspath_prepend(str(FAKES))
    from rknnlite.api import RKNNLite

    monkeypatch.setattr(RKNNLite, "driver_is_there", True)
    monkeypatch.setattr(RKNNLite, "simulators", {})
    return RKNNLite


@pytest.fixture
def made(tmp_path):
    """A bundle of the tiny network, of models that ONNX Runtime can run."""

    def convert(part):
        (part.folder / (part.name + ".rknn")).write_bytes(part.model.SerializeToString())
        return {"model": part.name + ".rknn"}

    network = load_network(tiny.write_network(tmp_path))
    order = Order(load_board("rk3588"), network, "fp16", tmp_path / "engines")
    return converted.build(order, "2.5.0", convert)


def tracker_of(made):
    """A tracker on this computer, which is not the bundle's board."""
    engine = loading.open_setup(loading.Setup(bundle=made))
    return loading.create_tracker(engine.network, engine, cpu.load())


def test_maps_equal_those_of_the_processors_engine(npu, made):
    network = made.load_network()
    files = {entry.part: made.folder.parents[2] / entry.name for entry in network.files}
    random = np.random.RandomState(1)
    pictures = [random.uniform(0, 255, (1, 3, side, side)) for side in (127, 255)]
    found = []
    for engine in (
        loading.open_setup(loading.Setup(bundle=made)),
        engines.create("onnxruntime", network, files),
    ):
        engine.exemplar_crop[...], engine.search_crop[...] = pictures
        found.append([array.copy() for array in engine.search(engine.exemplar())])
    for got, want in zip(*found):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_a_tracker_follows_on_it_and_gives_the_npu_back(npu, made):
    tracker = tracker_of(made)
    pictures, boxes = tiny.film(6)
    tracker.init(pictures[0], boxes[0])
    for picture, box in zip(pictures[1:], boxes[1:]):
        assert np.abs(np.array(tracker.update(picture).box) - box).max() < 12
    assert tracker.engine.describe()["device"] == "RK3588 NPU"
    tracker.engine.close()
    assert npu.last.released


def test_what_is_wrong_with_the_board_or_the_bundle_is_said(npu, made, monkeypatch):
    engine = loading.open_setup(loading.Setup(bundle=made))
    monkeypatch.setattr(npu, "inference", lambda self, **values: None)
    with refusal(NetworkFailed, "no NPU"):
        engine.search(())
    npu.driver_is_there = False
    with refusal(NoEngine, "no NPU"):
        loading.open_setup(loading.Setup(bundle=made))
    monkeypatch.setattr(npu, "load_rknn", lambda self, path, key_path=None: -1)
    with refusal(BadNetwork, "not loaded"):
        loading.open_setup(loading.Setup(bundle=made))


def test_the_stand_in_has_the_published_signatures(npu):
    if not PUBLISHED.is_file():
        skip("rknn-toolkit-lite2", "make test-arm")
    tree = ast.parse(pathlib.Path(str(PUBLISHED)).read_text(encoding="utf-8"))
    published = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "RKNNLite")
    methods = {n.name: n for n in published.body if isinstance(n, ast.FunctionDef)}
    for name in CALLED:
        wanted = [argument.arg for argument in methods[name].args.args]
        assert list(inspect.signature(getattr(npu, name)).parameters) == wanted, name
    assert "NPU_CORE_0" in ast.dump(published)


@pytest.fixture
def simulated(npu, tmp_path):
    """A function that builds kestrel in a precision, with its models in running simulators."""
    started = []

    def convert(part, precision):
        (tmp_path / precision / part.name).mkdir(parents=True)
        request = rknn.request(part, precision, str(tmp_path / precision / part.name))
        socket = str(tmp_path / f"{precision}-{part.name}")
        listener = Listener(socket, "AF_UNIX")
        command = [rknn.PYTHON, "-I", FAKES / "simulator.py", rknn.PROGRAM, request, socket]
        process = subprocess.Popen([str(word) for word in command])
        connection = listener.accept()
        started.append((process, connection))
        assert connection.recv_bytes() == b"ready"

        def run(inputs):
            data = io.BytesIO()
            np.savez(data, *inputs)
            connection.send_bytes(data.getvalue())
            arrays = np.load(io.BytesIO(connection.recv_bytes()))
            return [arrays[name] for name in arrays.files]

        if precision == "int8":
            folder = pathlib.Path(request).parent
            ranges = json.loads(pathlib.Path(request).read_text())["ranges"]
            config = (folder / (part.name + ".quantization.cfg")).read_text()
            taken = {name: float(high) for name, high in TAKEN.findall(config) if name in ranges}
            assert len(taken) > 40 and taken == {name: ranges[name][1] for name in taken}
        npu.simulators[(part.folder / (part.name + ".rknn")).read_bytes()] = run
        return {"model": part.name + ".rknn"}

    def build(precision):
        order = Order(load_board("rk3588"), load_network("kestrel"), precision, tmp_path / "out")
        return converted.build(order, "2.5.0", lambda part: convert(part, precision))

    yield build
    for process, connection in started:
        connection.close()
        process.wait(60)


@pytest.mark.slow("Rockchip's simulator, and 6 GB that only `make rknn` gets")
@pytest.mark.skipif(not rknn.PYTHON.is_file(), reason=lacks("rknn-toolkit2", "make rknn"))
@pytest.mark.parametrize(("precision", "least", "most"), [("fp16", 0.99, 0.1), ("int8", 0.85, 1.5)])
def test_boxes_in_rockchips_simulator_are_those_of_float32(
    simulated, clips_dir, precision, least, most
):
    """``least``: overlap with the box of float32, ``most``: pixels to it, in each frame."""
    clip = clip_at(clips_dir / "otb-Crossing")
    frames = [clip[index] for index in range(FRAMES)]
    tracker = tracker_of(simulated(precision))
    exact = load_tracker("kestrel", engine="onnxruntime", precision="fp32")
    got, want = (tiny.boxes_of(each, frames, clip.boxes) for each in (tracker, exact))
    assert overlap(got, want).min() >= least and np.abs(got - want).max() <= most
    assert np.abs(got - want).max() > 1e-6  # it is another precision indeed
