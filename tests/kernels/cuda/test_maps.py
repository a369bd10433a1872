"""Half-precision maps, features and correlations are read exactly and judged by their values."""

import numpy as np
import pytest

from kernels import golden
from tests.fakes.cuda.networks import network
from tests.fakes.cuda.turn import Turn
from tests.kernels.cuda import test_families
from tests.kernels.cuda.test_correlate import depthwise

STATE = (300.0, 200.0, 60.0, 50.0)
UNIT = 2.0**-24
HALF_UNIT = 2.0**-11  # of rounding to half precision


def halved(values):
    """The values that are left after rounding to half precision, as float32."""
    return np.asarray(values, np.float32).astype(np.float16).astype(np.float32)


@pytest.mark.parametrize("half", [0, 1])
def test_every_half_precision_number_is_read_exactly(shim, half):
    values = np.arange(65536).astype(np.uint16).view(np.float16)
    given = values if half else values.astype(np.float32)
    out = np.zeros(65536, np.float32)
    shim.launch("test_read", 1, 1, given, half, 65536, out)
    np.testing.assert_array_equal(out[:-2], values[2:].astype(np.float32))


@pytest.mark.parametrize(
    "family, output",
    [(family, "two_maps") for family in sorted(test_families.FAMILIES)] + [("corners", "box")],
)
def test_select_of_half_maps_is_that_of_their_values(shim, family, output):
    net = test_families.of_family(family)._replace(output=output)
    for seed in range(20):
        maps = [halved(values) for values in test_families.random_maps(net, seed)]
        turns = [Turn(shim, net, frame=test_families.FRAME, half=half) for half in (False, True)]
        for turn in turns:
            turn.begin(STATE)
            turn.select(maps)
        assert turns[0].pose.tobytes() == turns[1].pose.tobytes()
        assert turns[0].plan.tobytes() == turns[1].plan.tobytes()
        test_families.same(shim, net, maps, STATE, half=True)  # and that of the definition


def test_features_of_half_precision_are_judged_as_their_values(shim):
    net, random = network(lost_below=0.6), np.random.RandomState(2)
    shape = (1, 48, 256)
    turns = [Turn(shim, net, shape, half=half) for half in (False, True)]
    home = halved(random.normal(1, 1, shape))
    for turn in turns:
        turn.begin(STATE, home)
    for seed in range(10):
        features = halved(home + random.normal(0, 1, shape))
        maps = [halved(values) for values in test_families.random_maps(net, seed)]
        poses = [turn.select(maps, features).tobytes() for turn in turns]
        assert poses[0] == poses[1]
    assert turns[0].reference.tobytes() == turns[1].reference.tobytes()
    assert turns[1].monitor["certainty"] < 1


@pytest.mark.parametrize("count", [1, 3])
def test_correlations_of_half_precision_lie_within_their_bound(shim, count):
    random = np.random.RandomState(count)
    search, exemplar = random.normal(size=(5, 9, 8)), random.normal(size=(count, 5, 4, 3))
    search, exemplar = search.astype(np.float16), exemplar.astype(np.float16)
    found = depthwise(shim, exemplar, search, 1)
    assert found.dtype == np.float16
    for one, weights in zip(found, exemplar):
        check(one, golden.correlate_depthwise, weights, search, 12, 1)


def check(found, definition, exemplar, search, count, *more):
    """Compare with the sum of products in float64, of the same half-precision numbers."""
    exemplar, search = exemplar.astype(np.float64), search.astype(np.float64)
    wanted = definition(exemplar, search, *more)
    most = definition(np.abs(exemplar), np.abs(search), *more)
    bound = count * UNIT * most + HALF_UNIT * (np.abs(wanted) + count * UNIT * most) + 2.0**-25
    assert (np.abs(found.astype(np.float64) - wanted) <= bound * (1 + 1e-6)).all()
