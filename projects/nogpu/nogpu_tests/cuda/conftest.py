"""Fixtures of the tests of the GPU's kernels."""

import pytest

from hotpath_nogpu.cuda.shim import Shim


@pytest.fixture(scope="session")
def shim():
    return Shim()
