"""One-step overlap: its pairs and its measure."""

import numpy as np
import pytest

from calib.train.errors import BadImages
from calib.train.overlap import OneStep, overlap, tracker_crop


def test_more_crops_of_every_frame_begin_with_those_of_the_measure(folders):
    one, two = (OneStep(folders / "clips", repeats=repeats) for repeats in (1, 2))
    count = len(one.searches)
    assert len(two.searches) == len(two.boxes) == len(two.clip) == 2 * count > 0
    assert (two.searches[:count] == one.searches).all() and (two.boxes[:count] == one.boxes).all()
    assert (two.boxes[count:] != one.boxes).any(1).all()
    assert len(two.exemplars) == len(one.exemplars) == 1


def test_clips_to_validate_by_are_chosen_by_name(folders):
    assert OneStep(folders / "clips", only=["circle", "squ"]).clips == ["square"]
    with pytest.raises(BadImages, match="no annotated clips"):
        OneStep(folders / "clips", only=["circle"])


def test_overlap_of_a_perfect_answer_is_one_and_of_a_half_answer_a_half():
    probability, distances = np.zeros((16, 16)), np.ones((4, 16, 16))
    probability[9, 7] = 1.0
    distances[:, 9, 7] = [20, 10, 12, 14]  # around (-16, 16)
    box = np.array([-20.0, 18.0, 32.0, 24.0])
    assert overlap(probability, distances, box) == pytest.approx(1.0)
    assert overlap(probability, distances, box * [1, 1, 1, 2]) == pytest.approx(0.5)


def test_crop_of_the_validation_pairs_is_the_runtimes_crop():
    from kernels import cpu

    frame = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    fill, centre, side = np.array([10.0, 20.0, 30.0]), (20.0, 30.0), 77
    out = np.zeros((1, 3, 127, 127), np.float32)
    low = np.floor(np.array(centre) - (side + 1) / 2 + 0.5).astype(int)
    cpu.load().crop(frame, (*low.tolist(), side, side), fill.astype(np.uint8), out,
                    (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False)  # fmt: skip
    np.testing.assert_array_equal(
        tracker_crop(frame, centre, side, 127, fill), out[0].transpose(1, 2, 0)
    )
