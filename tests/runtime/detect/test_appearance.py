"""What objects look like: their colours, or the output of a re-identification network."""

import onnx
import pytest
from onnx import TensorProto, helper

from runtime.detect.appearance import Colours, load_reid, remembered
from runtime.errors import BadNetwork, UnknownNetwork
from tests.support import tiny_detector

TOML = """
alike = 0.9
[input]
side = [16, 32]
scale = [0.00392156862745098, 0.00392156862745098, 0.00392156862745098]
[[file]]
name = "tiny_reid.onnx"
"""
SQUARES = [("red", 20, 20), ("blue", 150, 20), ("red", 150, 150)]
BOXES = [(x, y, 48, 48) for _, x, y in SQUARES]


def write_reid(folder, toml=TOML, operator="GlobalAveragePool"):
    """A network whose output is the mean of each channel; returns the TOML's path."""
    nodes = [
        helper.make_node(operator, ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["out"], axis=1),
    ]
    if operator == "Identity":
        nodes = [helper.make_node(operator, ["image"], ["out"])]
    shape = (1, 3, 32, 16) if operator == "Identity" else (1, 3)
    given = [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 32, 16))]
    made = [helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)]
    model = helper.make_model(
        helper.make_graph(nodes, "tiny_reid", given, made),
        opset_imports=[helper.make_opsetid("", 11)],
    )
    model.ir_version = 6
    onnx.save(model, str(folder / "tiny_reid.onnx"))
    (folder / "tiny_reid.toml").write_text(toml)
    return folder / "tiny_reid.toml"


@pytest.fixture(params=["colours", "network"])
def appearance(request, tmp_path):
    if request.param == "colours":
        return Colours()
    pytest.importorskip("onnxruntime")
    return load_reid(write_reid(tmp_path))


def test_the_same_object_is_alike_and_another_is_not(appearance):
    frame = tiny_detector.frame(SQUARES)
    red, blue, other_red = (appearance.describe(frame, box) for box in BOXES)
    assert appearance.similarity(red, other_red) == pytest.approx(1.0, abs=1e-6)
    assert appearance.similarity(red, other_red) > appearance.alike
    assert appearance.similarity(red, blue) < appearance.alike


def test_a_box_outside_the_frame_looks_like_nothing(appearance):
    frame = tiny_detector.frame(SQUARES)
    red, nothing = (appearance.describe(frame, box) for box in (BOXES[0], (900, 9, 20, 20)))
    assert nothing is None and appearance.similarity(red, nothing) == 0.0
    assert remembered(red, nothing) is red and remembered(nothing, red) is red


def test_what_is_remembered_follows_slowly(appearance):
    frame = tiny_detector.frame(SQUARES)
    red, blue = (appearance.describe(frame, box) for box in BOXES[:2])
    known = remembered(red, blue)
    assert appearance.similarity(known, red) > appearance.similarity(known, blue)


def test_the_shipped_description_is_whole_and_misses_its_file(tmp_path):
    with pytest.raises(BadNetwork, match="osnet_x0_25_msmt17.onnx"):
        load_reid("osnet_x0_25", networks_dir=tmp_path)
    with pytest.raises(UnknownNetwork, match="osnet_x0_25"):
        load_reid("osnet")


@pytest.mark.parametrize(
    "old, new, sentence",
    [("alike = 0.9", "", "alike is missing"), ("side", "sides", "did you mean side")],
)
def test_a_wrong_toml_is_one_sentence(tmp_path, old, new, sentence):
    with pytest.raises(BadNetwork, match=sentence):
        load_reid(write_reid(tmp_path, TOML.replace(old, new)))


def test_a_network_that_gives_a_map_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    network = load_reid(write_reid(tmp_path, operator="Identity"))
    with pytest.raises(BadNetwork, match="one row of numbers"):
        network.describe(tiny_detector.frame(SQUARES), BOXES[0])
