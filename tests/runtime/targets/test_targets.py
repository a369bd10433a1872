"""Several targets on one device get the boxes of single runs."""

import threading

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper

from hotpath.kernels import cpu
from hotpath.runtime import engines, load_targets, load_tracker
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.engines import openvino
from hotpath.runtime.errors import BadFrame, NotReady
from hotpath.runtime.networks import load_network
from hotpath.runtime.targets.targets import Targets
from tests.support import blobs, tiny
from tests.support.errors import refusal

onnxruntime = pytest.importorskip("onnxruntime")
ENGINES = engines.installed()


@pytest.fixture
def network(tmp_path):
    return load_network(tiny.write_network(tmp_path))


class Calls(CpuDevice):
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
def test_targets_have_the_boxes_of_single_runs(tmp_path, name):
    toml = tiny.write_network(tmp_path)
    pictures, first = _film_of_two()
    targets = load_targets(toml, engine=name)
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


def test_what_a_tracker_says_is_passed_on_once(network):
    messages = []
    pictures, boxes = tiny.film(1)
    targets = load_targets(network.path, engine="onnxruntime", recover=True, log=messages.append)
    for _ in range(3):
        targets.add(pictures[0], boxes[0])
    assert [sentence for sentence in messages if "no search for" in sentence] == messages[-1:]
    targets.close()


def test_a_second_target_compiles_no_graph(monkeypatch):
    pytest.importorskip("openvino")
    made = []
    compile_on_cpu = openvino.compile_on_cpu

    def compile_and_tell(*given, **more):
        made.append(given)
        return compile_on_cpu(*given, **more)

    monkeypatch.setattr(openvino, "compile_on_cpu", compile_and_tell)
    (frame, *frames), (box, *_) = tiny.film(4)
    threads = threading.active_count()
    targets = load_targets("kestrel", engine="openvino")
    for number, picture in enumerate(frames):
        targets.add(frame, (box[0] + number, box[1], box[2], box[3]))
        targets.update(picture)
    assert len(made) == 2 and threading.active_count() == threads  # the exemplar and the search
    targets.close()


@pytest.mark.parametrize(
    "name, hint",
    [("remove", "drop?"), ("updat", "did you mean update"), ("xyz", "attribute 'xyz'")],
)
def test_a_name_that_targets_do_not_have_is_answered_by_the_one_they_have(tmp_path, name, hint):
    with load_targets(network=str(tiny.write_network(tmp_path))) as targets:
        with pytest.raises(AttributeError) as refused:
            getattr(targets, name)
    assert hint in str(refused.value) and not hasattr(targets, "_x")
