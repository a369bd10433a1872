"""The compiled select takes any maps in memory; test_families.py holds it to its definition."""

from collections import namedtuple

import numpy as np
import pytest

from kernels.cpu.select import Select
from runtime.decode.points import Points, points_settings

on_each_python = pytest.mark.pythons("NumPy's memory by ctypes")

FIELDS = (
    "score map_size stride penalty window lr min_size lr_power quality inclusive clip box_pixels"
)
Network = namedtuple("Network", FIELDS)
PLAIN = (1, "none", False, "centre", "exact")  # the defaults of a point-based network's other keys
PLANES = {"softmax": 2, "sigmoid": 1, "none": 1}


def network(score="softmax", size=16, **changes):
    return Network(score, size, 16, 0.15, 0.49, 0.385, 10, *PLAIN)._replace(**changes)


def compiled(kernels, net):
    return kernels.new(Select, points_settings(net))


def random_maps(seed):
    """Random maps like a network's: one blob of high scores, and boxes of all sizes."""
    random = np.random.RandomState(seed)
    scores = random.normal(0, 2, (1, 2, 16, 16))
    scores[0, -1, random.randint(16), random.randint(16)] += random.uniform(0, 8)
    distances = np.exp(random.normal(3, 1, (1, 4, 16, 16)))
    return scores.astype(np.float32), distances.astype(np.float32)


def run(decoder, maps, state, scale=(1.5, 1.25), frame=(1280, 720)):
    state = np.array(state, np.float64)
    best, score = decoder.select(maps, state, scale, frame[0], frame[1])
    return best, score, state


@on_each_python
@pytest.mark.parametrize("score", sorted(PLANES))
def test_on_ties_the_first_cell_wins(kernels, score):
    net = network(score, window=0.0)
    maps = np.zeros((1, PLANES[score], 16, 16), np.float32), np.full((1, 4, 16, 16), 30, np.float32)
    for decoder in (compiled(kernels, net), Points(net)):
        assert run(decoder, maps, (300, 200, 60, 60))[0] == 0
    maps[0][0, -1, 3, 5] = maps[0][0, -1, 3, 4] = maps[0][0, -1, 9, 0] = 1
    for decoder in (compiled(kernels, net), Points(net)):
        assert run(decoder, maps, (300, 200, 60, 60))[0] == 3 * 16 + 4


@on_each_python
def test_maps_may_change_from_call_to_call(kernels):
    net = network()
    decoder, definition = compiled(kernels, net), Points(net)
    state, reference = np.array([300.0, 200, 60, 60]), np.array([300.0, 200, 60, 60])
    reused = random_maps(0)
    for seed in range(30):
        maps = random_maps(seed)
        if seed % 3 == 0:
            reused[0][:], reused[1][:] = maps  # an engine that writes to the same memory
            maps = reused
        elif seed % 3 == 1:
            maps = tuple(m.astype(np.float64) for m in maps)
        else:
            maps = tuple(np.asfortranarray(m) for m in maps)
        best = decoder.select(maps, state, (1.5, 1.5), 1280, 720)[0]
        assert best == definition.select(maps, reference, (1.5, 1.5), 1280, 720)[0]
        np.testing.assert_allclose(state, reference, rtol=0, atol=1e-4)


def test_converted_maps_are_read_anew_each_time(kernels):
    net = network()
    decoder = compiled(kernels, net)
    maps = tuple(m.astype(np.float64) for m in random_maps(1))
    first = run(decoder, maps, (300, 200, 60, 60))[0]
    state = np.array([300.0, 200, 60, 60])
    decoder.select(maps, state, (1.5, 1.25), 1280, 720)
    maps[0][0, 1, first // 16, first % 16] = -50
    state[:] = (300, 200, 60, 60)
    assert decoder.select(maps, state, (1.5, 1.25), 1280, 720)[0] != first


@on_each_python
def test_maps_and_states_of_another_shape_are_refused(kernels):
    decoder = compiled(kernels, network())
    scores, distances = random_maps(0)
    state = np.array([300.0, 200, 60, 60])
    for maps, other in (
        ((scores[:, :1], distances), state),
        ((scores, distances[:, :3]), state),
        ((scores, distances), state.astype(np.float32)),
        ((scores, distances), np.zeros(8)[::2]),
    ):
        with pytest.raises(ValueError):
            decoder.select(maps, other, (1, 1), 1280, 720)
