"""From ONNX to boxes through TensorRT's interface, with a fake for each family."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.support.needs import why_no_program

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

import onnx
from onnx import helper, numpy_helper

from hotpath import boards
from hotpath.base.errors import GpuFailed, NoGpu
from hotpath.deploy.bundles import plans
from hotpath.deploy.bundles import prepared as preparations
from hotpath.deploy.bundles.engines import tensorrt
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.errors import BuildFailed
from hotpath.kernels import cpu
from hotpath.runtime import engines, loading
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.engines.base import Setup
from hotpath.runtime.errors import NoEngine
from hotpath.runtime.networks import bundle, load_network
from hotpath.runtime.tracker.tracker import Tracker
from hotpath_nogpu.tensorrt import fake, machine
from tests.support import ROOT, run, tiny, tiny_cut
from tests.support.errors import refusal

on_each_python = pytest.mark.pythons("TensorRT, PyCUDA and CuPy of each Python")

FAMILIES = sorted(fake.FAMILIES)
NETWORKS = {"tiny": tiny.write_network, "tiny_cut": tiny_cut.write_network}


@pytest.fixture
def board(request, monkeypatch, tmp_path):
    """This computer as a Nano with one family of TensorRT."""
    monkeypatch.setattr(tensorrt, "CACHE", tmp_path / "cache")
    played = machine.FakeBoard(getattr(request, "param", "8.2"))
    yield played
    played.leave()


def quiet(sentence):
    pass


def make_prepared(folder, name, precision="fp16"):
    network = load_network(NETWORKS[name](folder))
    prepared = folder / "prepared"
    order = Order(boards.load_board("jetson_nano"), network, precision)
    preparations.prepare(prepared, order, quiet)
    return network, prepared


def make_bundle(folder, name="tiny", precision="fp16"):
    network, prepared = make_prepared(folder, name, precision)
    return network, tensorrt.build_prepared(prepared, folder / "bundle", quiet)


def boxes(network, engine):
    """Track the film by the whole tracker; return the boxes."""
    pictures, truth = tiny.film(12)
    tracker = Tracker(CpuDevice(network, engine, cpu.load()))
    return tiny.boxes_of(tracker, pictures, truth), np.array(truth[1:])


@on_each_python
@pytest.mark.parametrize(
    "name, precision",
    [*((name, kind) for name in sorted(NETWORKS) for kind in ("fp32", "fp16")), ("tiny", "int8")],
)
@pytest.mark.parametrize("board", FAMILIES, indirect=True)
def test_a_network_is_made_and_loaded_and_tracks_as_on_the_host(board, tmp_path, name, precision):
    if precision == "int8":  # with quantisers of its own
        network = make_quantised(tmp_path)
        made = tensorrt.build_prepared(tmp_path / "prepared", tmp_path / "bundle", quiet)
    else:
        network, made = make_bundle(tmp_path, name, precision)
    seen, version = board.machine.seen, board.trt.__version__
    # only an old version needs this network cut, at its two correlations
    is_cut = name == "tiny_cut" and version.startswith("8.2")
    assert made.run["form"] == ("cut" if is_cut else "whole") and made.precision == precision
    assert len(made.run["parts"]) == 1 + is_cut
    # precision is a flag or the network's own
    wanted = {"fp32": set(), "fp16": {"FP16"}, "int8": {"FP16", "INT8"}}[precision]
    is_strong = version.startswith("11")
    assert {v for what, v in seen if what == "flag"} == (set() if is_strong else wanted)
    # the product asks for linear half tensors where the model does not say so itself
    is_half = precision != "fp32"
    asked = {(tensor, 1) for tensor in made.run["shapes"] if is_half and not is_strong}
    assert {value for what, value in seen if what == "half tensor"} == asked

    engine = loading.open_setup(loading.Setup(bundle=made))
    assert engine.dtype == made.run["dtype"] == ("float16" if is_half else "float32")
    device, random = board.devices[0], np.random.RandomState(8)
    for crop in (engine.exemplar_crop, engine.search_crop):
        assert crop.dtype == np.float32
        crop[...] = random.uniform(0, 255, crop.shape)
    launched = device.counters.launches
    maps = engine.search(engine.exemplar())
    assert device.counters.launches - launched == (2 if is_cut else 0)
    for tensor, values in zip(engine.maps, maps):  # rounded once
        stored = np.zeros(values.shape, engine.dtype)
        device.download(stored, engine.place_of(tensor), engine.stream)
        np.testing.assert_array_equal(stored.astype(np.float32), values)
        assert values.dtype == np.float32
    host = engines.create("onnxruntime", network, network.locate())
    host.exemplar_crop[...], host.search_crop[...] = engine.exemplar_crop, engine.search_crop
    for got, want in zip(maps, host.search(host.exemplar())):
        tolerance = (2e-2 if is_half else 1e-5) * np.abs(want).max()
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance)
    found, truth = boxes(network, engine)
    wanted, _ = boxes(network, host)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2.0 if is_half else 1e-3)
    assert np.abs(found[:, :2] + found[:, 2:] / 2 - truth[:, :2] - 20).max() < 16  # it follows


@pytest.mark.parametrize("board", ["10"], indirect=True)
def test_a_parser_that_fails_on_the_whole_gets_the_cut_network(board, tmp_path):
    board.machine.tensor_kernels = False
    messages = []
    network, prepared = make_prepared(tmp_path, "tiny_cut")
    made = tensorrt.build_prepared(prepared, tmp_path / "bundle", messages.append)
    assert made.run["form"] == "cut"
    assert any("kernel weights" in text and "trying another form" in text for text in messages)
    names = sorted(path.name for path in made.folder.iterdir())
    assert names == "bundle.json exemplar.plan search0.plan search1.plan tiny_cut.toml".split()


@pytest.mark.parametrize("board", ["8.2", "8.6", "10"], indirect=True)
def test_int8_reads_the_computers_scales_under_its_own_header(board, tmp_path):
    network, prepared = make_prepared(tmp_path, "tiny", "fp16")
    values = preparations.read(prepared)
    request = plans.Request("int8", scales={"search": "3c010a14", "input:0": "3d65992f"})
    builder = plans.PlanBuilder(request, str(tmp_path), quiet)
    builder.build(prepared / values["forms"]["whole"]["models"][1], "search")
    caches = [value for what, value in board.machine.seen if what == "cache"]
    number = {"8.2": "8201", "8.6": "8601", "10.": "100300"}[builder.version[:3]]
    header = f"TRT-{number}-EntropyCalibration2"
    assert caches == [header + "\nsearch: 3c010a14\ninput:0: 3d65992f\n"]
    assert {v for w, v in board.machine.seen if w == "flag"} == {"FP16", "INT8"}


@pytest.mark.parametrize("board", ["11"], indirect=True)
def test_int8_without_quantisers_or_flags_is_one_sentence(board, tmp_path):
    with refusal(BuildFailed, "precision"):
        plans.PlanBuilder(plans.Request("int8", scales={}), str(tmp_path), quiet)


def test_the_timing_cache_is_kept_for_the_next_build(board, tmp_path):
    _, prepared = make_prepared(tmp_path, "tiny")
    for _ in range(2):
        tensorrt.build_prepared(prepared, tmp_path / "bundle", quiet)
    caches = [value for what, value in board.machine.seen if what == "timing cache"]
    assert caches[0] == b"" and caches[-1].startswith(b"timing of 8.2.1.8")


@pytest.mark.parametrize("board", FAMILIES, indirect=True)
def test_a_board_of_little_memory_does_without_cublas_and_cudnn(board, tmp_path):
    _, prepared = make_prepared(tmp_path, "tiny")
    model = prepared / preparations.read(prepared)["forms"]["whole"]["models"][1]
    for size_gb, is_small in ((2, True), (8, False)):
        board.machine.seen.clear()
        request = plans.Request("fp32", memory_gb=size_gb)
        plans.PlanBuilder(request, str(tmp_path), quiet).build(model, "search")
        tactics = [value for what, value in board.machine.seen if what == "tactics"]
        later = ["EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS"]
        left = [] if board.trt.__version__.startswith("8.2") else later
        assert tactics == ([left] if is_small else [])


def test_a_plan_that_needs_cublas_is_built_with_it(board, tmp_path, monkeypatch):
    _, prepared = make_prepared(tmp_path, "tiny")
    model = prepared / preparations.read(prepared)["forms"]["whole"]["models"][1]
    messages, sources = [], []
    builder = plans.PlanBuilder(plans.Request("fp32", memory_gb=2), str(tmp_path), messages.append)
    build = builder._builder.build_serialized_network

    def the_second_time(network, config):
        sources.append(config.get_tactic_sources())
        return build(network, config) if len(sources) > 1 else None

    monkeypatch.setattr(builder._builder, "build_serialized_network", the_second_time)
    assert builder.build(model, "search")
    cublas = 1 << int(board.trt.TacticSource.CUBLAS)
    assert [bool(each & cublas) for each in sources] == [False, True]
    assert any("cuBLAS" in text and "once more" in text for text in messages)


def test_a_frame_allocates_nothing_and_waits_once(board, tmp_path):
    _, made = make_bundle(tmp_path)
    engine = loading.open_setup(loading.Setup(bundle=made))
    counters = board.devices[0].counters
    features = engine.exemplar()
    engine.search(features)
    before = dict(vars(counters))
    engine.search(features)
    after = dict(vars(counters))
    assert after["allocations"] == before["allocations"]
    assert after["synchronisations"] - before["synchronisations"] == 1
    assert after["uploads"] - before["uploads"] == 1  # the picture; the features are there
    assert after["downloads"] - before["downloads"] == 2


def quantise_picture(path):
    """Put quantisers, in steps of two, behind a model's picture."""
    model = onnx.load(str(path))
    graph, picture = model.graph, model.graph.input[0].name
    graph.initializer.append(numpy_helper.from_array(np.array(2, np.float32), "step"))
    graph.initializer.append(numpy_helper.from_array(np.array(0, np.int8), "zero"))
    for node in graph.node:
        node.input[:] = ["levels" if name == picture else name for name in node.input]
    nodes = [
        helper.make_node("QuantizeLinear", [picture, "step", "zero"], ["whole"]),
        helper.make_node("DequantizeLinear", ["whole", "step", "zero"], ["levels"]),
    ] + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, str(path))


