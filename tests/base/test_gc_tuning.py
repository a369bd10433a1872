"""Collections of garbage within a run visit no object from before it."""

import gc
import sys
import weakref

import pytest

from hotpath.base import gc_tuning

pytestmark = pytest.mark.skipif(sys.version_info < (3, 7), reason="Python 3.6 can't leave any out")


class Node:
    """An object that can refer to itself."""


def test_older_objects_are_not_visited_until_an_end_or_error():
    before = len(gc.get_objects())
    with gc_tuning.tuned_gc():
        assert gc.get_freeze_count() > 1000
        assert len(gc.get_objects()) < before / 10
    assert gc.get_freeze_count() == 0 and len(gc.get_objects()) > before / 2
    with pytest.raises(ValueError), gc_tuning.tuned_gc():
        raise ValueError
    assert gc.get_freeze_count() == 0


def test_garbage_made_within_is_freed():
    with gc_tuning.tuned_gc():
        node = Node()
        node.itself = node
        gone = weakref.ref(node)
        del node
        gc.collect()
        assert gone() is None
