"""Where sentences for the user go: to the function that a program gave, else to ``logging``."""

import logging
import sys
from typing import Callable, Optional

LOGGER = logging.getLogger("hotpath")
LOGGER.addHandler(logging.NullHandler())  # a program that configures no logging sees nothing


def reporter(log: Optional[Callable[[str], None]]) -> Callable[[str], None]:
    """Return ``log``; if it is None, the function that passes a sentence to the logger ``hotpath``.

    Each sentence has the level INFO. A program that wants them calls
    ``logging.basicConfig(level=logging.INFO)``.

    Example:
        >>> reporter(print)("cam0: lost, trying again")
        cam0: lost, trying again
    """
    return _to_logging if log is None else log


def _to_logging(sentence: str) -> None:
    LOGGER.info("%s", sentence)


def users_level() -> int:
    """Return how far up the stack the user's line is, as ``warnings.warn`` of the caller counts."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].split(".")[0] == "hotpath":
        level, frame = level + 1, frame.f_back
    return level