def make_quantised(folder):
    """A network with quantisers, prepared for an Orin Nano."""
    network = load_network(tiny.write_network(folder))
    quantise_picture(folder / "tiny_backbone.onnx")
    order = Order(boards.load_board("jetson_orin_nano"), network, "int8")
    preparations.prepare(folder / "prepared", order, quiet)
    return network


@pytest.mark.parametrize("board", ["11"], indirect=True)
def test_a_quantised_network_without_half_tensors_is_built(board, tmp_path, monkeypatch):
    make_quantised(tmp_path)
    values = preparations.read(tmp_path / "prepared")
    for form in values["forms"].values():
        del form["half"]
    monkeypatch.setattr(preparations, "read", lambda folder: values)
    made = tensorrt.build_prepared(tmp_path / "prepared", tmp_path / "bundle", quiet)
    assert loading.open_setup(loading.Setup(bundle=made)).dtype == made.run["dtype"] == "float32"


def test_a_plan_of_the_other_type_is_refused(board, tmp_path):
    _, made = make_bundle(tmp_path, "tiny", "fp16")
    for dtype, messages in (
        ("float32", "HALF.*not float32.*run `make engine"),
        ("float64", "float64"),
    ):
        made.run["dtype"] = dtype
        with pytest.raises(bundle.BadBundle, match=messages):
            engines.open_engine("tensorrt", Setup(made.load_network(), {}, bundle=made))


