"""One-step overlap: its pairs and its measure."""

import numpy as np
import pytest

from hotpath.calib.one_step_overlap import (
    Finder,
    Pairs,
    best_cell,
    box_at,
    tracker_crop,
)
from hotpath.kernels import cpu
from hotpath.video.clips import find_clips
from tests.support.clips import write_boxes
from tests.support.described import load_network
from tests.support.tiny import write_pictures

NETWORK = load_network("nanotrack_v3")  # crops of 127 and 255 pixels, 16 pixels a cell


def write_square(folder):
    boxes = np.array([(150 + 10 * i, 150, 70, 50) for i in range(8)])
    pictures = np.full((8, 400, 400, 3), 40, np.uint8)
    for picture, (x, y, w, h) in zip(pictures, boxes):
        picture[y : y + h, x : x + w] = 230
    write_boxes(write_pictures(folder, pictures) / "boxes.csv", boxes)


@pytest.fixture
def clips(tmp_path):
    write_square(tmp_path)
    return find_clips([tmp_path])


def test_more_crops_of_a_frame_begin_with_the_measures(clips):
    one, two = (Pairs(clips, NETWORK, repeats) for repeats in (1, 2))
    count = len(one)
    assert len(two) == len(two.boxes) == len(two.clip) == 2 * count > 0
    assert (two.searches[:count] == one.searches).all() and (two.boxes[:count] == one.boxes).all()
    assert (two.boxes[count:] != one.boxes).any(1).all()
    assert len(two.exemplars) == len(one.exemplars) == 1


def test_the_true_box_lies_on_the_target_in_every_search_crop(clips):
    pairs = Pairs(clips, NETWORK)
    for crop, (x, y, w, h) in zip(pairs.searches, pairs.boxes):
        bright = np.argwhere(crop[:, :, 0] > 135) - 127.0
        top_left, bottom_right = bright.min(0)[::-1], bright.max(0)[::-1]
        assert np.abs((top_left + bottom_right) / 2 - (x, y)).max() < 2
        assert np.abs(bottom_right - top_left + 1 - (w, h)).max() < 3


def test_overlap_is_one_if_perfect_and_a_half_if_half(clips):
    pairs = Pairs(clips, NETWORK)
    box = np.array([-20.0, 18.0, 32.0, 24.0])
    probability, distances = np.zeros((16, 16)), np.ones((4, 16, 16))
    probability[9, 7] = 1.0
    distances[:, 9, 7] = [20, 10, 12, 14]  # around (-16, 16)
    np.testing.assert_allclose(box_at(9 * 16 + 7, distances, 16), box)
    pairs.boxes = np.array([box, box * [1, 1, 1, 2]])
    given = [(probability, distances)] * 2
    assert pairs.overlaps(given) == pytest.approx([1.0, 0.5])


def test_a_cell_is_chosen_under_the_window():
    probability = np.zeros((16, 16))
    probability[0, 0], probability[8, 8] = 0.9, 0.85
    assert best_cell(probability) == 8 * 16 + 8


def test_crop_of_the_pairs_is_the_runtimes_crop():
    frame = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    fill = np.array([10.0, 20.0, 30.0])
    centre = (20.0, 30.0)
    side = 77
    out = np.zeros((1, 3, 127, 127), np.float32)
    low = np.floor(np.array(centre) - (side + 1) / 2 + 0.5).astype(int)
    window = (*low.tolist(), side, side)
    cpu.load().crop(frame, window, fill.astype(np.uint8), out)
    np.testing.assert_array_equal(
        tracker_crop(frame, centre, side, 127, fill), out[0].transpose(1, 2, 0)
    )


class Knowing:
    """An engine of a centre head that knows the true box (centre from the crop's, and size)."""

    def __init__(self, network):
        self.network = network
        self.box = None
        self.search_crop = np.zeros((1, 3, network.search, network.search), np.float32)

    def search(self, features):
        side, cells = self.network.search, self.network.map_size
        place = (self.box[:2] / side + 0.5) * cells
        column, row = place.astype(int)
        score, size, offset = (np.zeros((1, n, cells, cells), np.float32) for n in (1, 2, 2))
        score[0, 0, row, column] = 1
        size[0, :, row, column] = self.box[2:] / side
        offset[0, :, row, column] = place - (column, row)
        return score, size, offset


class KnowingBox(Knowing):
    """The same for a graph that gives the box."""

    def search(self, features):
        shares = self.box / self.network.search + (0.5, 0.5, 0, 0)
        return (shares.reshape(1, 1, 4).astype(np.float32),)


@pytest.mark.parametrize("name, kind", [("vittrack", Knowing), ("stark_lightning", KnowingBox)])
def test_a_head_that_knows_the_box_has_the_overlap_one(clips, name, kind):
    network = load_network(name)
    pairs, engine = Pairs(clips, network), kind(network)
    finder = Finder(network, engine)
    for crop, box in zip(pairs.searches, pairs.boxes):
        bright = np.argwhere(crop[:, :, 0] > 135)
        middle = (bright.min(0) + bright.max(0))[::-1] / 2 - (network.search - 1) / 2
        assert np.abs(middle - box[:2]).max() < 2
        engine.box = box
        np.testing.assert_allclose(finder.find(None, crop)[1], box, atol=1e-3)
