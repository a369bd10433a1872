"""How many examples a property test draws.

``make test`` draws few, and always the same ones. ``make test-all`` draws as many as each test
states, and others each time. The profiles stand in ``tests/conftest.py``.
"""

from hypothesis import settings


def examples(most, **more):
    """Settings of a property test.

    Args:
        most: how many examples ``make test-all`` draws.
        more: other settings of hypothesis.
    """
    return settings(max_examples=min(most, settings.default.max_examples), **more)