def test_a_folder_prepared_for_float_tensors_is_prepared_again(tmp_path):
    network = load_network(tiny.write_network(tmp_path))
    nano = boards.load_board("jetson_nano")
    preparations.prepare(tmp_path / "prepared", Order(nano, network, "fp16"), quiet)
    assert preparations.is_current(tmp_path / "prepared", Order(nano, network, "fp16"))
    nano.precision["half_tensors"] = ()
    assert not preparations.is_current(tmp_path / "prepared", Order(nano, network, "fp16"))


IMPORTED = """
import pathlib, sys
sys.path.insert(0, {root!r})
from hotpath.runtime.engines import tensorrt
print(tensorrt.load_library().loaded)
"""
LIBRARY = """
with open("/proc/self/maps") as file:
    text = file.read()
loaded = [name for name in ("libGLdispatch.so.0", "libgomp.so.1") if name in text]
"""


@pytest.mark.skipif(bool(why_no_program("gcc")), reason=why_no_program("gcc"))
def test_gstreamers_static_memory_is_taken_before_tensorrt(tmp_path):
    """Else JetPack 4 and 5 open no CSI camera: "cannot allocate memory in static TLS block"."""
    (tmp_path / "tensorrt.py").write_text(LIBRARY)
    for name in ("libGLdispatch.so.0", "libgomp.so.1"):
        command = ["gcc", "-shared", "-o", str(tmp_path / name), "-x", "c", "/dev/null"]
        subprocess.check_call(command)
    environment = dict(os.environ, LD_LIBRARY_PATH=str(tmp_path), PYTHONPATH=str(tmp_path))
    done = run([sys.executable, "-c", IMPORTED.format(root=str(ROOT))], env=environment)
    assert done.stdout == "['libGLdispatch.so.0', 'libgomp.so.1']\n", done.stderr


