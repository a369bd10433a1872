"""Several targets in one network call get the boxes of single runs, or are not batched."""

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper

from hotpath.graphs import assemble, batch
from hotpath.kernels import cpu
from hotpath.runtime import engines, load_targets, load_tracker
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.engines import openvino
from hotpath.runtime.errors import BadFrame, NotReady
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from tests.conftest import ROOT
from tests.support import blobs, tiny
from tests.support.errors import refusal
from tests.support.examples import few_of
from tests.support.models import model_of

onnxruntime = pytest.importorskip("onnxruntime")
ENGINES = engines.installed()
INT8 = str(ROOT / "hotpath" / "runtime" / "networks" / "int8" / "kestrel-int8.toml")
PUBLISHED = ["nanotrack_v1", "nanotrack_v2", "nanotrack_v3", "kestrel", INT8]
PUBLISHED += ["fear_xs", "lighttrack", "siamfc_015"]


@pytest.fixture
def network(tmp_path):
    return load_network(tiny.write_network(tmp_path))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    ("published", "count", "threads"),
    few_of(
        [(each, 4, 1) for each in PUBLISHED] + [("kestrel", 2, 2), ("kestrel", 8, 1)],
        [(each, 4, 1) for each in PUBLISHED[2:]] + [("kestrel", 2, 2), ("kestrel", 8, 1)],
        "nanotrack_v3 has their operators",
    ),
)
def test_a_batch_gives_the_maps_of_single_calls(networks_dir, name, published, count, threads):
    network = load_network(published)
    engine = engines.create(name, network, network.locate(networks_dir), Options(threads=threads))
    noise = np.random.RandomState(count)
    together = engine.batch(count)
    wanted = []
    for number in range(count):
        engine.exemplar_crop[...] = noise.uniform(0, 255, engine.exemplar_crop.shape)
        features = engine.exemplar()
        engine.search_crop[...] = noise.uniform(0, 255, engine.search_crop.shape)
        together.crops[number][...] = engine.search_crop
        together.start(number, features)
        wanted.append([array.copy() for array in engine.search(features)])
    for got, want in zip(together.finish(), wanted):
        for own, other in zip(got, want):
            assert own.shape == other.shape
            np.testing.assert_allclose(own, other, rtol=2e-3, atol=2e-3)
    engine.close()


def _finished(together, features):
    for number, own in enumerate(features):
        together.start(number, own)
    return together.finish()


@pytest.mark.parametrize("name", ENGINES)
def test_a_batch_uses_the_same_memory_in_every_frame(networks_dir, name):
    network = load_network("kestrel")
    engine = engines.create(name, network, network.locate(networks_dir))
    features = [engine.exemplar(), engine.exemplar()]
    together = engine.batch(2)
    before = [array.ctypes.data for maps in _finished(together, features) for array in maps]
    assert engine.batch(2) is together
    after = [array.ctypes.data for maps in _finished(together, features) for array in maps]
    assert after == before
    engine.close()


def test_a_graph_with_shapes_of_one_target_is_not_batched(network):
    search = assemble.build(network, network.locate()).search
    assert batch.several(search, 2) is not None
    for node in search.graph.node:  # a mean over all targets would mix them
        if node.op_type == "Neg":
            node.op_type = "ReduceSum"
            node.attribute.append(helper.make_attribute("axes", [0]))
            node.attribute.append(helper.make_attribute("keepdims", 1))
    assert batch.several(search, 2) is None


class Calls(Processor):
    """The processor; it keeps how many windows it was asked for at a time."""

    calls = ()

    def run(self, frame, requests):
        self.calls += (len(requests),)
        return super().run(frame, requests)


def test_a_frame_of_several_targets_is_one_list_of_windows(network):
    frames, boxes = blobs.film(2)
    targets = Targets(Calls(network, engines.create("auto", network, network.locate()), cpu.load()))
    for count in (1, 2, 3):
        targets.add(frames[0], boxes[0])
        assert len(targets.update(frames[1])) == count
    assert targets.device.calls == (1, 2, 3)
    for number in targets.numbers:
        targets.drop(number)
    assert targets.update(frames[1]) == {} and len(targets.device.calls) == 3
    with refusal(NotReady, "unknown target"):
        targets.restart(77, frames[0], boxes[0])
    targets.close()


def _film_of_two():
    """The tiny network's film with a second square, and both first boxes."""
    pictures, boxes = tiny.film(20, width=480)
    second = []
    for index, picture in enumerate(pictures):
        x, y = 380 - index, 170 - index // 2
        cv2.rectangle(picture, (x, y), (x + 35, y + 35), (220, 215, 210), cv2.FILLED)
        second.append((x, y, 36, 36))
    return pictures, (boxes[0], second[0])


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("windows", [8, 1])
def test_targets_have_the_boxes_of_single_runs(tmp_path, windows, name):
    toml = tiny.write_network(tmp_path)
    pictures, first = _film_of_two()
    targets = load_targets(toml, engine=name)
    assert targets.device.windows == 8
    targets.device.windows = windows
    numbers = [targets.add(pictures[0], box) for box in first]
    together = [targets.update(picture) for picture in pictures[1:]]
    for number, box in zip(numbers, first):
        alone = tiny.boxes_of(load_tracker(toml), pictures, [box])
        np.testing.assert_allclose([each[number].box for each in together], alone, atol=1e-3)


