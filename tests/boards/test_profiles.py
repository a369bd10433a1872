"""Boards' TOML files: complete and checked."""

import pytest

from hotpath.boards import board_schema, load_board
from hotpath.boards.errors import BadBoard, UnknownBoard
from hotpath.video import hardware
from tests.support.errors import refusal

pytestmark = pytest.mark.pythons("TOML without a library")

MINIMAL = """
title = "A board"
family = "computer"
engine = "openvino"
[precision]
exists = ["fp32"]
default = "fp32"
"""


def own(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "name, release, family",
    [
        ("jetson_nano", "32.6.1", None),  # TensorRT 8.0
        ("jetson_nano", "32.7.4", "4.6"),
        ("jetson_nano", "32.4.3", None),  # TensorRT 7.1
        ("jetson_nano", "32.5.1", None),
        ("jetson_xavier_nx", "35.4.1", "5"),
        ("jetson_orin_nano", "39.2.0", "7.2"),
        ("jetson_thor", "36.4.3", None),
        ("jetson_thor", None, None),
    ],
)
def test_a_release_has_the_software_of_its_jetpack(name, release, family):
    board = load_board(name)
    assert board.software_for(release) == (family, board.software.get(family, {}))


def test_a_wrong_name_is_answered_with_the_near_ones():
    with refusal(UnknownBoard, "unknown name"):
        load_board("jetson_nan")
    with refusal(UnknownBoard, "unknown name"):
        load_board("arduino")
    with refusal(UnknownBoard, "unknown name"):
        load_board("b" * 300)  # no file can be called so
    with refusal(UnknownBoard, "no file"):
        load_board("/nowhere/b.toml")


def test_a_board_of_ones_own_needs_only_what_has_no_default(tmp_path):
    board = load_board(own(tmp_path, MINIMAL))
    assert (board.name, board.title, board.engine) == ("mine", "A board", "openvino")
    assert board.software == {}
    assert board.search == {"default": "search"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("title", "titel"), "titel is not a known key; did you mean title"),
        (('default = "fp32"', 'default = "int8"'), "default int8 is not among those that exist"),
        (('["fp32"]', '"fp32"'), "exists must be a list of names"),
        (('["fp32"]', '["fp31"]'), "exists must be one of .*, not 'fp31'"),
        (("[precision]", "[memory]\nsize_gb = -1\n[precision]"), "size_gb must lie in 0"),
        (
            ("[precision]", "[memory]\nsize_gb = {a = true}\n[precision]"),
            "size_gb must be a number",
        ),
        (('"computer"', '"jetson"'), "compute_capability is missing"),
        (("[precision]", "[search]\ndefault = 1\n[precision]"), "default must be text"),
        (("[precision]", "[gpu]\nwindows = 4\n[precision]"), "windows is not a known key"),
        (("[precision]", "[search]\nbudget = 1\n[precision]"), "budget is not a known key"),
        (("title", "network = 1\ntitle"), "network must be a name"),
        (("[precision]", 'decoder = ["nvdec"]\n[precision]'), "decoder must be one of .* 'nvdec'"),
        (("[precision]", 'encoder = ["vaapi"]\n[precision]'), "encoder must be one of .* 'vaapi'"),
        (("[precision]", "[software]\nx = { l5t = '1' }\n[precision]"), "l5t is not a known key"),
        (("[precision]", "[software]\nx = { l4t = 1 }\n[precision]"), "x. l4t must be text, not 1"),
        (("[precision]", "[software]\nx = 1\n[precision]"), "x must be a table of versions"),
        (("title", "jetpack = 6\ntitle"), "jetpack must be a list of names"),
        (("title", 'jetpack = ["9"]\ntitle'), "jetpack 9 is not in software/jetpack.toml"),
        (("[precision]", "precision"), "can't be read as TOML"),
    ],
)
def test_a_mistake_in_a_toml_is_named(tmp_path, change, sentence):
    assert change[0] in MINIMAL
    with pytest.raises(BadBoard, match=sentence):
        load_board(own(tmp_path, MINIMAL.replace(*change)))


def test_a_profile_may_name_the_decoders_and_encoders_that_exist():
    assert set(board_schema.DECODERS) == set(hardware.DECODERS)
    assert set(board_schema.ENCODERS) == set(hardware.ENCODERS)


def test_the_schema_finds_all_mistakes_at_once():
    _, mistakes = board_schema.read({"title": 3, "family": "jetson", "gpus": {}})
    assert len(mistakes) > 1