DLA = "libnvdla_compiler.so: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    "driver, tensorrt, messages",
    [
        (None, "raise AssertionError", "no NVIDIA driver.*python -m hotpath boards"),
        (
            100,
            "raise AssertionError",
            "does not start .no CUDA-capable device.*python -m hotpath boards",
        ),
        (
            0,
            "import nothing_of_that_name",
            "TensorRT can't be imported: .*python -m hotpath boards",
        ),
        (0, None, "TensorRT is not installed.*python -m hotpath boards"),
        (0, f"raise ImportError({DLA!r})", "libnvdla_compiler.*install nvidia-l4t-dla-compiler"),
    ],
)
def test_what_a_board_lacks_is_one_sentence(monkeypatch, tmp_path, driver, tensorrt, messages):
    if tensorrt is None:
        monkeypatch.setitem(sys.modules, "tensorrt", None)
    else:
        (tmp_path / "tensorrt.py").write_text(tensorrt + "\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    played = None if driver is None else machine.FakeBoard(None, cu_init=driver)
    try:
        with pytest.raises((NoGpu, NoEngine), match=messages):
            plans.PlanBuilder(plans.Request("fp16"), str(tmp_path), quiet)
    finally:
        if played is not None:
            played.leave()


@pytest.mark.parametrize("board", FAMILIES, indirect=True)
def test_no_memory_and_an_old_driver_are_one_sentence_each(board, tmp_path):
    _, made = make_bundle(tmp_path)
    board.machine.memory = 0
    with refusal(GpuFailed, "no memory", command="isolate multi-user"):
        loading.open_setup(loading.Setup(bundle=made))
    board.machine.broken = True
    doctor = "python -m hotpath boards"
    with refusal(NoGpu, "no GPU", command=doctor):
        loading.open_setup(loading.Setup(bundle=made))
    assert board.devices[-1].closed
    with refusal(BuildFailed, "no GPU", command=doctor):
        plans.PlanBuilder(plans.Request("fp16"), str(tmp_path), quiet)


@pytest.mark.parametrize("board", ["8.6"], indirect=True)
def test_a_plan_that_tensorrt_refuses_is_a_sentence_of_its_words(board, tmp_path):
    _, made = make_bundle(tmp_path)
    made.path("search0.plan").write_bytes(b"x" * 100)
    with refusal(bundle.BadBundle, "not loaded", command="make engine BOARD=jetson_nano"):
        engines.open_engine("tensorrt", Setup(made.load_network(), {}, bundle=made))


@pytest.mark.parametrize("name", ["nanotrack_v2", "nanotrack_v3", "siamfc_015"])
def test_published_networks_agree_on_the_oldest_tensorrt(board, tmp_path, networks_dir, name):
    network, nano = load_network(name), boards.load_board("jetson_nano")
    order = Order(nano, network, "fp32", networks_dir=str(networks_dir))
    preparations.prepare(tmp_path / "prepared", order, quiet)
    made = tensorrt.build_prepared(tmp_path / "prepared", tmp_path / "bundle", quiet)
    assert made.run["form"] == ("cut" if name in ("nanotrack_v3", "siamfc_015") else "whole")
    host = engines.create("onnxruntime", network, network.locate(networks_dir))
    found = []
    for engine in (loading.open_setup(loading.Setup(network, bundle=made)), host):
        random = np.random.RandomState(6)
        for crop in (engine.exemplar_crop, engine.search_crop):
            crop[...] = random.uniform(0, 255, crop.shape)
        found.append([array.copy() for array in engine.search(engine.exemplar())])
        engine.close()
    for got, want in zip(*found):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * np.abs(want).max())
