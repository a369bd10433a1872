"""The GPU's correlation, run on the processor, lies within the bound that it states."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotpath.kernels import golden
from hotpath.kernels.cuda.correlate import Correlate
from tests.support.examples import examples

UNIT, HALF_UNIT = 2.0**-24, 2.0**-11  # of rounding to float32 and to half precision


def depthwise(shim, exemplar, search, padding):
    """Correlate one exemplar (C, h, w), or several (count, C, h, w), with one region."""
    count = exemplar.shape[:-3]
    channels, h, w = exemplar.shape[-3:]
    rows, columns = search.shape[-2:]
    out_rows, out_columns = rows + 2 * padding - h + 1, columns + 2 * padding - w + 1
    out = np.full(count + (channels, out_rows, out_columns), np.nan, search.dtype)
    grid = ((out_rows * out_columns + 255) // 256, channels) + (count or (1,))
    given = search, exemplar, rows, columns, h, w, padding
    given += int(search.dtype == np.float16), out
    shim.launch("hp_correlate_depthwise", grid, 256, *given, shared=4 * h * w)
    return out


def features(random, shape, dtype=np.float32):
    reach = 3 if dtype == np.float32 else 0
    return (random.normal(size=shape) * 10.0 ** random.uniform(-reach, reach)).astype(dtype)


@examples(120)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 8), st.integers(1, 8)),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 3),
    st.sampled_from([np.float32, np.float16]),
    st.integers(0, 10**6),
)
def test_depthwise_is_within_its_bound(shim, shape, more_rows, more_columns, padding, dtype, seed):
    random = np.random.RandomState(seed)
    channels, h, w = shape
    exemplar = features(random, shape, dtype)
    search = features(random, (channels, h + more_rows, w + more_columns), dtype)
    found = depthwise(shim, exemplar, search, padding).astype(np.float64)
    expected = golden.correlate_depthwise(exemplar, search, padding)
    bound = h * w * UNIT * golden.correlate_depthwise(np.abs(exemplar), np.abs(search), padding)
    if dtype == np.float16:
        bound += HALF_UNIT * (np.abs(expected) + bound) + 2.0**-25
    assert (np.abs(found - expected) <= bound * (1 + 1e-6)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_several_exemplars_are_added_in_the_order_of_one(shim, dtype):
    random = np.random.RandomState(3)
    exemplars, search = features(random, (3, 4, 4, 5), dtype), features(random, (4, 20, 18), dtype)
    together = depthwise(shim, exemplars, search, 1)
    for index in range(3):
        alone = depthwise(shim, np.ascontiguousarray(exemplars[index]), search, 1)
        assert together[index].tobytes() == alone.tobytes()


def test_an_exemplar_larger_than_the_search_region_is_refused():
    with pytest.raises(ValueError, match="over"):
        object.__new__(Correlate).depthwise(0, 0, 0, (20, 2, 2), (1, 20, 4, 3), 0, None)
