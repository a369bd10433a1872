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


def tracked(budget_ms, clock, own_ms=4.0):
    one = Budget(budget_ms)
    for _ in range(5):
        one.begin()
        clock[0] += own_ms
        one.tracked()
    return one


def test_by_default_half_a_frame_is_too_little_for_a_second_window(clock):
    one = tracked(None, clock)
    one.window(4.0)
    assert one.limit_ms == pytest.approx(6.0)
    one.begin()
    clock[0] += 4.0
    assert not one.fits()


def test_no_second_window_is_begun_before_a_frame_was_measured(clock):
    one = Budget(1e6)
    one.begin()
    assert not one.fits()
    one.tracked()


def test_interruptions_make_no_room_for_a_window_in_a_quick_frame(clock):
    one = tracked(None, clock)
    for number in range(100):
        one.begin()
        clock[0] += 4.0 if number % 5 < 2 else 24.0
        one.tracked()
    assert one.limit_ms == pytest.approx(6.0)
    one.window(4.0)
    one.begin()
    clock[0] += 4.0
    assert not one.fits()


def test_one_quick_frame_does_not_narrow_the_limit(clock):
    one = tracked(None, clock)
    one.begin()
    clock[0] += 1.0
    one.tracked()
    assert one.limit_ms == pytest.approx(6.0)


def test_a_window_that_fits_is_begun_and_no_other(clock):
    one = tracked(11.0, clock)
    one.window(4.0)
    one.begin()
    windows = 0
    while one.fits():
        clock[0] += 4.0
        windows += 1
    assert windows == 3 and one.elapsed_ms() <= one.limit_ms


def test_windows_that_grow_slower_are_begun_less_often(clock):
    one = tracked(11.0, clock)
    one.window(4.0)
    for _ in range(100):
        one.window(9.0)
    one.begin()
    clock[0] += 4.0
    assert not one.fits()


def test_an_interrupted_frame_allows_no_further_window(clock):
    one = tracked(None, clock)
    one.begin()
    clock[0] += 200.0
    one.tracked()
    assert one.limit_ms < 1.25 * 6.0
    one.window(4.0)
    one.begin()
    clock[0] += 4.0
    assert not one.fits()


def test_many_interrupted_frames_do_not_widen_the_limit(clock):
    one = tracked(None, clock)
    for number in range(100):
        one.begin()
        clock[0] += 30.0 if number % 3 == 0 else 4.0
        one.tracked()
    assert one.limit_ms == pytest.approx(6.0)


def test_windows_of_several_kinds_are_taken_for_the_dear_one(clock):
    one = tracked(9.0, clock)
    for number in range(30):
        one.window(8.0 if number % 3 == 0 else 2.0)
    one.begin()
    clock[0] += 6.0
    assert not one.fits()


def test_one_interrupted_window_does_not_end_the_search(clock):
    one = tracked(9.0, clock)
    for number in range(30):
        one.window(200.0 if number == 25 else 4.0)
    one.begin()
    clock[0] += 6.0
    assert one.fits()


def test_a_boards_share_of_a_tracked_frame_is_the_budget_that_nobody_names(clock):
    for budget_ms, limit in ((None, 12.0), (1.0, 5.0)):
        one = Budget(budget_ms, share=2.0)
        one.begin()
        clock[0] += 4.0
        one.tracked()
        assert one.limit_ms == pytest.approx(limit)
