"""What a window of the search makes of the place that is checked: one table."""

import numpy as np
import pytest

from hotpath.runtime.search.search import CHECKS, NEARLY, Candidate, weighed
from hotpath.runtime.search.windows import CHECK, HERE, WIDE

NEEDED = 0.6
OLD, NEW = np.array([10.0, 10.0, 5.0, 5.0]), np.array([80.0, 60.0, 6.0, 6.0])
NEAR, FAR = NEEDED - NEARLY + 0.01, NEEDED - NEARLY - 0.01
NONE, LIKELY = Candidate(), Candidate(OLD, likely=0.7, is_elsewhere=True)
ONCE = Candidate(OLD, is_elsewhere=True, streak=1, checks=1)
LAST = Candidate(OLD, is_elsewhere=True, checks=CHECKS - 1)

TABLE = {
    "a likely place of a wide window is checked": (
        *(NONE, WIDE, 0.65, True),
        Candidate(NEW, 0.65, is_elsewhere=True),
    ),
    "an unlikely one is not": (NONE, WIDE, 0.55, True, NONE),
    "a better one replaces it": (LIKELY, WIDE, 0.8, True, Candidate(NEW, 0.8, is_elsewhere=True)),
    "one as likely does not": (LIKELY, WIDE, 0.7, True, LIKELY),
    "a check confirms it": (
        *(LIKELY._replace(likely=0.0), CHECK, 0.6, True),
        Candidate(NEW, is_elsewhere=True, streak=1, checks=1),
    ),
    "a second check in succession confirms it": (
        *(ONCE, CHECK, 0.9, True),
        Candidate(NEW, is_elsewhere=True, streak=2, checks=2),
    ),
    "one that nearly convinces is checked again": (
        *(ONCE, CHECK, NEAR, True),
        Candidate(NEW, is_elsewhere=True, checks=2),
    ),
    "one that does not is dropped": (
        *(ONCE, CHECK, FAR, True),
        Candidate(None, is_elsewhere=True, checks=2),
    ),
    "after enough checks, one that nearly convinces is dropped": (
        *(LAST, CHECK, NEAR, True),
        Candidate(None, is_elsewhere=True, checks=CHECKS),
    ),
    "a good one that is not proven is no evidence": (
        *(ONCE, CHECK, 0.9, False),
        Candidate(NEW, is_elsewhere=True, checks=2),
    ),
    "the followed place is checked once it shows the target": (
        *(NONE, HERE, 0.6, True),
        Candidate(NEW, streak=1, checks=1),
    ),
    "where it does not, another candidate is kept": (
        *(LIKELY, HERE, 0.5, True),
        LIKELY._replace(checks=1),
    ),
    "where it does not, a streak ends": (ONCE, HERE, 0.5, True, ONCE._replace(streak=0, checks=2)),
}


@pytest.mark.parametrize("before, kind, value, proves, after", TABLE.values(), ids=TABLE)
def test_a_window_of_the_search_moves_the_candidate(before, kind, value, proves, after):
    found = weighed(before, kind, NEW, value, NEEDED, proves)
    assert found.place is after.place
    assert found[1:] == after[1:]
