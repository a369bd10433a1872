"""An INT8 network takes bytes, or the channels of a pixel side by side, and gives the same maps."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from hotpath.graphs import assemble, byte_pictures
from hotpath.kernels.golden import pack
from hotpath.runtime import engines
from hotpath.runtime.engines import openvino
from hotpath.runtime.networks import canonical, load_network
from tests.conftest import ROOT
from tests.support.models import model_of

ENGINES = ("openvino", "onnxruntime")


@pytest.fixture(scope="module")
def kestrel():
    return load_network(
        str(ROOT / "hotpath" / "runtime" / "networks" / "int8" / "kestrel_small-int8.toml")
    )


def maps(engine, network, seed):
    """The maps of a random picture, written into the engine's input as a tracker does."""
    noise = np.random.RandomState(seed)
    for crop in (engine.exemplar_crop, engine.search_crop):
        picture = noise.randint(0, 256, crop.shape[2:] + (3,)).astype(np.uint8)
        crop[...] = pack(picture, network.mean, network.scale, False, crop.dtype)
    return [array.copy() for array in engine.search(engine.exemplar())]


def check_same(one, other, network):
    for seed in range(3):
        for got, want in zip(maps(one, network, seed), maps(other, network, seed)):
            np.testing.assert_array_equal(got, want)


class Plain:
    """An engine's library on a network's graphs, which take their pictures as they are given."""

    def __init__(self, engine, graphs, folder, in_bytes=()):
        bound = []
        for name, model in (("exemplar", graphs.exemplar), ("search", graphs.search)):
            path = str(folder / name)
            onnx.save(model, path)
            bound.append(engine.bind(canonical.CanonicalModel(path, in_bytes, (), False), 1))
        (self._exemplar, self._search), self._graphs = bound, graphs
        self.exemplar_crop, self.search_crop = (
            each.arrays[name] for each, name in zip(bound, graphs.image)
        )

    def exemplar(self):
        self._exemplar.run()
        return [self._exemplar.arrays[name] for name in self._graphs.features]

    def search(self, features):
        for name, values in zip(self._graphs.features, features):
            self._search.arrays[name][...] = values
        self._search.run()
        return [self._search.arrays[name] for name in self._graphs.maps]


@pytest.mark.parametrize("name", ENGINES)
def test_bytes_give_the_maps_of_normalised_pictures_to_the_bit(kestrel, name, tmp_path):
    pytest.importorskip(name)
    paths = kestrel.locate()
    with_bytes = engines.create(name, kestrel, paths)
    assert with_bytes.search_crop.dtype == with_bytes.exemplar_crop.dtype == np.uint8
    assert with_bytes.describe()["precision"] == "int8"
    with_floats = Plain(with_bytes, assemble.build(kestrel, paths), tmp_path)
    assert with_floats.search_crop.dtype == np.float32
    check_same(with_bytes, with_floats, kestrel)


def _is_bytes(model, name):
    (value,) = [value for value in model.graph.input if value.name == name]
    return value.type.tensor_type.elem_type == onnx.TensorProto.UINT8


@pytest.mark.parametrize(
    ("step", "zero", "is_kept"),
    [
        (1 / 58, 118, True),  # that of kestrel_small
        (1 / 58.2, 118, True),  # half a step is not reached
        (1 / 58.4, 118, False),
        (1 / 58, 117, False),
        (1 / 29, 118, False),
        (1 / 58, 118 - 128, False),  # signed bytes
    ],
)
def test_a_quantiser_goes_only_where_it_keeps_all_bytes(kestrel, step, zero, is_kept):
    model = _quantising(step, zero)
    graphs = assemble.AssembledGraphs(model, model, ("y",), ("x", "x"), ("y",))
    got = byte_pictures.with_byte_pictures(kestrel, graphs)
    assert _is_bytes(got.search, "x") is is_kept
    assert len(got.search.graph.node) == (1 if is_kept else 2)
    onnx.checker.check_model(got.search)
    assert len(model.graph.node) == 2  # not changed


def _quantising(step, zero):
    """A model that quantises its input and nothing else."""
    nodes = [
        ("QuantizeLinear", ["x", "step", "zero"], ["q"]),
        ("DequantizeLinear", ["q", "step", "zero"], ["y"]),
    ]
    constants = {"step": np.float32(step), "zero": np.array(zero, "u1" if zero >= 0 else "i1")}
    return model_of(nodes, {"x": (1, 3, 5, 5)}, {"y": (1, 3, 5, 5)}, constants)


def test_openvino_gives_the_same_bits_in_either_order(tmp_path):
    pytest.importorskip("openvino")
    if not openvino.OpenVinoEngine.computes_int8():
        pytest.skip("OpenVINO computes in floats here")
    network = load_network(str(ROOT / "hotpath/runtime/networks/int8/kestrel_small-int8.toml"))
    engine = engines.create("openvino", network, network.locate())
    assert engine.search_crop.shape == (1, 3, 255, 255) and engine.search_crop.strides[1] == 1
    built = assemble.build(network, network.locate())
    graphs = byte_pictures.with_byte_pictures(network, built)
    in_planes = Plain(engine, graphs, tmp_path, graphs.image)
    assert in_planes.search_crop.flags.c_contiguous
    check_same(engine, in_planes, network)


def sums_of_rows(kind=TensorProto.UINT8, channels=3, steps=(0.5,)):
    """A picture, dequantised, and the sum of each of its rows."""
    nodes = [
        ("DequantizeLinear", ["picture", "step", "zero"], ["values"], {"axis": 1}),
        ("ReduceSum", ["values", "axes"], ["sums"], {"keepdims": 0}),
    ]
    ends = {"picture": (1, channels, 4, 5)}, {"sums": (1, channels, 4)}
    constants = {"step": np.float32(steps), "zero": np.zeros(len(steps), np.uint8)}
    return model_of(nodes, *ends, dict(constants, axes=np.array([3])), picture=kind)


def test_the_graph_turns_the_picture_around():
    onnxruntime = pytest.importorskip("onnxruntime")
    model = sums_of_rows()
    rewritten, names = byte_pictures.with_pixels(model)
    onnx.checker.check_model(rewritten, full_check=True)
    assert names == {"picture"} and model == sums_of_rows()
    picture = np.random.RandomState(0).randint(0, 256, (1, 4, 5, 3)).astype(np.uint8)
    session = onnxruntime.InferenceSession(rewritten.SerializeToString())
    (found,) = session.run(None, {"picture": picture})
    np.testing.assert_array_equal(found, picture.sum(axis=2).transpose(0, 2, 1) * 0.5)


@pytest.mark.parametrize(
    "given", [{"kind": TensorProto.INT8}, {"channels": 1}, {"steps": (0.5, 0.25, 0.5)}]
)
def test_other_inputs_stay_as_they_are(given):
    model = sums_of_rows(**given)
    rewritten, names = byte_pictures.with_pixels(model)
    assert rewritten is model and not names
