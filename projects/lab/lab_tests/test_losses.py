"""Where overlap is lost: each kind of error is named as what it is, and the parts add up."""

import numpy as np
import pytest

from hotpath.runtime.types import LOST, TRACKED
from hotpath_lab.losses import losses

TRUTH = np.array([[100.0 + 3 * n, 50.0 + n, 40.0, 20.0] for n in range(12)])
KINDS = ("imprecise", "grown", "lost", "elsewhere")


def moved(dx=0.0, dy=0.0, growth=1.0):
    """The true boxes with another centre and size; the first is exact, as the user draws it."""
    sizes = TRUTH[:, 2:] * growth
    centres = TRUTH[:, :2] + TRUTH[:, 2:] / 2 + (dx, dy)
    return np.vstack([TRUTH[:1], np.hstack([centres - sizes / 2, sizes])[1:]])


@pytest.mark.parametrize(
    ("boxes", "word", "kind", "gains"),
    [
        (moved(growth=1.3), TRACKED, "imprecise", {"size", "bias"}),
        (moved(dx=8), TRACKED, "imprecise", {"centre", "bias"}),
        (moved(growth=3), TRACKED, "grown", set()),
        (moved(growth=0.3), TRACKED, "grown", set()),
        (moved(dx=200), TRACKED, "elsewhere", set()),
        (moved(dx=200), LOST, "lost", set()),
    ],
    ids=["large", "aside", "over all", "a part", "another", "lost"],
)
def test_an_error_is_named_as_what_it_is(boxes, word, kind, gains):
    figures = losses(boxes, TRUTH, [word] * len(TRUTH))
    assert figures["loss"] > 0.3 and figures["loss_" + kind] == pytest.approx(figures["loss"])
    assert {part for part in ("size", "centre", "bias") if figures["gain_" + part] > 0.2} == gains


def test_the_parts_add_up_and_a_changing_error_is_no_bias():
    rng = np.random.default_rng(3)
    boxes = TRUTH + rng.normal(0, 6, TRUTH.shape)
    boxes[4:6] += 300
    truth = TRUTH.copy()
    truth[8] = np.nan
    figures = losses(boxes, truth)
    assert sum(figures["loss_" + kind] for kind in KINDS) == pytest.approx(figures["loss"])
    assert figures["gain_bias"] < figures["gain_size"] + figures["gain_centre"]
    assert np.isnan(losses(boxes[:2], truth[[0, 8]])["loss"])
