# ruff: noqa: E402 -- the libraries of the imports below may be missing, which is a skip
"""An INT8 network runs unchanged through the runtime, and every form comes from one table."""

import contextlib
import json
import struct
import sys
from unittest import mock

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

for library in ("onnxruntime", "openvino"):
    pytest.importorskip(library)

import onnxruntime

from hotpath.base import toml
from hotpath.calib import int8_command as int8
from hotpath.calib import plots, qdq, ranges, sensitivity
from hotpath.calib.calibration import NetworkCalibration
from hotpath.calib.errors import BadRun, MissingLibrary
from hotpath.graphs import (
    assemble,
    byte_pictures,
    calibration_cache,
    models,
    quantisable,
    table,
)
from hotpath.graphs.errors import BadRangeTable
from hotpath.runtime import load_tracker
from hotpath.runtime.engines.onnxruntime import BoundSession, float_layer_options
from hotpath.runtime.engines.shared import precision
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import FOLDER, load_network
from hotpath.runtime.networks.canonical import CanonicalModel
from hotpath.video.clips import find_clips
from tests.support.clips import write_clip
from tests.support.errors import refusal
from tests.support.models import model_of
from tests.support.tiny import film, write_network


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a tiny network and three clips in it."""
    folder = tmp_path_factory.mktemp("int8")
    write_network(folder)
    pictures, boxes = film(30)
    for name, start in (("a", 0), ("b", 8), ("c", 16)):
        part = slice(start, start + 12)
        write_clip(folder / "clips" / name, pictures[part], boxes[part])
    return folder


@pytest.fixture(scope="module")
def done(place):
    """The place after a calibration, and its report."""
    options = int8.parser().parse_args(arguments(place, "out"))
    with mock.patch.object(int8.command_line, "say_written") as wrote:
        report = int8.run(options)
    told = {path.name for path in wrote.call_args[0] if path.is_file()}  # in one call, at the end
    assert told == {path.name for path in (place / "out").iterdir() if path.is_file()}
    assert len(told) == 8  # two forms of two models and a TOML, the table and the report
    return place / "out", report


def arguments(place, out, *more):
    given = ["--network", str(place / "tiny.toml"), "--clips", str(place / "clips")]
    return [*given, "--searches", "4", "--exemplars", "2", "--out", str(place / out), *more]


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_int8_network_tracks_through_every_engine(done, engine):
    out, _ = done
    trackers = [
        load_tracker(str(toml), engine=engine)
        for toml in (out / "tiny-int8.toml", out.parent / "tiny.toml")
    ]
    pictures, boxes = film(20)
    for tracker in trackers:
        tracker.init(pictures[0], boxes[0])
    for frame in pictures[1:]:
        int8_box, plain_box = (np.array(tracker.update(frame).box) for tracker in trackers)
        assert np.abs(int8_box - plain_box).max() < 4
    model = onnx.load(str(out / "tiny-int8_search.onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert "QuantizeLinear" in {node.op_type for node in model.graph.node}


def test_the_symmetric_form_has_no_zero_points_as_tensorrt_asks(done):
    for part in ("exemplar", "search"):
        model = onnx.load(str(done[0] / f"tiny-int8-symmetric_{part}.onnx"))
        constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        pairs = [n for n in model.graph.node if n.op_type.endswith("antizeLinear")]
        zeros = [constants[node.input[2]] for node in pairs]
        assert zeros and all(zero.dtype == np.int8 and not zero.any() for zero in zeros)


def test_the_table_holds_every_method_and_its_measurement(done, place):
    out, report = done
    one, other = (report["forms"][f"INT8 cpu, {name}"] for name in ("onnxruntime", "openvino"))
    assert one["overlap"] == pytest.approx(other["overlap"], abs=1e-3)
    network = load_network(place / "tiny.toml")
    told = table.read(out / "tiny-ranges.json", network)
    shas = {clip.name: clip.sha256 for clip in find_clips([place / "clips"])}
    measured = {clip["name"]: clip["sha256"] for clip in told["clips"]}
    assert measured == {name: shas[name] for name in ("a", "c")}
    built = assemble.build(network, network.locate())  # engines build from these names
    for part, model in (("exemplar", built.exemplar), ("search", built.search)):
        entries, outputs = told["tensors"][part], [n for x in model.graph.node for n in x.output]
        assert set(entries) <= {*outputs, *(value.name for value in model.graph.input)}
        for entry in entries.values():
            assert set(entry["all"]) == set(ranges.METHODS)
            assert entry["range"] == entry["all"][told["method"]]
            assert entry["range"][0] <= 0 <= entry["range"][1]


def test_pictures_stay_bytes_without_black_or_white_in_the_clips(done):
    out, _ = done
    network = load_network(str(out / "tiny-int8.toml"))
    graphs = assemble.build(network, network.locate())
    graphs = byte_pictures.with_byte_pictures(network, graphs)
    for model, name in zip((graphs.exemplar, graphs.search), graphs.image):
        (picture,) = [value for value in model.graph.input if value.name == name]
        assert picture.type.tensor_type.elem_type == onnx.TensorProto.UINT8


@pytest.mark.parametrize(
    "more, messages",
    [
        (["--only", "a"], "can't be parted"),
        (["--searches", "0"], "leave nothing to measure"),
        (["--network", "fear_xs"], "fear_xs: one-step overlap is defined for"),
        (
            ["--network", "siamfc_015"],
            "siamfc_015: one-step overlap is defined for",
        ),  # before its files
    ],
)
def test_mistakes_have_a_sentence(place, capsys, more, messages):
    assert int8.main(arguments(place, "x", *more)) == 2
    assert messages in capsys.readouterr().err


def test_without_clips_nothing_is_measured(place, capsys):
    assert int8.main(["--network", str(place / "tiny.toml")]) == 2
    assert "no clips" in capsys.readouterr().err


def test_a_table_of_another_network_or_none_at_all_is_refused(done, tmp_path):
    other = load_network(write_network(tmp_path))
    path = tmp_path / "tiny_head.onnx"
    model = onnx.load(str(path))
    model.doc_string = "another"
    onnx.save(model, str(path))
    with refusal(BadRangeTable, "other files"):
        table.read(done[0] / "tiny-ranges.json", other)
    for text in ("{}", "not json"):
        (tmp_path / "t.json").write_text(text)
        with pytest.raises(BadRangeTable, match="make one with"):
            table.read(tmp_path / "t.json")


def test_the_maps_that_a_toml_names_are_found_in_its_int8_form(tmp_path):
    model = model_of([], {}, {f"x/output{n}": [1] for n in (3, 1, 2)})
    path = qdq.write(load_network("vittrack"), {"search": model}, tmp_path, "mine", "a test", {})
    written = toml.read(path, BadNetwork)
    assert written["head"]["maps"] == ["x/output1", "x/output2", "x/output3"]


def test_nodes_of_the_same_name_get_names_of_their_own():
    nodes = [("Relu", *ends, {"name": "r"}) for ends in ((["x"], ["a"]), (["a"], ["y"]))]
    model = quantisable.prepare_for_quantiser(model_of(nodes, {"x": [1]}, {"y": [1]}))
    assert [node.name for node in model.graph.node] == ["r", "Relu_y"]


def test_products_around_a_softmax_and_after_a_join_stay_floats():
    nodes = [
        ("MatMul", ["x", "weights"], ["q"]),
        ("Transpose", ["q"], ["k"]),
        ("MatMul", ["q", "k"], ["products"]),
        ("Mul", ["products", "scale"], ["logits"]),
        ("Softmax", ["logits"], ["shares"]),
        ("MatMul", ["shares", "q"], ["values"]),
        ("Concat", ["q", "x"], ["joined"], {"axis": 0}),
        ("MatMul", ["joined", "others"], ["y"]),
    ]
    one = np.eye(4, dtype=np.float32)
    weights = {"weights": one, "others": one, "scale": np.float32(0.5)}
    model = quantisable.prepare_for_quantiser(
        model_of(nodes, {"x": [4, 4]}, {"y": [8, 4]}, weights)
    )
    spans = {name: (-1.0, 1.0) for node in nodes for name in [*node[1], *node[2]]}
    done = qdq.quantised_model(model, spans).graph.node
    rounded = {node.input[0] for node in done if node.op_type == "QuantizeLinear"}
    assert {"x", "q"} <= rounded and not rounded & {"products", "shares", "values"}
    last = next(node for node in done if node.output[0] == "y")
    assert last.input[1] == "others"  # as it was, after a Concat


def calibration(place):
    clips = find_clips([place / "clips" / "a"])
    return NetworkCalibration(load_network(place / "tiny.toml"), None, clips, clips, (1, 1))


@pytest.mark.parametrize("is_weight", [True, False])
def test_weights_among_the_inputs_are_no_box(place, monkeypatch, is_weight):
    def listed(*given):
        found = parts(*given)
        graph = found["exemplar"].graph
        name = graph.initializer[0].name if is_weight else "box"
        graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        return found

    parts = quantisable.parts
    monkeypatch.setattr(quantisable, "parts", listed)
    refused = pytest.raises(BadRun, match="takes the target's box")
    with contextlib.nullcontext() if is_weight else refused:
        calibration(place)


def test_a_clip_that_hardly_shows_its_target_is_refused(place):
    work = calibration(place)
    work.clips[0].boxes[1:] = np.nan
    with refusal(BadRun, "too few frames"):
        work.crops(work.clips[0])


# -- TensorRT's cache


def read(text):
    """(first line, dict of name -> scale) of a cache."""
    header, *lines = text.splitlines()
    pairs = (line.rpartition(": ") for line in lines)  # names may hold colons and blanks
    return header, {name: struct.unpack(">f", bytes.fromhex(v))[0] for name, _, v in pairs}


def test_the_cache_survives_a_round_trip_with_odd_names():
    names = "input_1:0", "(Unnamed Layer* 4) [Fully Connected]_output", "a: 3c010a14: b", " blank "
    amax = dict(zip(names, (2.5, 0.126, 126.97, 1e-6)))
    header, scales = read(calibration_cache.text(calibration_cache.scales(amax), "10.3.0"))
    assert header == "TRT-100300-EntropyCalibration2" and list(scales) == list(amax)
    for name, value in amax.items():
        assert np.float32(scales[name]) * np.float32(127) == pytest.approx(value, rel=1.2e-7)
    # a sigmoid's scale as it is seen in published caches
    amax = 127 * struct.unpack(">f", bytes.fromhex("3c010a14"))[0]
    scales = calibration_cache.scales({"input_1:0": amax})
    line = calibration_cache.text(scales, "8.2.1").splitlines()
    assert line == ["TRT-8201-EntropyCalibration2", "input_1:0: 3c010a14"]


def test_a_cache_without_the_boards_own_header_is_refused():
    for version, number in (("7.1.3", 7103), ("8.5.10", 8510), ("8.6", 8600), ("10.3.0", 100300)):
        assert calibration_cache.header(version) == f"TRT-{number}-EntropyCalibration2"
    with refusal(BadRangeTable, "too new"):
        calibration_cache.header("11.4.1")
    with refusal(BadRangeTable, "not a version"):
        calibration_cache.header("newest")
    with refusal(BadRangeTable, "spans lines"):
        calibration_cache.text({"a\nb": "3c010a14"}, "8.2.1")


# -- ranges


@pytest.fixture
def entry():
    """A histogram entry with a long tail, as ONNX Runtime collects it."""
    values = np.random.default_rng(1).gamma(1.5, 1.0, 200000).astype(np.float32)
    collector = ranges.HistogramCollector("entropy", False, 512, 128, 99.99, None)
    collector.collect_value({"t": values})
    return values, collector.histogram_dict["t"]


def test_methods_cut_the_tail_as_they_say(entry):
    values, found = entry
    assert ranges.find_range(found, "entropy")[1] == pytest.approx(11.7381, rel=1e-4)
    assert ranges.find_range(found, "minmax") == (0.0, pytest.approx(values.max()))
    low, high = ranges.find_range(found, "percentile")
    assert low == 0 and 0.9999 - 1e-4 <= (values <= high).mean() < 1
    low, high = ranges.find_range(found, "mse")

    def error(top):
        step = top / 255
        return ((np.round(np.clip(values, 0, top) / step) * step - values) ** 2).mean()

    assert error(high) <= min(error(high * 0.93), error(high * 1.07), error(values.max())) * 1.01


def test_a_tensor_that_was_near_zero_at_first_keeps_few_bins():
    nodes = [("Relu", ["x"], ["y"])]
    histograms = ranges.Histograms(model_of(nodes, {"x": [1, 1000]}, {"y": [1, 1000]}))
    rng = np.random.default_rng(0)
    for scale in (1e-6, 1.0, 300.0):
        histograms.add({"x": (rng.normal(0, scale, (1, 1000))).astype(np.float32)})
    counts, edges = histograms.state()["y"][:2]
    assert len(counts) <= 2 * ranges.BINS * ranges.WIDEN and counts.sum() == 3000
    assert edges[-1] >= histograms.ranges("minmax")["y"][1] > 300


# -- layers


def chain():
    """Three convolutions; between the last two one channel drowns the others in INT8."""
    rng = np.random.default_rng(5)
    nodes = []
    constants = {}
    for index in range(3):
        weight = rng.normal(0, 0.3, (4, 4, 1, 1)).astype(np.float32)
        if index == 1:
            weight[0] *= 1000
        if index == 2:
            weight[:, 0] = 0  # nothing of it is needed
        constants[f"w{index}"] = weight
        names, after = [f"t{index}", f"w{index}"], [f"t{index + 1}"]
        nodes.append(("Conv", names, after, {"name": f"conv{index}"}))
    return quantisable.prepare_for_quantiser(
        model_of(nodes, {"t0": [1, 4, 8, 8]}, {"t3": [1, 4, 8, 8]}, constants)
    )


def test_the_layer_that_loses_most_is_kept_in_floats_first(tmp_path):
    model = chain()
    feed = {"t0": np.random.default_rng(6).normal(0, 1, (1, 4, 8, 8)).astype(np.float32)}
    histograms = ranges.Histograms(model)
    histograms.add(feed)
    spans = histograms.ranges("minmax")
    found = sensitivity.noise(model, spans, [feed], "cpu")
    assert min(found, key=found.get) == "conv0" and min(found.values()) * 100 < max(found.values())
    costs = dict.fromkeys(found, 1)
    (sets,) = sensitivity.keep_sets(found, costs, 0.4)
    assert sets in (["conv1"], ["conv2"])
    assert list(sensitivity.keep_sets(found, costs, 0.1)) == []
    kept = qdq.quantised_model(model, spans, "cpu", ("conv1",))
    quantised = {n.output[0] for n in kept.graph.node if n.op_type == "DequantizeLinear"}
    made = {n.name: n.input[1] for n in kept.graph.node if n.op_type == "Conv"}
    assert made["conv1"] == "w1" and made["conv0"] in quantised
    kept.graph.output.append(helper.make_tensor_value_info("t2", TensorProto.FLOAT, [1, 4, 8, 8]))
    plain = ranges.session(kept, literal=True).run(["t2"], feed)[0][:, 1:]
    fused = ranges.session(kept).run(["t2"], feed)[0]
    path = tmp_path / "chain.onnx"
    onnx.save(kept, str(path))
    model_file = CanonicalModel(str(path), (), (), models.has_float_layer(kept.graph))
    bound = BoundSession(onnxruntime, "chain", model_file, 1)
    bound.arrays["t0"][...] = feed["t0"]
    bound.run()
    for found in (fused, bound.arrays["t2"]):
        np.testing.assert_allclose(found[:, 1:], plain, rtol=1e-4, atol=1e-4)
    whole = qdq.quantised_model(model, spans, "symmetric")
    assert (
        float_layer_options(onnxruntime, models.has_float_layer(whole.graph)) == {}
    )  # nothing is kept there, and biases get INT8


def test_a_missing_range_is_refused(place):
    network = load_network(place / "tiny.toml")
    search = quantisable.parts(network, network.locate())["search"]
    with refusal(BadRangeTable, "no range"):
        qdq.quantised_model(search, {"nothing": (0.0, 1.0)})


def test_arithmetic_is_counted():
    assert qdq.macs(chain()) == {f"conv{i}": 4 * 4 * 64 for i in range(3)}


@pytest.mark.parametrize("name", ["kestrel", "kestrel_small"])
def test_the_shipped_int8_form_follows_from_the_shipped_table(name, tmp_path):
    network = load_network(name)
    shipped = precision.int8_form(network)
    work = NetworkCalibration(network, None, [], [], (1, 1))
    told = table.read(FOLDER / (name + "-ranges.json"), network)
    again = load_network(str(int8.write_targets(work, told, tmp_path)["cpu"]))
    assert again.path.name == shipped.path.name
    assert again.made_from == shipped.made_from == told["files"] == network.hashes()
    for part, path in shipped.locate().items():
        graphs = [onnx.load(str(each)).graph for each in (path, again.locate()[part])]
        for graph in graphs:
            del graph.value_info[:]  # shapes that the other values give
        assert graphs[0] == graphs[1]


# -- the report


def test_the_report_has_the_noise_of_each_layer(done):
    out, report = done
    assert set(report["noise"]) == {"Conv_features"} - set(report["last"])
    assert json.loads((out / "tiny-int8.json").read_text())["noise"] == report["noise"]


def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingLibrary, match="a plot needs the package matplotlib"):
        plots.pyplot()


def test_the_report_says_how_sure_a_loss_is():
    form = {"same_cell": 1.0, "bytes": 1e6, "overlap": 0.7, "overlap_error": 0.01}
    report = {
        "network": "tiny",
        "method": "minmax",
        "keep": [],
        "kept_share": 0.0,
        "pairs": 120,
        "held_out": ["a", "b"],
        "forms": {
            "fp32": dict(form, loss=0.0, loss_error=0.0),
            "near": dict(form, loss=0.003, loss_error=0.002),
            "far": dict(form, loss=0.03, loss_error=0.002),
            "one clip": dict(form, loss=0.003, loss_error=None),
        },
    }
    lines = int8.text(report).splitlines()
    assert "0.7000 ± 0.0100" in lines[3] and "+0.0030 ± 0.0020" in lines[3]
    assert lines[-1] == "within two standard errors of fp32 (over clips): near"
