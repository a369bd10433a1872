"""What families decode equals the authors' arithmetic, one cell after the other in plain Python."""

import math
import tracemalloc

import numpy as np
import pytest

from hotpath.app.detect import describe
from hotpath.app.detect.families import deim, yolox
from hotpath.runtime.errors import BadNetwork
from tests.support.errors import refusal


def near(found, wanted):
    return np.allclose(found, wanted, rtol=1e-5, atol=1e-4)


def test_yolox_equals_a_plain_loop_over_its_cells():
    description = describe("yolox_nano")
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(0, 1, (3549, 4)), rng.random((3549, 81))], axis=1)
    boxes, scores, classes = yolox.decode([rows[None]], description)
    index = 0
    for stride in (8, 16, 32):
        for y in range(416 // stride):
            for x in range(416 // stride):
                if index % 97 == 0:
                    row = rows[index]
                    w, h = math.exp(row[2]) * stride, math.exp(row[3]) * stride
                    left = (row[0] + x) * stride - w / 2
                    top = (row[1] + y) * stride - h / 2
                    best = max(range(80), key=lambda k: row[5 + k])
                    assert near(boxes[index], (left, top, w, h))
                    assert near(scores[index], row[4] * row[5 + best])
                    assert classes[index] == best
                index += 1
    assert index == len(boxes)


@pytest.mark.parametrize("side, strides", [(4096, [1.0] * 60), (4096, [1.5] * 64), (4000, [1.0])])
def test_a_grid_is_made_only_where_the_network_has_so_many_cells(side, strides):
    description = describe("yolox_nano")
    description.side, description.strides = (side, side), strides
    tracemalloc.start()
    try:
        with refusal(BadNetwork, "wrong outputs"):
            yolox.decode([np.zeros((1, 1, 85), np.float32)], description)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_deim_turns_corners_into_sizes():
    corners = np.array([[[1, 2, 11, 22], [5, 5, 6, 7]]])
    outputs = [np.array([[3, 0]]), corners, np.array([[0.9, 0.5]])]
    boxes, scores, classes = deim.decode(outputs, describe("deimv2_atto"))
    assert boxes.tolist() == [[1, 2, 10, 20], [5, 5, 1, 2]]
    assert scores.tolist() == [0.9, 0.5] and classes.tolist() == [3, 0]


def test_outputs_of_another_family_are_refused():
    wrong = [np.zeros((1, 10, 85))]
    for family, name in ((yolox, "yolox_nano"), (deim, "deimv2_atto")):
        with refusal(BadNetwork, "wrong outputs"):
            family.decode(wrong, describe(name))
