"""The host's tracker reports in the same frame that a network gave no finite number."""

import re

import cv2
import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")

from hotpath.graphs import assemble
from hotpath.kernels.settings import ARGMAX
from hotpath.runtime import NetworkFailed, engines, load_tracker, loading
from hotpath.runtime.devices.base import WindowRequest
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import Options
from hotpath.runtime.tracker.tracker import Tracker
from hotpath.runtime.types import Box
from tests.support import blobs, tiny
from tests.support.errors import refusal

FAMILIES = ("lighttrack", "siamrpnpp_resnet50", "siamfc_015", "stark_lightning", "vittrack")


def fail_on_white(network, search, names):
    """Add to outputs of a search graph, as the last term, 0, or NaN if the picture has a white."""
    search = onnx.ModelProto.FromString(search.SerializeToString())
    graph, node = search.graph, onnx.helper.make_node
    limit = (254.5 - np.array(network.mean)) * np.array(network.scale)
    limit = limit.astype(np.float32).reshape(1, 3, 1, 1)
    graph.initializer.append(onnx.numpy_helper.from_array(limit, "limit"))
    added = [
        node("GlobalMaxPool", ["search"], ["brightest"]),
        node("Sub", ["limit", "brightest"], ["below"]),
        node("Sqrt", ["below"], ["root"]),
        node("ReduceMean", ["root"], ["mean_root"], keepdims=0),
        node("Sub", ["mean_root", "mean_root"], ["nothing"]),
    ]
    for name in names:
        for each in graph.node:
            each.output[:] = [n + "/before" if n == name else n for n in each.output]
            each.input[:] = [n + "/before" if n == name else n for n in each.input]
        added.append(node("Add", [name + "/before", "nothing"], [name]))
    graph.node.extend(added)
    return search


def write_failing(folder, name, number):
    """A network in two parts that fails on white, in the output of that number or in all."""
    if name == "tiny":
        toml, film = tiny.write_network(folder), tiny.film(3)
    else:
        toml, film = blobs.write_network(folder, name), blobs.film(3)
    network = load_network(toml)
    graphs = assemble.build(network, network.locate())
    names = graphs.maps if number is None else graphs.maps[number : number + 1]
    search = fail_on_white(network, graphs.search, names)
    files = ""
    for part, model in (("exemplar", graphs.exemplar), ("search", search)):
        onnx.save(model, str(folder / part))
        files += f'[[file]]\npart = "{part}"\nname = "{part}"\n'
    rest = re.sub("^maps = .*\n", "", toml.read_text().split("[[file]]")[0], flags=re.MULTILINE)
    toml.write_text(rest + files)  # the maps are in the family's order now
    return toml, film


@pytest.mark.parametrize("engine", engines.installed())
@pytest.mark.parametrize(
    "name, number", [("tiny", 0), ("tiny", 1), *((family, None) for family in FAMILIES)]
)
def test_a_map_that_is_not_finite_leaves_the_target(tmp_path, engine, name, number):
    toml, (film, boxes) = write_failing(tmp_path, name, number)
    film = [(frame * 0.95).astype(np.uint8) for frame in film]  # no white but the test's own
    tracker = load_tracker(toml, engine=engine)
    tracker.init(film[0], boxes[0])
    assert isinstance(tracker.update(film[1]).box, Box)
    state, spoiled = tracker.target.state.copy(), film[2].copy()
    x, y, w, h = (int(value) for value in boxes[2])
    spoiled[y : y + h, x : x + w] = 255
    with refusal(NetworkFailed, "no score"):
        tracker.update(spoiled)
    np.testing.assert_array_equal(tracker.target.state, state)
    found = tracker.update(film[2])
    assert np.isfinite(found.box).all() and np.isfinite(found.score)
    assert abs(found.box.x - boxes[2][0]) < 12 and abs(found.box.y - boxes[2][1]) < 12


def test_a_window_twice_as_wide_has_half_the_scale(tmp_path):
    (first,), boxes = tiny.film(1)
    device = loading.create_device(*loading.load(Options(tiny.write_network(tmp_path))))
    state = geometry.state_of(device.network, boxes[0], first.shape[1], first.shape[0])
    exemplar = device.exemplar(first, state)
    requests = [WindowRequest(exemplar, state, sides, None) for sides in (1.0, 2.0)]
    usual, wide = (results.scale for results in device.run(first, requests)[0])
    assert wide == (usual[0] / 2, usual[1] / 2)