def test_targets_come_and_go_between_frames(tmp_path):
    toml = tiny.write_network(tmp_path)
    pictures, first = _film_of_two()
    targets = load_targets(toml)
    targets.add(pictures[0], first[0])
    result = []
    for index, picture in enumerate(pictures[1:], 1):
        result.append(targets.update(picture))
        if index % 4 == 1:
            targets.add(picture, first[1])
        if index % 6 == 5:
            targets.drop(max(result[-1]))
    assert max(len(tracks) for tracks in result) > 2
    alone = tiny.boxes_of(load_tracker(toml), pictures, first)
    np.testing.assert_allclose([tracks[0].box for tracks in result], alone, atol=1e-3)


def test_a_target_that_fails_beside_others_says_why(tmp_path):
    pictures, first = _film_of_two()
    targets = load_targets(tiny.write_network(tmp_path))
    for box in first:
        targets.add(pictures[0], box)
    targets.update(pictures[1])
    with pytest.raises(BadFrame):
        targets.update(pictures[1][..., 0])
    assert len(targets.update(pictures[2])) == 2


@pytest.mark.parametrize("name", ENGINES)
def test_maps_behind_an_identity_are_found(tmp_path, name):
    toml = tiny.write_network(tmp_path)
    path = tmp_path / "tiny_head.onnx"
    model = onnx.load(str(path))
    for node in model.graph.node:
        node.output[:] = ["inner_" + o if o in ("cls", "loc") else o for o in node.output]
    for output in ("cls", "loc"):
        model.graph.node.append(helper.make_node("Identity", ["inner_" + output], [output]))
    onnx.save(model, str(path))
    network = load_network(toml)
    engine = engines.create(name, network, network.locate())
    shapes = [array.shape for array in engine.search(engine.exemplar())]
    assert shapes == [(1, 2, 16, 16), (1, 4, 16, 16)]
    engine.close()


@pytest.mark.parametrize("groups", [1, 4])
def test_features_as_weights_meet_their_own_target(groups):
    weights = (6 if groups == 1 else 4, 4 // groups, 3, 3)
    node = ("Conv", ["x", "w"], ["y"], {"group": groups, "pads": [1, 1, 1, 1]})
    inputs = {"x": (1, 4, 8, 8), "w": weights}
    model = model_of([node], inputs, {"y": (1, weights[0], 8, 8)})
    noise = np.random.RandomState(1)
    xs, ws = noise.randn(3, 4, 8, 8).astype("f"), noise.randn(3, *weights).astype("f")

    def run(one, x, w):
        session = onnxruntime.InferenceSession(
            one.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        return session.run(None, {"x": x, "w": w})[0]

    together = run(batch.several(model, 3), xs, ws.reshape((-1,) + weights[1:]))
    for index in range(3):
        alone = run(model, xs[index : index + 1], ws[index])
        np.testing.assert_allclose(together[index : index + 1], alone, atol=1e-5)


def test_a_reshape_that_moves_the_targets_is_not_batched():
    node = ("Reshape", ["x", "to"], ["y"])
    model = model_of([node], {"x": (1, 16)}, {"y": (4, 4)}, {"to": np.array([4, 4])})
    assert batch.several(model, 2) is None


def test_what_a_tracker_says_is_passed_on_once(network):
    said = []
    pictures, boxes = tiny.film(1)
    targets = load_targets(network.path, engine="onnxruntime", recover=True, log=said.append)
    for _ in range(3):
        targets.add(pictures[0], boxes[0])
    assert [sentence for sentence in said if "not searched for" in sentence] == said[-1:]
    targets.close()


def test_no_frame_compiles_a_graph_for_its_targets(monkeypatch):
    """Adding the second one waits for the graphs of several windows; then none is compiled."""
    pytest.importorskip("openvino")
    made = []
    compile_on_cpu = openvino.compile_on_cpu

    def compile_and_tell(*given, **more):
        made.append(given)
        return compile_on_cpu(*given, **more)

    monkeypatch.setattr(openvino, "compile_on_cpu", compile_and_tell)
    (frame, *frames), (box, *_) = tiny.film(12)
    targets = load_targets("kestrel", engine="openvino")
    targets.add(frame, box)
    targets.update(frames[0])
    targets.add(frame, (box[0] + 1, box[1], box[2], box[3]))
    compiled = len(made)
    for number, picture in enumerate(frames[1:]):
        targets.update(picture)
        targets.add(frame, (box[0] + 2 + number, box[1], box[2], box[3]))
    assert len(made) == compiled > 2
    targets.close()
