"""Exports of opset 7 to 13 mean the same on every engine and board, or are refused in a sentence.

A small network has an operator behind its convolution, as each opset writes it. What ONNX Runtime
computes from the export itself is right.
"""

import functools
import itertools
import pathlib
import tempfile

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx", "1.17", "an older onnx refuses more of the old operators")

import onnxruntime

from hotpath.boards import load_board
from hotpath.deploy.bundles import prepared
from hotpath.deploy.bundles.order import Order
from hotpath.graphs import canonical_models, correlation_cut, lifting, quantisable
from hotpath.kernels.golden import pack
from hotpath.runtime import engines
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import load_network
from hotpath_nogpu.tensorrt import fake
from hotpath_nogpu.tensorrt.models import FakeModel
from tests.support import cut_check
from tests.support.models import model_of

TOML = """family = "response"
[input]
exemplar = 31
search = 63
context = 0.5
[head]
stride = 8
map_size = 5
correlation = "cross"
[tracking]
scales = 3
scale_step = 1.04
scale_penalty = 0.97
scale_lr = 0.6
window_influence = 0.2
[[file]]
part = "exemplar"
name = "exemplar.onnx"
[[file]]
part = "search"
name = "search.onnx"
"""
SIDES = {"exemplar": (31, 3), "search": (63, 7)}  # of the picture, of its features
CHANNELS = 4
RANDOM = np.random.RandomState(3)
WEIGHTS = RANDOM.normal(0, 0.001, (CHANNELS, 3, 8, 8)).astype(np.float32)
PICTURES = {part: RANDOM.randint(0, 256, (n, n, 3)) for part, (n, _) in SIDES.items()}
NUMBERS = np.arange(1, 1 + CHANNELS, dtype=np.float32)
PLACES = RANDOM.rand(CHANNELS, 49).astype(np.float32) + 0.5

# -- operators that keep the shape: function of the opset -> nodes from x to y, their constants


def clip(opset):
    if opset < 11:
        return [("Clip", ["x"], ["y"], {"min": -0.5, "max": 0.5})], {}
    return [("Clip", ["x", "low", "high"], ["y"])], dict(low=np.float32(-0.5), high=np.float32(0.5))


def _by_axes(kind, given, made, opset, **more):
    """A node whose axes became an input in opset 13."""
    if opset < 13:
        return kind, [given], [made], dict(more, axes=[1])
    return kind, [given, "axes"], [made], more


def squeeze(opset):
    nodes = [_by_axes("Unsqueeze", "x", "u", opset), _by_axes("Squeeze", "u", "y", opset)]
    return nodes, {} if opset < 13 else {"axes": np.array([1])}


def reduce_sum(opset):
    nodes = [_by_axes("ReduceSum", "x", "sum", opset, keepdims=1), ("Add", ["x", "sum"], ["y"])]
    return nodes, {} if opset < 13 else {"axes": np.array([1])}


def split(opset):
    sizes = {"split": [1, 3]} if opset < 13 else {}
    read = ["x"] if opset < 13 else ["x", "sizes"]
    nodes = [("Split", read, ["a", "b"], dict(sizes, axis=1))]
    nodes += [("Concat", ["b", "a"], ["y"], {"axis": 1})]
    return nodes, {} if opset < 13 else {"sizes": np.array([1, 3])}


PADS = [0, 0, 1, 1, 0, 0, 1, 1]


def pad(opset):
    if opset < 11:
        first = "Pad", ["x"], ["p"], {"pads": PADS, "value": 0.5}
    else:
        first = "Pad", ["x", "pads", "half"], ["p"]
    pool = "MaxPool", ["p"], ["y"], {"kernel_shape": [3, 3]}
    constants = {"pads": np.array(PADS), "half": np.float32(0.5)}
    return [first, pool], {} if opset < 11 else constants


def slice_(opset):
    cut = {"axes": [1, 2], "starts": [1, 0], "ends": [3, 99]}
    if opset < 10:
        first, constants = ("Slice", ["x"], ["s"], cut), {}
    else:
        first = "Slice", ["x", "starts", "ends", "axes"], ["s"]
        constants = {key: np.array(value) for key, value in cut.items()}
    return [first, ("Concat", ["s", "s"], ["y"], {"axis": 1})], constants


def top_k(opset):
    constants = {} if opset < 10 else {"k": np.array([4])}
    options = dict({"k": 4} if opset < 10 else {}, axis=1)
    return [("TopK", ["x"] if opset < 10 else ["x", "k"], ["y", "which"], options)], constants


