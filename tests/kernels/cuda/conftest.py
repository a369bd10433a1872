"""Fixtures of the tests of the GPU's kernels."""

import pytest

from tests.fakes.cuda.shim import Shim


@pytest.fixture(scope="session")
def shim():
    return Shim()
