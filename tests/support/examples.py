"""How much a test tries: few cases in ``make test``, all of them in ``make test-all``."""

import pytest
from hypothesis import settings

FEW, ALL = 25, 400  # examples of a property test, at most


def examples(most, **more):
    """Settings of a property test."""
    return settings(max_examples=min(most, settings.default.max_examples), **more)


def count(few, many):
    """How many frames or rounds: few in ``make test``, many in ``make test-all``."""
    return many if settings.default.max_examples >= ALL else few


def few_of(values, kept, why):
    """Values for ``parametrize``: those of ``kept``, and the others marked as slow for a reason."""
    kept = list(kept)
    slow = pytest.mark.slow(why)
    return [value if value in kept else _marked(value, slow) for value in values]


def _marked(value, slow):
    return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=slow)
