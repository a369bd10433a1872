"""Runs whose frames the tests turn by hand."""

import contextlib

import pytest


@pytest.fixture
def make_run():
    """``HandTurnedRun``; each one is closed at the end."""
    from vehicle_tests.support.mavlink_run import HandTurnedRun

    with contextlib.ExitStack() as stack:
        yield lambda *given, **more: stack.enter_context(
            contextlib.closing(HandTurnedRun(*given, **more))
        )
