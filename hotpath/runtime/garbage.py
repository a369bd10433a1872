"""Keep Python's garbage collector out of the time of a frame.

A full collection visits every object of all imported libraries: 10 ms and more, in the middle of
whatever frame it falls on.
"""

import contextlib
import gc
from typing import Iterator


@contextlib.contextmanager
def short_collections() -> Iterator[None]:
    """Within it, collections visit only the objects that were made within it.

    Begins with a full collection. Python 3.6 can't leave objects out; there it is all that happens.
    """
    gc.collect()
    collector = gc
    can_freeze = hasattr(collector, "freeze")
    if can_freeze:
        collector.freeze()
    try:
        yield
    finally:
        if can_freeze:
            collector.unfreeze()
