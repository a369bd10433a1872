"""What the training minimises, and the rule by which true boxes put the teachers right."""

import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")

from calib.train import losses  # noqa: E402  (after the check for torch)
from calib.train.optimiser import orthogonal  # noqa: E402
from calib.train.pairs import NEGATIVE, ONE_PICTURE, TRUE_BOX  # noqa: E402


def batch(kind, box=(100.0, 90.0, 160.0, 150.0)):
    torch.manual_seed(0)
    return {
        "kind": torch.tensor([kind]), "box": torch.tensor([box]),
        "probability": torch.rand(1, 16, 16) * 0.9 + 0.05,
        "distances": torch.rand(1, 4, 16, 16) * 50 + 5,
    }  # fmt: skip


def test_distances_of_a_true_box_lead_from_a_cell_to_its_sides():
    core, inside, sides = losses.true_maps(torch.tensor([[100.0, 90.0, 160.0, 150.0]]))
    row = column = 8  # the cell at the crop's centre, pixel 127
    assert sides[0, :, row, column].tolist() == [27.0, 37.0, 33.0, 23.0]
    assert core[0, row, column] and inside[0, row, column]
    assert not inside[0, 0, 0] and (inside | ~core).all()


def test_nothing_is_the_target_where_it_is_not_in_the_picture():
    probability, _, weight = losses.targets(batch(NEGATIVE))
    assert probability.max() == 0 and weight.max() == 0


def test_a_true_box_overrules_the_teacher_and_a_guessed_one_does_not():
    true, guessed = batch(TRUE_BOX), batch(ONE_PICTURE)
    core, inside, sides = losses.true_maps(true["box"])
    probability, distances, weight = losses.targets(true)
    assert (probability[~inside] == 0).all() and (probability[core] > 0.5).all()
    assert torch.equal(distances[0, :, 8, 8], sides[0, :, 8, 8])
    assert (weight[~core] == 0).all()
    probability, distances, _ = losses.targets(guessed)
    assert torch.equal(probability, guessed["probability"])
    assert torch.equal(distances, guessed["distances"])


def test_losses_are_least_at_the_target():
    pair = batch(ONE_PICTURE)
    right = torch.logit(pair["probability"]), pair["distances"].log()
    score, box = losses.map_losses(*right, pair)
    assert abs(float(score)) < 1e-5 and abs(float(box)) < 1e-5
    for change in (-0.3, 0.3):
        worse = losses.map_losses(right[0] + change, right[1] + change, pair)
        assert worse[0] > score and worse[1] > box


def test_muons_update_is_nearly_orthogonal_for_wide_and_tall_kernels():
    torch.manual_seed(0)
    for shape in ((16, 72), (72, 16)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert 0.6 < values.min() and values.max() < 1.3
