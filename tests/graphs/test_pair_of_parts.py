"""Every way to split a network into files gives the same boxes."""

import functools

import numpy as np
import onnx
import pytest

from hotpath.runtime import load_tracker
from hotpath.runtime.networks import load_network
from tests.support import blobs, tiny

BACKBONE = '[[file]]\npart = "backbone"\nname = "tiny_backbone.onnx"\n'


def boxes_of(toml, pictures, boxes, engine="onnxruntime"):
    return tiny.boxes_of(load_tracker(toml, engine=engine), pictures, boxes)


def with_side(side, cells):
    """The tiny backbone for another size of picture."""
    model = tiny.backbone()
    for value, shape in ((model.graph.input[0], side), (model.graph.output[0], cells)):
        for dim in list(value.type.tensor_type.shape.dim)[2:]:
            dim.dim_value = shape
    return model


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_two_backbones_and_a_head_are_one_backbone_and_a_head(tmp_path, engine):
    pictures, boxes = tiny.film(6)
    expected = boxes_of(tiny.write_network(tmp_path), pictures, boxes, engine)
    onnx.save(with_side(127, 8), str(tmp_path / "z.onnx"))
    onnx.save(with_side(255, 16), str(tmp_path / "x.onnx"))
    toml = tmp_path / "three.toml"
    both = "".join(
        f'[[file]]\npart = "{part}"\nname = "{name}.onnx"\n'
        for part, name in (("exemplar", "z"), ("search", "x"))
    )
    toml.write_text(tiny.TOML.replace(BACKBONE, both))
    np.testing.assert_array_equal(boxes_of(toml, pictures, boxes, engine), expected)


@pytest.mark.parametrize(
    "film, write, part",
    [
        (tiny.film, tiny.write_network, "head"),
        (blobs.film, functools.partial(blobs.write_network, name="vittrack"), "whole"),
    ],
)
def test_a_graph_that_takes_the_search_part_first_is_recognised(tmp_path, film, write, part):
    pictures, boxes = film(4)
    toml = write(tmp_path)
    expected = boxes_of(toml, pictures, boxes)
    path = load_network(toml).locate()[part]
    model = onnx.load(str(path))
    swapped = list(model.graph.input)[::-1]
    del model.graph.input[:]
    model.graph.input.extend(swapped)
    onnx.save(model, str(path))
    np.testing.assert_array_equal(boxes_of(toml, pictures, boxes), expected)
