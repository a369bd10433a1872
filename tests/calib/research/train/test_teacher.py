"""Maps of several teachers as one."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from calib.research.train.teacher import MapsTeacher, Teachers, on_cells
from tests.calib.research.train.conftest import write_wider
from tests.support import tiny


def test_maps_may_come_from_other_networks_than_the_features_and_are_averaged(tmp_path):
    first, other = str(tiny.write_network(tmp_path)), str(write_wider(tmp_path / "wide", 2))
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (side, side, 3)).astype(np.uint8) for side in (127, 255)]
    alone, wide = Teachers(first).learn(*crops), Teachers(other).learn(*crops)
    assert np.allclose(wide[3], 2 * alone[3])
    mixed = Teachers(first, of_maps=[other]).learn(*crops)
    for found, wanted in zip(mixed, (*alone[:2], *wide[2:])):
        assert np.allclose(found, wanted, atol=1e-5)
    both = Teachers(first, of_maps=[first, other]).learn(*crops)
    assert np.allclose(both[2], alone[2]) and np.allclose(both[3], 1.5 * alone[3], rtol=1e-4)


def test_a_teacher_of_maps_gets_crops_of_its_own_size_and_its_boxes_are_resized_back():
    class Finder:
        def exemplar(self, crop):
            return crop.shape

        def search(self, features, crop):
            assert features == (127, 127, 3) and crop.shape == (510, 510, 3)
            return np.full((16, 16), 0.5), np.full((4, 16, 16), 40.0)

    teacher = object.__new__(MapsTeacher)
    teacher._finder, teacher._sides = Finder(), ((127, 127), (510, 510))
    crops = np.zeros((127, 127, 3), np.uint8), np.zeros((255, 255, 3), np.uint8)
    assert np.allclose(teacher.learn(*crops)[1], 20.0)


def test_a_map_of_15_cells_lies_on_the_last_15_of_16():
    probability, distances = on_cells(np.ones((15, 15)), np.ones((4, 15, 15)))
    assert np.isnan(probability[0]).all() and np.isnan(distances[:, :, 0]).all()
    assert (probability[1:, 1:] == 1).all() and (distances[:, 1:, 1:] == 1).all()
