"""The GPU's correlation, run on the processor, lies within the bound that it states."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import golden
from kernels.cuda.correlate import Correlate
from tests.support.examples import examples

UNIT = 2.0**-24


def depthwise(shim, exemplar, search, padding):
    """Correlate one exemplar (C, h, w), or several (count, C, h, w)."""
    count = exemplar.shape[:-3]
    channels, h, w = exemplar.shape[-3:]
    _, rows, columns = search.shape
    out_rows, out_columns = rows + 2 * padding - h + 1, columns + 2 * padding - w + 1
    out = np.full(count + (channels, out_rows, out_columns), np.nan, search.dtype)
    grid = ((out_rows * out_columns + 255) // 256, channels) + (count or (1,))
    shim.launch(
        "hp_correlate_depthwise",
        grid,
        256,
        search,
        exemplar,
        rows,
        columns,
        h,
        w,
        padding,
        int(search.dtype == np.float16),
        out,
        shared=4 * h * w,
    )
    return out


def features(random, shape):
    return (random.normal(size=shape) * 10.0 ** random.uniform(-3, 3)).astype(np.float32)


shapes = st.tuples(st.integers(1, 9), st.integers(1, 8), st.integers(1, 8))


@examples(80)
@given(shapes, st.integers(0, 20), st.integers(0, 20), st.integers(0, 3), st.integers(0, 10**6))
def test_depthwise_is_within_its_bound(shim, shape, more_rows, more_columns, padding, seed):
    random = np.random.RandomState(seed)
    channels, h, w = shape
    exemplar = features(random, shape)
    search = features(random, (channels, h + more_rows, w + more_columns))
    found = depthwise(shim, exemplar, search, padding)
    expected = golden.correlate_depthwise(exemplar, search, padding)
    magnitude = golden.correlate_depthwise(np.abs(exemplar), np.abs(search), padding)
    assert (np.abs(found - expected) <= h * w * UNIT * magnitude * (1 + 1e-6)).all()


def test_several_exemplars_are_done_at_a_time(shim):
    random = np.random.RandomState(3)
    exemplars, search = features(random, (3, 4, 2, 5)), features(random, (4, 9, 11))
    together = depthwise(shim, exemplars, search, 1)
    for index in range(3):
        alone = depthwise(shim, np.ascontiguousarray(exemplars[index]), search, 1)
        assert together[index].tobytes() == alone.tobytes()


def test_the_order_of_additions_is_fixed(shim):
    random = np.random.RandomState(0)
    exemplar, search = features(random, (5, 4, 4)), features(random, (5, 20, 18))
    first = depthwise(shim, exemplar, search, 1)
    for order in (1, 2, 3):
        with shim.order(order):
            again = depthwise(shim, exemplar, search, 1)
        assert first.tobytes() == again.tobytes()


def test_an_exemplar_larger_than_the_search_region_is_refused():
    with pytest.raises(ValueError, match="over"):
        object.__new__(Correlate).depthwise(0, 0, 0, (20, 2, 2), (1, 20, 4, 3), 0, None)
