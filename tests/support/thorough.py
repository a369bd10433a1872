"""The tests that ``make test`` leaves out for their time: those of tests/thorough.txt.

``python -m pytest -n 2 -m 'not slow' --durations 50`` lists those that take longest. Decide for
each: make it shorter, name it (or a case of it) in that file, or keep it in ``make test``, since
whoever changes the product needs it first.
"""

import pathlib

FILE = pathlib.Path(__file__).resolve().parent.parent / "thorough.txt"


def names():
    """The node ids of tests/thorough.txt: of functions, and of single cases."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}
