"""What a file of JSON holds is checked against its form."""

import pytest

from hotpath.base.json_forms import check_json
from hotpath.base.toml_keys import Key

FORM = {
    "parts": {"bytes": Key(int, low=0), "note": Key(str, default=None), "kind": Key(str, "onnx")},
    "shapes": {str: [Key(int, low=1)]},
    "pair": (Key(str), Key(float)),
}
RIGHT = {
    "parts": {"bytes": 3, "note": None},
    "shapes": {"a": [1], "b": []},
    "pair": ["x", 1],
    "z": 5,
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"parts": []}, "it.parts must be a table, not []"),
        ({"parts": {}}, "it.parts.bytes is missing"),
        ({"parts": {"bytes": True}}, "it.parts.bytes must be a whole number, not True"),
        ({"parts": {"bytes": 1, "kind": None}}, "it.parts.kind must be text, not None"),
        ({"shapes": {"x": "abc"}}, "it.shapes.x must be a list, not 'abc'"),
        ({"shapes": {"x": [3, 0]}}, "it.shapes.x[1] must lie in 1 to inf, not 0"),
        ({"pair": ["x", 1, 2]}, "it.pair must hold 2 entries, not 3"),
        ({"pair": ["x", "y"]}, "it.pair[1] must be a number, not 'y'"),
        ({"pair": ["x", 10**400]}, "it.pair[1] must be a number of fewer digits"),
    ],
)
def test_what_has_another_form_is_named_by_its_place(change, sentence):
    check_json(RIGHT, FORM, "it")
    with pytest.raises(ValueError) as caught:
        check_json(dict(RIGHT, **change), FORM, "it")
    assert str(caught.value) == sentence
