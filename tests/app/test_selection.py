"""Only a target that somebody selected is steered after."""

from hotpath.app.selection import Selection


def test_no_target_takes_the_place_of_a_dropped_one():
    selection = Selection()
    assert selection.among({}) is None
    assert selection.among({3: None, 4: None}) == 3  # of the command line
    selection.drop(3)
    assert selection.among({4: None}) is None
    assert selection.among({4: None, 5: None}) is None
    selection.select(5)
    assert selection.among({4: None, 5: None}) == 5


def test_an_added_target_is_steered_after_only_if_selected():
    selection = Selection()
    assert selection.among({0: None}) == 0
    selection.select(1)
    assert selection.among({0: None, 1: None}) == 0
    selection.select(2, replaced=0)
    assert selection.among({1: None, 2: None}) == 2
    selection.drop(1)
    assert selection.among({2: None}) == 2 and selection.acts == 3


def test_a_target_that_vanishes_by_itself_is_not_replaced():
    selection = Selection()
    assert selection.among({0: None, 1: None}) == 0
    assert selection.among({1: None}) is None
