"""On every engine the graphs split at the exemplar give the maps of the network's own files."""

import os
import threading
import time

import numpy as np
import onnx
import pytest

from hotpath.base import messages
from hotpath.graphs import assemble
from hotpath.runtime import engines, load_tracker
from hotpath.runtime.errors import BadNetwork, NoEngine, NotReady
from hotpath.runtime.networks import load_network
from tests.support import tiny
from tests.support.errors import refusal

onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.pythons("each Python has other engines")
ENGINES = engines.installed()


@pytest.fixture
def network(tmp_path):
    return load_network(tiny.write_network(tmp_path))


def _run_files(backbone, head, exemplar, search):
    """Compute the maps from the unchanged files, one session each: the slow, obvious way."""

    def run(model, *values):
        model, providers = model.SerializeToString(), ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(model, providers=providers)
        return session.run(None, dict(zip([one.name for one in session.get_inputs()], values)))

    features = []
    for picture in (exemplar, search):
        model = onnx.load(str(backbone))
        for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
            dim.dim_value = picture.shape[-1]
        for dim in model.graph.output[0].type.tensor_type.shape.dim[2:]:
            dim.ClearField("dim_value")
        del model.graph.value_info[:]
        features += run(model, picture)
    return run(onnx.load(str(head)), *features)


def _pictures(seed):
    noise = np.random.RandomState(seed)
    return [noise.uniform(0, 255, (1, 3, side, side)).astype(np.float32) for side in (127, 255)]


def _maps(engine, exemplar, search):
    engine.exemplar_crop[...] = exemplar
    features = engine.exemplar()
    engine.search_crop[...] = search
    return features, [array.copy() for array in engine.search(features)]


def assert_maps_are_those_of_the_files(name, network, paths, limit, seeds):
    engine = engines.create(name, network, paths)
    for seed in seeds:
        exemplar, search = _pictures(seed)
        _, maps = _maps(engine, exemplar, search)
        wanted = _run_files(paths["backbone"], paths["head"], exemplar, search)
        for got, want in zip(maps, wanted):
            np.testing.assert_allclose(got, want, rtol=limit, atol=limit)
    engine.close()


@pytest.mark.parametrize("name", ENGINES)
def test_maps_equal_those_of_the_files_run_one_by_one(network, name):
    assert_maps_are_those_of_the_files(name, network, network.locate(), 1e-4, range(3))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_published_networks_equal_their_files_run_one_by_one(networks_dir, name, version):
    network = load_network("nanotrack_" + version)
    paths = network.locate(networks_dir)
    assert_maps_are_those_of_the_files(name, network, paths, 2e-3, [5])


def multiplied(path, operator, *constants):
    """Multiply the outputs of a file by the mean of an operator's result."""
    model = onnx.load(str(path))
    names = [f"constant{number}" for number in range(len(constants))]
    for name, value in zip(names, constants):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value), name))
    model.graph.node.append(onnx.helper.make_node(operator, names, ["made"]))
    model.graph.node.append(onnx.helper.make_node("ReduceMean", ["made"], ["mean"], keepdims=0))
    for value in model.graph.output:
        name, value.name = value.name, value.name + "_"
        model.graph.node.append(onnx.helper.make_node("Mul", [name, "mean"], [value.name]))
    onnx.save(model, str(path))


