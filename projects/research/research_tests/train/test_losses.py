"""What the training minimises."""

import pytest

torch = pytest.importorskip("torch")

from hotpath_research.train import losses  # noqa: E402  (after the check for torch)
from hotpath_research.train.optimiser import orthogonal  # noqa: E402
from hotpath_research.train.pairs import NEGATIVE, ONE_PICTURE  # noqa: E402


def batch(kind):
    torch.manual_seed(0)
    return {
        "kind": torch.tensor([kind]),
        "probability": torch.rand(1, 16, 16) * 0.9 + 0.05,
        "size": torch.rand(1, 2, 16, 16) * 0.4 + 0.1,
        "offset": torch.rand(1, 2, 16, 16),
    }


def maps_of(pair, change=0.0):
    logits = torch.logit(pair["probability"]) + change
    return logits, pair["size"] * (1 + change), pair["offset"] + change


def test_losses_are_least_at_the_teachers_maps():
    pair = batch(ONE_PICTURE)
    least = losses.map_losses(maps_of(pair), pair)
    assert all(float(least[name]) < 1e-5 for name in ("overlap", "size", "offset"))
    for change in (-0.3, 0.3):
        worse = losses.map_losses(maps_of(pair, change), pair)
        assert all(worse[name] > least[name] for name in least if name[0] != "_")


def test_precision_and_recall_count_the_claiming_cells():
    wanted = torch.zeros(2, 16, 16)  # the second pair is without the target
    wanted[0, 4, 4:8] = 0.8
    logits = torch.full((2, 16, 16), -9.0)
    logits[0, 4, 6:8] = 9.0  # 2 of the 4
    logits[1, 0, :6] = 9.0  # 6 are wrong
    found = losses.claims(logits, wanted)
    assert (float(found["_precision"]), float(found["_recall"])) == (0.25, 0.5)
    nothing = losses.claims(torch.full((2, 16, 16), -9.0), wanted)
    assert [float(value) for value in nothing.values()] == [0, 0]


def test_top_k_counts_pairs_whose_best_cell_is_among_k():
    wanted = torch.zeros(3, 16, 16)  # the third pair is without the target
    logits = torch.zeros(3, 16, 16)
    for pair, place in ((0, 1), (1, 3)):  # how many cells the network thinks better, plus one
        wanted[pair, 2, 2] = 0.9
        logits[pair, 2, 2] = 5.0
        logits[pair, 9, : place - 1] = 6.0
    logits[2, 0, 0] = 9.0
    found = losses.top_cells(logits, wanted)
    assert (float(found["_top1"]), float(found["_top5"])) == (0.5, 1.0)
    assert [float(v) for v in losses.top_cells(logits[2:], wanted[2:]).values()] == [0, 0]


def test_nothing_is_the_target_where_it_is_not_in_the_picture():
    pair = batch(NEGATIVE)
    none = losses.map_losses((torch.full((1, 16, 16), -9.0), *maps_of(pair)[1:]), pair)
    teachers = losses.map_losses(maps_of(pair), pair)
    assert float(none["score"]) < 0.01 < float(teachers["score"])


def test_a_cell_that_the_teacher_doubts_has_no_box_to_learn():
    pair = batch(ONE_PICTURE)
    pair["probability"][0, :8] = losses.SURE / 2
    maps = maps_of(pair)
    maps[1][0, :, :8] *= 2
    found = losses.map_losses(maps, pair)
    assert float(found["size"]) < 1e-5 and float(found["overlap"]) < 1e-5


def test_the_generalised_overlap_is_that_of_the_paper():
    def box(*sides):
        return tuple(torch.tensor(float(side)) for side in sides)

    same, half, far = box(0, 0, 2, 2), box(1, 0, 3, 2), box(4, 0, 6, 2)
    assert float(losses.generalised_overlap(same, same)) == pytest.approx(1)
    assert float(losses.generalised_overlap(same, half)) == pytest.approx(2 / 6)
    assert float(losses.generalised_overlap(same, far)) == pytest.approx(-(12 - 8) / 12)


def test_muons_update_is_nearly_orthogonal():
    torch.manual_seed(0)
    for shape in ((16, 72), (72, 16)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert 0.6 < values.min() and values.max() < 1.3
