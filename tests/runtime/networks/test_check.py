"""`hotpath networks`: what it lists and shows, and what it says of a wrong TOML."""

import importlib.util
import re

import numpy as np
import onnx
import pytest

from hotpath.app.cli.networks import examine
from hotpath.app.cli.networks.networks_command import main
from hotpath.base import toml_checks
from hotpath.graphs.counting import count, read_parts
from hotpath.runtime import decode, engines, load_tracker
from hotpath.runtime.errors import BadNetwork, UnknownNetwork
from hotpath.runtime.networks import Network, load_network, names, network_schema
from tests.support import blobs, tiny
from tests.support.errors import refusal

WRONG = """family = "points"
licence = 3
engine = "openvino"
[input]
exemplar = 127
serch = 255
context = 0.5
exemplar_factor = 0.2
mean = [1, 2]
[head]
unit = "cells"
stride = "eight"
map_size = 16
ratios = [1]
quality = "blend"
[tracking]
penalty = 0.1
window_influence = 1.3
[[file]]
part = "exemplar"
name = "a/b.onnx"
[[file]]
part = "serch"
name = "none.onnx"
sha256 = "12"
"""


@pytest.fixture
def run(capsys):
    """A function: (exit code, everything printed) of the command."""

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, "".join(capsys.readouterr())

    return call