@pytest.mark.parametrize("state", [np.full(4, np.nan), np.array([1.0, 2.0, np.inf, 4.0])])
def test_a_box_that_is_not_finite_leaves_the_target_where_it_was(tmp_path, state):
    class Astray(CpuDevice):
        def run(self, frame, requests):
            results, step_ms = super().run(frame, requests)
            return [each._replace(states=state[None]) for each in results], step_ms

    (first, second), boxes = tiny.film(2)
    tracker = Tracker(Astray(*loading.load(Options(tiny.write_network(tmp_path)))))
    tracker.init(first, boxes[0])
    before = tracker.target.state.copy()
    with refusal(NetworkFailed, "no score"):
        tracker.update(second)
    np.testing.assert_array_equal(tracker.target.state, before)


@pytest.mark.parametrize("factors", [(0.5, 0.5), (2.0, 2.0), (0.5, 1.0)])
def test_a_target_is_scaled_with_the_frame(tmp_path, factors):
    (first, second), boxes = tiny.film(2)
    size = tuple(int(side * factor) for side, factor in zip(second.shape[1::-1], factors))
    other = cv2.resize(second, size, interpolation=cv2.INTER_NEAREST)
    x, y, w, h = boxes[1]
    wanted = x * factors[0], y * factors[1], w * factors[0], h * factors[1]
    tracker = load_tracker(tiny.write_network(tmp_path))
    tracker.init(first, boxes[0])
    assert overlaps(tracker.update(other).box, wanted)[0, 0] > 0.6
    assert overlaps(tracker.update(second).box, boxes[1])[0, 0] > 0.6


def test_what_is_seen_of_a_window_does_not_depend_on_the_others(tmp_path):
    """Windows of two targets, of several sizes, selected in or not."""
    frames, boxes = tiny.film(8)
    device = loading.create_device(*loading.load(Options(tiny.write_network(tmp_path))))
    size = frames[0].shape[1::-1]
    requests = []
    states = [geometry.state_of(device.network, box, *size) for box in (boxes[0], (9, 9, 60, 30))]
    exemplars = [device.exemplar(frames[0], state) for state in states]
    for number in range(11):
        around = states[number % 2] * (1 + number / 50)
        prior = ARGMAX if number % 4 < 2 else None
        requests.append(
            WindowRequest(exemplars[number // 2 % 2], around, 1 + number % 3 / 2, prior)
        )
    alone = [_kept(device.run(frames[7], [request])[0][0]) for request in requests]
    together = [_kept(results) for results in device.run(frames[7], requests)[0]]
    for one, same in zip(alone, together):
        for a, b in zip(one, same):
            np.testing.assert_array_equal(a, b)


def _kept(results):
    """Copies of all that was seen."""
    maps = [None] if results.maps is None else [each.copy() for each in results.maps]
    parts = (
        results.around,
        results.scale,
        results.features.copy(),
        results.states,
        results.scores,
        results.cells,
    )
    return list(parts) + maps


def test_a_network_may_take_the_targets_box_in_the_exemplar(tmp_path):
    frames, boxes = blobs.film(2)
    toml, node = blobs.write_network(tmp_path, "vittrack"), onnx.helper.make_node
    plain = load_tracker(toml)
    plain.init(frames[0], boxes[0])
    (path,) = tmp_path.glob("*.onnx")
    model = onnx.load(str(path))
    graph, score = model.graph, model.graph.output[0].name
    for each in graph.node:
        each.output[:] = ["whole" if name == score else name for name in each.output]
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([2]), "third"))
    graph.node.append(node("Gather", ["given", "third"], ["right"], axis=1))
    graph.node.append(node("Mul", ["whole", "right"], [score]))
    graph.input.append(onnx.helper.make_tensor_value_info("given", onnx.TensorProto.FLOAT, [1, 4]))
    onnx.save(model, str(path))
    tracker = load_tracker(toml)
    tracker.init(frames[0], boxes[0])
    width = 36 * 128 / np.ceil(np.sqrt(36 * 24) * 2)  # of the target, pixels of the exemplar
    right = 0.5 + width / 127 / 2
    wanted = plain.update(frames[1]).score * right
    np.testing.assert_allclose(tracker.update(frames[1]).score, wanted, rtol=1e-3)