def batch_normalization(opset, spatial=1):
    options = {"spatial": spatial} if opset < 9 or not spatial else {}
    names = ["scale", "bias", "mean", "var"]
    node = "BatchNormalization", ["x", *names], ["y"], options
    return [node], dict.fromkeys(names, NUMBERS)


def per_place(opset):
    return batch_normalization(opset, spatial=0)


def _resize(mode, opset):
    scales = [1.0, 1.0, 3.0, 3.0]
    constants = {} if opset < 9 else {"scales": np.float32(scales)}
    first = "Upsample", ["x"], ["u"], {"mode": mode, "scales": scales}
    if opset >= 9:
        first = "Upsample" if opset == 9 else "Resize", ["x", "scales"], ["u"], {"mode": mode}
    if opset >= 11:
        options = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        first = "Resize", ["x", "roi", "scales"], ["u"], dict(options, mode=mode)
        constants["roi"] = np.zeros(0, np.float32)
    pool = "MaxPool", ["u"], ["y"], {"kernel_shape": [3, 3], "strides": [3, 3]}
    return [first, pool], constants


def _along_1(kind, opset):
    return [(kind, ["x"], ["share"], {"axis": 1}), ("Add", ["x", "share"], ["y"])], {}


OPERATORS = {
    "Clip": clip,
    "Squeeze": squeeze,
    "ReduceSum": reduce_sum,
    "Split": split,
    "Pad": pad,
    "Slice": slice_,
    "TopK": top_k,
    "BatchNormalization": batch_normalization,
    "Resize nearest": functools.partial(_resize, "nearest"),
    "Resize linear": functools.partial(_resize, "linear"),
    "Softmax": functools.partial(_along_1, "Softmax"),
    "LogSoftmax": functools.partial(_along_1, "LogSoftmax"),
    "Hardmax": functools.partial(_along_1, "Hardmax"),
    "BatchNormalization per place": per_place,
}
OPSETS = range(7, 14)
REFUSED = {("BatchNormalization per place", opset) for opset in OPSETS}
REFUSED |= {("Hardmax", opset) for opset in OPSETS if opset < 13}


def export(operator, opset, part):
    """One file of the network as an opset writes it."""
    side, cells = SIDES[part]
    nodes, constants = OPERATORS[operator](opset)
    conv = "Conv", ["picture", "weights"], ["x"], {"strides": [8, 8]}
    nodes, constants = [conv, *nodes], dict(constants, weights=WEIGHTS)
    inputs, outputs = {"picture": [1, 3, side, side]}, {"y": [1, CHANNELS, cells, cells]}
    if part == "search":
        nodes.append(("Conv", ["y", "feature"], ["map"]))
        inputs["feature"], outputs = [1, CHANNELS, 3, 3], {"map": [1, 1, 5, 5]}
    return model_of(nodes, inputs, outputs, constants, opset)


FOLDER = tempfile.TemporaryDirectory()


@functools.lru_cache(maxsize=None)
def network_of(operator, opset):
    """The network's TOML, its files beside it."""
    folder = pathlib.Path(FOLDER.name) / operator.replace(" ", "-") / str(opset)
    folder.mkdir(parents=True)
    for part in SIDES:
        onnx.save(export(operator, opset, part), str(folder / (part + ".onnx")))
    (folder / "small.toml").write_text(TOML)
    return load_network(folder / "small.toml")