UNABLE = {  # what onnx knows and an engine cannot load or run
    "onnxruntime": ("Gather", np.float32([1, 2, 3]), [77]),
    "openvino": ("Det", np.ones((3, 3), np.float32)),
}


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    "node, told",
    [
        (("ConstantOfShape", [1 << 20, 1 << 20]), "would take 4398 GB"),
        (("Expand", np.float32([1]), [1 << 15, 1 << 15]), "would take 4 GB"),
        (None, "can't (load tiny|run opset 11 of it)"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(network, name, node, told, capfd):
    multiplied(network.locate()["head"], *node or UNABLE[name])
    with pytest.raises(BadNetwork, match=told) as refused:
        engines.create(name, network, network.locate())
    assert "\n" not in str(refused.value) and capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ENGINES)
def test_one_engine_serves_several_targets_in_the_same_memory(network, name):
    engine = engines.create(name, network, network.locate())
    first_pictures, second_pictures = _pictures(1), _pictures(2)
    first, first_maps = _maps(engine, *first_pictures)
    crop, places = engine.search_crop.ctypes.data, [m.ctypes.data for m in engine.search(first)]
    second, _ = _maps(engine, *second_pictures)
    engine.search_crop[...] = first_pictures[1]
    assert any((got != want).any() for got, want in zip(engine.search(second), first_maps))
    again = engine.search(first)
    for got, want in zip(again, first_maps):
        np.testing.assert_array_equal(got, want)
    assert engine.search_crop.ctypes.data == crop
    assert [array.ctypes.data for array in again] == places
    for array in first:
        array[...] = np.nan  # a target's features are copied once
    np.testing.assert_array_equal(engine.search(first)[0], first_maps[0])
    engine.close()


@pytest.mark.parametrize("name", ENGINES)
def test_inference_may_run_on_every_core(network, name):
    engine = engines.create(name, network, network.locate())
    features = engine.exemplar()
    allowed = os.sched_getaffinity(0)
    seen = []
    done = []

    def watch():
        while not done:
            seen.append(os.sched_getaffinity(os.getpid()))  # the first thread's number
            time.sleep(1e-4)

    watcher = threading.Thread(target=watch)
    watcher.start()
    calls = 0
    while calls < 200 or len(seen) <= 50:  # on a busy computer the watcher seldom runs
        engine.search(features)
        calls += 1
    done.append(True)
    watcher.join()
    assert all(cores == allowed for cores in seen)
    engine.close()


def test_what_depends_on_the_exemplar_is_not_in_the_search(network):
    graphs = assemble.build(network, network.locate())
    operators = [node.op_type for node in graphs.search.graph.node]
    assert "GlobalMaxPool" not in operators
    assert operators.count("Conv") == 2  # one in the backbone, one in the box branch
    assert [value.name for value in graphs.search.graph.input] == ["search"] + list(graphs.features)


def test_files_that_do_not_fit_are_refused_in_one_sentence(network, tmp_path):
    paths = network.locate()
    with refusal(BadNetwork, "parts do not fit"):
        assemble.build(network, {"backbone": paths["head"], "head": paths["backbone"]})
    toml = tiny.write_network(tmp_path, tiny.TOML.replace("_size = 16", "_size = 15"))
    other = load_network(toml)
    with refusal(BadNetwork, "other maps"):
        assemble.build(other, paths)
    paths["head"].write_bytes(paths["head"].read_bytes()[:-200])
    with refusal(BadNetwork, "not ONNX", where="tiny_head.onnx"):
        assemble.build(network, paths)


def test_an_engine_of_another_name_is_refused_with_those_there_are(network):
    with refusal(NoEngine, "unknown name"):
        load_tracker(network.path, engine="tensorflow")


def test_without_an_engine_each_command_is_named_once(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "each_installed", lambda: iter(()))
    tiny.write_network(tmp_path)
    with refusal(NoEngine, "none installed", command=messages.make_command("setup", ALSO="host")):
        load_tracker(tmp_path / "tiny.toml")


@pytest.mark.parametrize("name", ENGINES)
def test_a_tracker_without_a_target_or_that_was_closed_says_so(network, name):
    (frame, _), (box, _) = tiny.film(2)
    tracker = load_tracker(network.path, engine=name)
    with refusal(NotReady, "no target"):
        tracker.update(frame)
    tracker.init(frame, box)
    tracker.close()
    tracker.close()
    for call in (tracker.update, lambda frame: tracker.init(frame, box)):
        with refusal(NotReady, "closed"):
            call(frame)


def _condition(graph, kind):
    """Nodes that give "always", which is true: by a shape or by a constant."""
    node, constant = onnx.helper.make_node, onnx.numpy_helper.from_array
    if kind == "constant":
        graph.initializer.append(constant(np.array(True), "always"))
        return []
    graph.initializer.extend([constant(np.array(1), "one"), constant(np.array(3), "three")])
    return [
        node("Shape", ["exact"], ["shape"]),
        node("Gather", ["shape", "one"], ["channels"]),
        node("Equal", ["channels", "three"], ["always"]),
    ]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("kind", ["shape", "constant"])
def test_branches_read_the_graph_around_them(network, name, kind):
    pytest.importorskip("onnxslim")  # which folds it; a board's bundle is folded already
    pictures = _pictures(8)
    engine = engines.create("onnxruntime", network, network.locate())
    _, wanted = _maps(engine, *pictures)
    path = network.locate()["backbone"]
    model = onnx.load(str(path))
    own = model.graph
    ways = {}
    own.node[0].output[0] = "exact"
    for operator, way in (("Add", "then_branch"), ("Sub", "else_branch")):
        node = onnx.helper.make_node(operator, ["exact", "nothing"], ["inner"])
        out = [onnx.helper.make_tensor_value_info("inner", onnx.TensorProto.FLOAT, None)]
        ways[way] = onnx.helper.make_graph([node], operator, [], out)
    own.initializer.append(onnx.numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
    own.node.extend(_condition(own, kind))
    own.node.append(onnx.helper.make_node("If", ["always"], ["features"], **ways))
    onnx.save(model, str(path))
    engine = engines.create(name, network, network.locate())
    _, found = _maps(engine, *pictures)
    for got, want in zip(found, wanted):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * np.abs(want).max())
    built = assemble.build(network, network.locate())
    assert not {node.op_type for node in built.search.graph.node} & {"If", "Shape", "Equal"}


def test_an_ncnn_without_the_newest_option_is_set_up():
    from hotpath.runtime.engines import ncnn

    class Options:  # of ncnn 1.0.20250503, which refuses a name that it does not know
        __slots__ = (
            *("num_threads", "use_vulkan_compute", "use_bf16_storage"),
            *("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"),
        )

    options = Options()
    ncnn._set_options(options, 1, "fp32")
    assert not options.use_bf16_storage and not options.use_fp16_storage
