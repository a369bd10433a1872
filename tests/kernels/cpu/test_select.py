"""The compiled select takes any maps in memory; test_families.py holds it to its definition."""

import numpy as np
import pytest

from hotpath.kernels.cpu.select import Select
from hotpath.runtime.decode.points import Points, points_settings
from tests.kernels.cpu.test_families import random_maps
from tests.support.kernel_networks import network

pytestmark = pytest.mark.pythons("NumPy's memory by ctypes")

STATE = (300.0, 200.0, 60.0, 60.0)


def both(kernels, net):
    """The compiled select of a network, and its definition."""
    return kernels.new(Select, points_settings(net)), Points(net)


@pytest.mark.parametrize("score, planes", [("softmax", 2), ("sigmoid", 1), ("none", 1)])
def test_on_ties_the_first_cell_wins(kernels, score, planes):
    maps = np.zeros((1, planes, 16, 16), np.float32), np.full((1, 4, 16, 16), 30, np.float32)
    for places, first in (([], 0), ([58, 144, 52], 52)):
        maps[0][0, -1].flat[places] = 1
        for decoder in both(kernels, network(score=score, window_influence=0.0)):
            assert decoder.select(maps, np.array(STATE), (1.5, 1.25), 1280, 720)[0] == first


def test_maps_may_change_from_call_to_call(kernels):
    net = network()
    decoder, definition = both(kernels, net)
    state, reference = np.array(STATE), np.array(STATE)
    wide = [values.astype(np.float64) for values in random_maps(net, 0)]
    held = random_maps(net, 0), wide, [np.asfortranarray(values) for values in random_maps(net, 0)]
    for seed in range(30):
        maps = held[seed // 2 % 3]  # two calls each
        maps[0][:], maps[1][:] = random_maps(net, seed)  # an engine that writes to the same memory
        best = decoder.select(maps, state, (1.5, 1.5), 1280, 720)[0]
        assert best == definition.select(maps, reference, (1.5, 1.5), 1280, 720)[0]
        np.testing.assert_allclose(state, reference, rtol=0, atol=1e-4)


def test_maps_and_states_of_another_shape_are_refused(kernels):
    net = network()
    decoder, _ = both(kernels, net)
    (scores, distances), state = random_maps(net, 0), np.array(STATE)
    for maps, other in (
        ((scores[:, :1], distances), state),
        ((scores, distances[:, :3]), state),
        ((scores, distances), state.astype(np.float32)),
        ((scores, distances), np.zeros(8)[::2]),
    ):
        with pytest.raises(ValueError):
            decoder.select(maps, other, (1, 1), 1280, 720)
