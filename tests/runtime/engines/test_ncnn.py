"""ncnn gives the maps and boxes of ONNX Runtime, in float32 to the last digits."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

pytest.importorskip("ncnn")
pytest.importorskip("pnnx")
pytest.importorskip("onnxruntime")

from hotpath.boards import load_board
from hotpath.deploy.bundles.engines import ncnn as builder
from hotpath.deploy.bundles.order import Order
from hotpath.kernels import cpu
from hotpath.runtime import engines, loading
from hotpath.runtime.engines import ncnn as adapter
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.errors import BadBundle, BadNetwork, NoEngine
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.networks import load_network
from hotpath.runtime.networks.bundle import Bundle
from tests.support import tiny
from tests.support.clips import clip_at


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """dict of precision -> folder of a bundle of kestrel."""
    out, board = tmp_path_factory.mktemp("engines"), load_board("raspberry_pi5")
    network = load_network("kestrel")
    return {
        precision: builder.build(Order(board, network, precision, out), lambda text: None).folder
        for precision in ("fp32", "fp16")
    }


@pytest.fixture(scope="module")
def clip(clips_dir):
    """(frames, boxes) of the beginning of a clip."""
    found = clip_at(clips_dir / "otb-Crossing")
    return [found[index] for index in range(12)], found.boxes


def assert_results_equal(folder, network):
    """Compare a bundle's results with those of ONNX Runtime, on random pictures."""
    ours = loading.open_setup(loading.Setup(bundle=Bundle(folder)))
    theirs = engines.create("onnxruntime", network, network.locate())
    random = np.random.RandomState(3)
    sides = network.exemplar, network.search
    for _ in range(2):
        pictures = [random.uniform(-2, 2, (1, 3, side, side)) for side in sides]
        found = []
        for engine in (ours, theirs):
            engine.exemplar_crop[...], engine.search_crop[...] = pictures
            results = list(engine.search(engine.exemplar()))
            if engine.search_features is not None:
                results.append(engine.search_features)
            found.append([np.array(result) for result in results])
        for got, want in zip(*found):
            assert got.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_maps_and_features_equal_those_of_onnx_runtime(bundles):
    assert_results_equal(bundles["fp32"], load_network("kestrel"))


@pytest.mark.parametrize("groups", [1, 3])
def test_the_exemplar_may_be_the_kernel_of_a_convolution(tmp_path, groups):
    """In place of a product: one kernel, as SiamFC, or one for each channel, as NanoTrack v3."""
    toml = tiny.write_network(tmp_path)
    head = onnx.load(str(tmp_path / "tiny_head.onnx"))
    nodes = {node.output[0]: node for node in head.graph.node}
    for name in ("kernel", "cells", "response", "target"):
        head.graph.node.remove(nodes[name])
    sides = np.array([groups, 3 // groups, 1, 1])
    head.graph.initializer.append(numpy_helper.from_array(sides, "sides"))
    correlation = [
        helper.make_node("Reshape", ["pooled", "sides"], ["kernel"]),
        helper.make_node("Conv", ["x", "kernel"], ["each"], group=groups),
        helper.make_node("ReduceSum", ["each"], ["target"], axes=[1]),
    ]
    for index, node in enumerate(correlation, 1):
        head.graph.node.insert(index, node)
    onnx.save(head, str(tmp_path / "tiny_head.onnx"))
    order = Order(load_board("raspberry_pi5"), load_network(toml), "fp32", tmp_path / "engines")
    made = builder.build(order, lambda text: None)
    assert_results_equal(made.folder, order.network)


def test_boxes_in_half_precision_overlap_those_in_float32(bundles, clip):
    opened = [loading.open_setup(Setup(bundle=Bundle(bundles[p]))) for p in ("fp32", "fp16")]
    exact, tracker = (loading.create_tracker(e.network, e, cpu.load()) for e in opened)
    about = tracker.engine.describe()
    exact, got = (tiny.boxes_of(each, *clip) for each in (exact, tracker))
    assert (about["engine"], about["precision"]) == ("ncnn", "fp16")
    assert overlap(got, exact).min() >= 0.8
    assert np.abs(got - exact).max() > 1e-6  # it is another precision indeed


def test_it_runs_bundles_only():
    network = load_network("kestrel")
    with pytest.raises(NoEngine, match="ncnn .*`make engine"):
        adapter.NcnnEngine(Setup(network, network.locate()))


def test_a_file_that_ncnn_cannot_read_is_named(bundles, tmp_path):
    bundle = Bundle(bundles["fp32"])
    (tmp_path / "broken.param").write_text("no model\n")
    bundle.path = lambda name: tmp_path / "broken.param"
    with pytest.raises(BadNetwork, match=r"broken\.param of kestrel"):
        adapter.NcnnEngine(Setup(load_network("kestrel"), {}, bundle=bundle))


def test_a_manifest_that_does_not_fit_is_refused(bundles):
    run = Bundle(bundles["fp32"]).run
    search = dict(run["models"]["search"], inputs=[["search", [1, 3, -255, 255]]])
    for change, reason in (
        ({"maps": ["x/other"]}, "lacks a tensor"),
        ({"models": {}}, "missing"),
        ({"models": dict(run["models"], search=search)}, r"search.inputs\[0\]\[1\]\[2\] must lie"),
    ):
        with pytest.raises(ValueError, match=reason):
            adapter.NcnnEngine.check_bundle(dict(run, **change), {})


def test_a_part_that_is_no_part_of_the_bundle_is_refused(bundles):
    bundle = Bundle(bundles["fp32"])
    bundle.run["models"]["search"]["bin"] = "other.bin"
    with pytest.raises(BadBundle, match=r"other\.bin is none of its parts"):
        bundle.check_run(adapter.NcnnEngine.check_bundle(bundle.run, {}))
