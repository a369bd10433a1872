"""A window is begun only where it fits into what is left of the frame."""

import pytest

from runtime.search import search as budget
from runtime.search.search import Budget


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves, in milliseconds."""
    now = [0.0]
    monkeypatch.setattr(budget.time, "perf_counter", lambda: now[0] / 1e3)
    return now


def tracked(budget_ms, clock, frames, **options):
    """A budget that has tracked frames of so many milliseconds."""
    one = Budget(budget_ms, **options)
    for ms in frames:
        one.begin()
        clock[0] += ms
        one.tracked()
    return one


OWN = [4.0] * 5
OFTEN = [4.0 if number % 5 < 2 else 24.0 for number in range(100)]
SELDOM = [30.0 if number % 3 == 0 else 4.0 for number in range(100)]
DEAR = [8.0 if number % 3 == 0 else 2.0 for number in range(30)]
ONCE = [200.0 if number == 25 else 4.0 for number in range(30)]


@pytest.mark.parametrize(
    "budget_ms, frames, windows, elapsed_ms, fits",
    [
        (None, OWN, [4.0], 4.0, False),  # half a frame is too little for a second window
        (1e6, [], [], 0.0, False),  # nothing was measured
        (None, OWN + OFTEN, [4.0], 4.0, False),  # interruptions make no room in a quick frame
        (None, OWN + [200.0], [4.0], 4.0, False),
        (11.0, OWN, [4.0], 8.0, True),
        (11.0, OWN, [4.0], 12.0, False),
        (11.0, OWN, [4.0] + [9.0] * 100, 4.0, False),  # windows that grow slower
        (9.0, OWN, DEAR, 6.0, False),  # of several kinds the dear one counts
        (9.0, OWN, ONCE, 6.0, True),  # an interrupted window does not end the search
    ],
)
def test_a_window_is_begun_where_it_fits(clock, budget_ms, frames, windows, elapsed_ms, fits):
    one = tracked(budget_ms, clock, frames)
    for ms in windows:
        one.window(ms)
    one.begin()
    clock[0] += elapsed_ms
    assert one.fits() == fits


@pytest.mark.parametrize("frames", [OWN, OWN + OFTEN, OWN + SELDOM, OWN + [1.0]])
def test_neither_interrupted_frames_nor_a_quick_one_change_the_limit(clock, frames):
    assert tracked(None, clock, frames).limit_ms == pytest.approx(6.0)


def test_an_interrupted_frame_hardly_widens_the_limit(clock):
    assert tracked(None, clock, OWN + [200.0]).limit_ms < 1.25 * 6.0


@pytest.mark.parametrize("budget_ms, limit_ms", [(None, 12.0), (1.0, 5.0)])
def test_a_boards_share_is_the_budget_that_nobody_names(clock, budget_ms, limit_ms):
    one = tracked(budget_ms, clock, [4.0], share=2.0)
    assert one.limit_ms == pytest.approx(limit_ms)
