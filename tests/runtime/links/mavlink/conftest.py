"""Runs whose frames the tests turn by hand."""

import pytest


@pytest.fixture
def make_run():
    """``HandTurnedRun``; each one is closed at the end."""
    from tests.support.mavlink_run import HandTurnedRun

    made = []

    def make(pictures, **more):
        made.append(HandTurnedRun(pictures, **more))
        return made[-1]

    yield make
    for run in made:
        run.close()