def run(model, feed):
    """A model's outputs by name, on those of ``feed`` that it takes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    data = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    taken = {value.name: feed[value.name] for value in session.get_inputs()}
    return dict(zip([value.name for value in session.get_outputs()], session.run(None, taken)))


def chain(exemplar, search):
    """The map of two models of the canonical names."""
    feed = {part: _float(part) for part in SIDES}
    feed.update(run(exemplar, feed))
    maps = run(search, feed)
    return next(value for value in maps.values() if value.shape == (1, 1, 5, 5))


@functools.lru_cache(maxsize=None)
def expected(operator, opset):
    first = run(export(operator, opset, "exemplar"), {"picture": _float("exemplar")})
    feed = {"picture": _float("search"), "feature": first["y"]}
    return run(export(operator, opset, "search"), feed)["map"]


def _float(part):
    return PICTURES[part].transpose(2, 0, 1)[None].astype(np.float32)


# -- targets: function of a network -> its map


def by_engine(name, network):
    if not engines.find(name).is_installed():
        pytest.skip(name + " is not installed")
    engine = engines.create(name, network, network.locate())
    for crop, part in ((engine.exemplar_crop, "exemplar"), (engine.search_crop, "search")):
        crop[...] = pack(PICTURES[part], network.mean, network.scale, False, crop.dtype)
    result = np.array(engine.search(engine.exemplar())[0])
    engine.close()
    return result


def by_board(name, network):
    """From what is prepared for a board; the parser of its TensorRT must take it."""
    order = Order(load_board(name), network, "fp16")
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder) / "prepared"
        prepared.prepare(place, order, lambda sentence: None)
        forms = prepared.read(place)["forms"]
        family, form = ("8.2", "cut") if name == "jetson_nano" else ("10", "whole")
        for file in forms[form]["models"]:
            model = FakeModel((place / file).read_bytes())
            assert not fake.make(family)._problems(model)
        graphs = canonical_models.models(network, network.locate())
        assert cut_check.difference(graphs, correlation_cut.cut(graphs)) <= cut_check.TOLERANCE
        return chain(*(str(place / file) for file in forms["whole"]["models"][:2]))


def by_int8(network):
    qdq, ranges = (pytest.importorskip("hotpath.calib." + name) for name in ("qdq", "ranges"))
    parts = quantisable.parts(network, network.locate())
    feed = {part: _float(part) for part in SIDES}
    for part, model in parts.items():
        histograms = ranges.Histograms(model)
        histograms.add({value.name: feed[value.name] for value in model.graph.input})
        feed.update(run(model, feed))
        parts[part] = qdq.quantised_model(model, histograms.ranges("minmax"))
    return chain(parts["exemplar"], parts["search"])


TARGETS = {  # and how much of the map's range may be lost
    "onnxruntime": (functools.partial(by_engine, "onnxruntime"), 1e-4),
    "openvino": (functools.partial(by_engine, "openvino"), 1e-4),
    "jetson_nano": (functools.partial(by_board, "jetson_nano"), 1e-4),
    "jetson_orin_nano": (functools.partial(by_board, "jetson_orin_nano"), 1e-4),
    "INT8": (by_int8, 0.1),
}
CASES = list(itertools.product(OPERATORS, OPSETS, TARGETS))


@pytest.mark.parametrize("operator, opset, target", CASES)
def test_an_operator_of_any_opset_means_the_same_or_is_refused(operator, opset, target):
    network = network_of(operator, opset)
    compute, bound = TARGETS[target]
    if (operator, opset) in REFUSED:
        with pytest.raises(BadNetwork):
            compute(network)
        return
    want = expected(operator, opset)
    off = np.abs(compute(network) - want).max() / np.abs(want).max()
    assert off <= bound


def write(folder, **opsets):
    """The files of a network with a linear Resize, each of its own opset."""
    paths = {}
    for part, opset in opsets.items():
        paths[part] = folder / (part + ".onnx")
        onnx.save(export("Resize linear", opset, part), str(paths[part]))
    return paths


def test_files_of_two_opsets_are_brought_to_the_newest(tmp_path):
    files = lifting.enter(write(tmp_path, exemplar=9, search=16))
    assert [model.opset_import[0].version for model in files.values()] == [16, 16]
    feed = {"picture": _float("exemplar")}
    want = run(export("Resize linear", 9, "exemplar"), feed)["y"]
    np.testing.assert_allclose(run(files["exemplar"], feed)["y"], want, rtol=1e-5)


def test_files_that_need_no_lift_stay_as_they_are(tmp_path):
    paths = write(tmp_path, exemplar=13, search=13)
    files = lifting.enter(paths)
    assert {part: onnx.load(str(path)) for part, path in paths.items()} == files


BOARDS = ["jetson_nano", "jetson_orin_nano", "jetson_thor"]
README = [f"nanotrack_v{n}" for n in (1, 2, 3)] + ["kestrel", "kestrel_fast", "kestrel_small"]
README += ["lightfc"]


@pytest.mark.parametrize("name, board", itertools.product(README, BOARDS))
def test_a_network_of_the_readme_is_prepared(tmp_path, networks_dir, name, board):
    network = load_network(name)
    order = Order(load_board(board), network, "fp16", networks_dir=str(networks_dir))
    prepared.prepare(tmp_path / "prepared", order, lambda sentence: None)
    file = onnx.load(str(tmp_path / "prepared" / "whole-search0.onnx"))
    assert file.opset_import[0].version == 13