def test_check_names_every_mistake_and_loading_the_first(run, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(WRONG)
    code, text = run("check", path)
    assert code == 2
    for sentence in (
        "licence must be text, not 3",
        "[input] search is missing",
        "[input] serch is not a known key; did you mean search?",
        '[input] exemplar_factor is not used where crop is "square"; remove it',
        "[input] mean must hold 3 numbers, not 2",
        "[head] unit is gone: distances are pixels",
        "engine is gone: give the option engine",
        "[head] quality is gone: put the quality",
        "[head] stride must be a whole number, not 'eight'",
        "[head] ratios is not a known key",
        "[tracking] size_lr is missing",
        "[tracking] window_influence must lie in 0 to 1, not 1.3",
        "[[file]] 1: name must be a file name without folders",
        "[[file]] 2: part must be one of",
        "[[file]] 2: sha256 must be 64 hexadecimal digits, small",
    ):
        assert f"{path}: {sentence}" in text
    assert "16 mistakes" in text
    with refusal(BadNetwork, "wrong keys", command="check"):
        load_network(path)
    path.write_text('family = "points"\n[input\nexemplar = 1\n')
    code, text = run("check", path)
    assert code == 2 and "as TOML" in text and "line 2" in text


@pytest.mark.parametrize(
    "line",
    ['part = "network"', 'part = "kernel_cls"', 'part = "kernel_loc"']
    + ['part = "search"\nfeatures = "63"', 'part = "search"\nweight_of = "68"'],
)
def test_a_network_whose_weights_are_made_of_the_exemplar_is_one_sentence(run, tmp_path, line):
    toml = blobs.write_network(tmp_path, "siamban")
    toml.write_text(toml.read_text().replace('part = "search"', line))
    code, text = run("check", toml)
    assert code == 2 and "kernel_loc are gone, and the keys features" in text
    assert "is not a known key" not in text and "must be" not in text


def test_check_says_which_files_are_missing_or_wrong(run, tmp_path):
    toml = blobs.write_network(tmp_path, "siamban")
    name = 'name = "siamban_track.onnx"'
    toml.write_text(toml.read_text().replace(name, name + '\nsha256 = "{}"'.format("0" * 64)))
    (tmp_path / "siamban_template.onnx").unlink()
    code, messages = run("check", toml)
    assert code == 2
    assert "needs the file siamban_template.onnx" in messages
    assert "https://github.com/hqucv/siamban" in messages
    assert "siamban_track.onnx with sha256 000000000000" in messages
    assert "2 mistakes" in messages


def damage(path, value, shape=(1, 1, 1, 25)):
    """Set the weights of one shape to a value."""
    model = onnx.load(str(path))
    for tensor in model.graph.initializer:
        if tuple(tensor.dims) == shape:
            values = np.full(shape, value, np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, str(path))


@pytest.mark.parametrize(
    "name, change, words",
    [
        ("siamban", ("map_size = 25", "map_size = 24"), ["1x2x24x24 and 1x4x24x24", "1x2x25x25"]),
        ("lighttrack", ('"sigmoid"', '"none"'), ["which are no probabilities"]),
        ("siamban", np.inf, ["is not finite"]),
        ("siamban", b"<html>not found</html>", ["siamban_track.onnx is not a whole ONNX file"]),
    ],
)
def test_check_says_what_is_wrong_with_files_or_maps(run, tmp_path, name, change, words):
    toml, path = blobs.write_network(tmp_path, name), tmp_path / "siamban_track.onnx"
    if isinstance(change, tuple):
        toml.write_text(toml.read_text().replace(*change))
    elif isinstance(change, bytes):
        path.write_bytes(change)
    else:
        damage(path, change)
    code, messages = run("check", toml)
    assert code == 2 and all(word in messages for word in words)


def test_a_weight_that_is_no_number_is_refused_by_every_engine(run, tmp_path):
    toml = blobs.write_network(tmp_path, "siamban")
    damage(tmp_path / "siamban_track.onnx", np.nan)
    for engine in ("openvino", "onnxruntime"):
        with refusal(BadNetwork, "not finite"):
            load_tracker(toml, engine=engine)
    code, messages = run("check", toml)
    assert code == 2 and "NaN in its weights" in messages


def test_check_says_when_the_weights_are_all_zero(run, tmp_path):
    toml = tiny.write_network(tmp_path)
    damage(tmp_path / "tiny_backbone.onnx", 0, (3, 3, 63, 63))
    code, messages = run("check", toml)
    assert code == 2 and "map 1 is the same" in messages


def test_a_network_declares_each_key_and_numbers_have_bounds():
    others = {"name", "path", "files", "published", "negatives", "point_prompt", "made_from"}
    declared = set(Network.__annotations__) - others
    for family in decode.families():
        own = decode.module_of(family).KEYS.values()
        for keys in (network_schema.TOP, *network_schema.SECTIONS.values(), *own):
            declared -= set(keys)
            for name, key in keys.items():
                assert name in Network.__annotations__
                if key.kind in (int, float, list):
                    assert key.low is not None and key.high is not None, (family, name)
                    assert key.low <= key.high < 1e7
    assert not declared


def test_check_of_a_right_network_says_so(run, tmp_path):
    code, messages = run("check", blobs.write_network(tmp_path, "vittrack"))
    assert code == 0, messages
    assert "all is well" in messages and "runs       on" in messages


def test_list_has_every_network_and_whether_its_files_are_here(run, tmp_path):
    code, messages = run("list", "--networks-dir", tmp_path)
    assert code == 0
    networks, detectors = messages.split("\n\n")
    rows = {line.split()[0]: line.split()[4] for line in networks.splitlines()[1:]}
    assert set(rows) == set(names()) and "yolox_nano" in detectors
    assert rows["kestrel"] == "present"
    assert rows["lighttrack"] == "missing:"


def test_show_counts_and_says_where_a_network_runs(run, tmp_path):
    toml = blobs.write_network(tmp_path, "siamrpnpp_resnet50")
    code, messages = run("show", toml)
    assert code == 0, messages
    for words in ("a frame", "exemplar, once", "MMAC", "operators", "on a GPU", "PYNQ-Z2"):
        assert words in messages
    assert re.search(r"onnxruntime +([\d.]+ ms a frame \(median\) on CPU|not installed)", messages)
    is_estimated = importlib.util.find_spec("hotpath_fpga") is not None
    assert not is_estimated or re.search(r"PYNQ-Z2 +the FPGA's engine refuses .*Log 2 \(", messages)
    code, messages = run("show", "kestrel_small")
    assert code == 0
    assert not is_estimated or re.search(
        r"PYNQ-Z2 +[\d,]+ cycles a frame in the FPGA's engine", messages
    )


def test_counts_are_those_of_the_formulas():
    graph = blobs.BlobGraph()
    first = graph.Conv("x", np.zeros((8, 3, 3, 3)), strides=[2, 2], pads=[1, 1, 1, 1])
    second = graph.Conv(first, np.zeros((8, 1, 5, 5)), group=8)
    flat = graph.Flatten(graph.Relu(second))
    full = graph.Gemm(flat, np.zeros((288, 10)))
    graph.MatMul(full, np.zeros((10, 4)), output="y")
    model = graph.model([("x", (1, 3, 20, 20))], [("y", (1, 4))])
    figures = count(model)
    assert figures.parameters == 8 * 27 + 8 * 25 + 2880 + 40
    assert figures.macs == 100 * 8 * 27 + 36 * 8 * 25 + 2880 + 40
    assert figures.operators["Conv"] == 2
    assert figures.inputs == {"x": (1, 3, 20, 20)}
    assert figures.outputs == {"y": (1, 4)}


@pytest.mark.parametrize("name, published_mflops", [("nanotrack_v2", 84.6), ("lighttrack", 530)])
def test_counts_come_near_what_the_authors_publish(networks_dir, name, published_mflops):
    network = load_network(name)
    parts = read_parts(network, network.locate(networks_dir))
    counts = {name: count(model) for name, model in parts.items()}
    assert counts["a frame"].macs / 1e6 == pytest.approx(published_mflops, rel=0.1)


@pytest.mark.parametrize(
    "name, words",
    [
        ("yolo", "yolox_nano? That is a detector: use `hotpath track --detector"),
        ("yolo", "or hotpath.track(detector=NAME) in Python; the networks are: "),
        ("yolox_nano", "hotpath.track(detector=NAME) in Python"),
        ("kestrl", "did you mean kestrel"),
    ],
)
def test_a_name_that_is_like_a_detector_s_says_what_it_is(name, words):
    with pytest.raises(UnknownNetwork) as caught:
        load_network(name)
    assert words in str(caught.value)


def test_an_unknown_family_is_named_with_those_there_are():
    _, _, mistakes = network_schema.read({"family": "dots", "head": {"anything": 1}})
    sentences = [toml_checks.sentence(mistake) for mistake in mistakes]
    assert any("'dots'" in s and "anchors, centre" in s for s in sentences)
    assert not any("anything" in s for s in sentences)  # the unknown family may have this key


def test_the_keys_of_a_misspelt_family_are_checked_too(run, tmp_path):
    path = blobs.write_network(tmp_path, "lighttrack")
    text = path.read_text().replace('"points"', '"pointz"').replace("\nstride", "\nstrid")
    path.write_text(text)
    code, messages = run("check", path)
    assert code == 2 and "'pointz'" in messages and "did you mean points?" in messages
    assert "[head] strid " in messages and "did you mean stride?" in messages


@pytest.mark.parametrize(
    "section, key, value",
    [("tracking", "penalty", value) for value in (float("nan"), float("inf"), True, "1", [1])]
    + [("input", "scale", [0, 1, 1])],
)
def test_a_number_must_be_a_finite_number_and_a_scale_not_0(section, key, value):
    _, _, mistakes = network_schema.read({"family": "points", section: {key: value}})
    assert any(m.section == section and m.key == key for m in mistakes)


def test_check_compares_the_boxes_of_engines(tmp_path, monkeypatch):
    network = load_network(tiny.write_network(tmp_path))
    follow = examine._boxes_of
    here = engines.installed()
    report, mistakes = examine.boxes(network, network.locate(), None)
    assert mistakes == 0 and [line.split()[0] for line in report] == [*here, "TensorRT"]
    if len(here) > 1:
        moved = {name: 3.0 * n for n, name in enumerate(here)}
        monkeypatch.setattr(examine, "_boxes_of", lambda *given: follow(*given) + moved[given[1]])
        report, mistakes = examine.boxes(network, network.locate(), None)
        assert mistakes == len(here) - 1 and "computes an operator otherwise" in report[1]
