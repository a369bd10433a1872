"""Fixtures of the tests of the processor's kernels."""

import pytest

from tests.support import compiled


@pytest.fixture(scope="module")
def kernels():
    """The compiled kernels."""
    return compiled.kernels()
