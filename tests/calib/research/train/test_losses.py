"""What the training minimises, and the rule by which true boxes put the teachers right."""

import pytest

torch = pytest.importorskip("torch", reason="the training needs torch: pip install '.[train]'")

from calib.research.train import losses  # noqa: E402  (after the check for torch)
from calib.research.train.optimiser import orthogonal  # noqa: E402
from calib.research.train.pairs import NEGATIVE, ONE_PICTURE, TRUE_BOX  # noqa: E402


def batch(kind):
    torch.manual_seed(0)
    return {
        "kind": torch.tensor([kind]),
        "box": torch.tensor([[100.0, 90.0, 160.0, 150.0]]),
        "decoy": torch.zeros(1, 4),
        "probability": torch.rand(1, 16, 16) * 0.9 + 0.05,
        "distances": torch.rand(1, 4, 16, 16) * 50 + 5,
    }


def test_distances_of_a_true_box_lead_from_a_cell_to_its_sides():
    core, inside, sides = losses.true_maps(torch.tensor([[100.0, 90.0, 160.0, 150.0]]))
    row = column = 8  # the cell at the crop's centre, pixel 127
    assert sides[0, :, row, column].tolist() == [27.0, 37.0, 33.0, 23.0]
    assert core[0, row, column] and inside[0, row, column]
    assert not inside[0, 0, 0] and (inside | ~core).all()


def test_nothing_is_the_target_where_it_is_not_in_the_picture():
    probability, _, weight = losses.targets(batch(NEGATIVE))
    assert probability.max() == 0 and weight.max() == 0


def test_a_copy_of_the_target_is_not_the_target():
    pair = batch(ONE_PICTURE)
    copy = torch.tensor([[0.0, 0.0, 90.0, 90.0]])
    _, inside, _ = losses.true_maps(pair["box"])
    pair["decoy"] = copy
    probability, _, _ = losses.targets(pair)
    covered = losses.in_decoy(copy) & ~inside
    assert covered.sum() > 10 and (probability[covered] == 0).all()
    assert torch.equal(probability[~covered], pair["probability"][~covered])


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
    probability, distances, weight = losses.targets(pair)

    def both(change):
        score = losses.score_loss(torch.logit(probability) + change, probability)
        return score, losses.box_loss(distances.log() + change, distances, weight)

    assert max(abs(float(loss)) for loss in both(0)) < 1e-5
    for change in (-0.3, 0.3):
        assert all(worse > least for worse, least in zip(both(change), both(0)))


def alone(kind):
    """A pair whose teacher is sure of the box in the cells inside, and of nothing elsewhere."""
    pair = batch(kind)
    _, inside, sides = losses.true_maps(pair["box"])
    return {**pair, "probability": 0.9 * inside, "distances": sides.clamp(min=1.0)}


@pytest.mark.parametrize("kind", [ONE_PICTURE, TRUE_BOX])
def test_the_score_falls_where_the_networks_own_box_is_worse(kind):
    pair = alone(kind)
    own = pair["distances"].clone()
    own[0, :, 8, 8] *= 0.7
    ranked = losses.ranked(pair["probability"], own.log(), pair)
    assert ranked[0, 8, 8] < 0.5 * pair["probability"][0, 8, 8]
    ranked[0, 8, 8] = pair["probability"][0, 8, 8]
    torch.testing.assert_close(ranked, pair["probability"], atol=0.02, rtol=0)


def test_the_true_box_ranks_where_the_teacher_errs():
    pair = alone(TRUE_BOX)
    pair["box"] += torch.tensor([0.0, 0.0, 30.0, 30.0])
    right = losses.true_maps(pair["box"])[2][0, :, 8, 8]
    own = pair["distances"].clone()
    own[0, :, 8, 8] = right
    ranked = losses.ranked(pair["probability"], own.log(), pair)
    assert ranked[0, 8, 8] == ranked.max() and ranked[0, 8, 9] < 0.6 * ranked.max()


def test_something_else_that_the_teacher_sees_keeps_its_score():
    pair = alone(ONE_PICTURE)
    _, inside, sides = losses.true_maps(torch.tensor([[10.0, 10.0, 60.0, 60.0]]))
    pair["probability"] = torch.where(inside, torch.tensor(0.6), pair["probability"])
    pair["distances"] = torch.where(inside[:, None], sides, pair["distances"])
    ranked = losses.ranked(pair["probability"], pair["distances"].log() + 0.4, pair)
    assert (ranked[inside] == 0.6).all()


def test_overlap_of_boxes_seen_from_a_cell_outside_of_one():
    found = torch.tensor([10.0, 10.0, 10.0, 10.0])[None, :, None, None]
    beside = torch.tensor([-5.0, 10.0, 15.0, 10.0])[None, :, None, None]  # 5..15 of -10..10
    assert float(losses.overlap(found, beside)) == pytest.approx(5 * 20 / (400 + 200 - 100))


def test_muons_update_is_nearly_orthogonal_for_wide_and_tall_kernels():
    torch.manual_seed(0)
    for shape in ((16, 72), (72, 16)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert 0.6 < values.min() and values.max() < 1.3


def test_agreement_is_least_where_both_order_the_cells_alike():
    torch.manual_seed(1)
    logits, kind = torch.randn(2, 16, 16), torch.tensor([ONE_PICTURE, TRUE_BOX])
    assert float(losses.agreement_loss(logits, logits + 3.0, kind)) == pytest.approx(0, abs=1e-5)
    other = logits.clone()
    best = logits[0].argmax()
    other[0].view(-1)[best] -= 1.0
    assert float(losses.agreement_loss(logits, other, kind)) > 0.1
    negative = torch.tensor([NEGATIVE, TRUE_BOX])
    assert float(losses.agreement_loss(logits, other, negative)) == pytest.approx(0, abs=1e-5)


def test_a_floor_bounds_the_logits_that_are_best():
    pair = batch(NEGATIVE)
    high, low = torch.full((1, 16, 16), -9.0), torch.full((1, 16, 16), -3.9)
    boxes = pair["distances"].log()
    assert losses.map_losses((low, boxes), pair, floor=0.02)[0] < 0.01
    assert losses.map_losses((high, boxes), pair, floor=0.02)[0] > 0.05
