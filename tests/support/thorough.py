"""The tests that ``make test`` leaves out for their time, and how to find them.

    python -m pytest -p tests.support.thorough -n 2 -m 'not slow'

lists, after the tests, the functions that take ``LIMIT_S`` or more of a processor, all cases
together. Decide for each: make it shorter, name it (or a case of it) in tests/thorough.txt, or keep
it in ``make test``, since whoever changes the product needs it first. Programs that a test starts
count when they have ended.
"""

import collections
import os
import pathlib

FILE = pathlib.Path(__file__).resolve().parent.parent / "thorough.txt"
LIMIT_S = 1.2
KEY = "processor_s"

_begun_s = {}
_taken_s = collections.Counter()


def names():
    """The node ids of tests/thorough.txt: of functions, and of single cases."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def pytest_runtest_logstart(nodeid):
    _begun_s[nodeid] = _processor_s()


def pytest_runtest_teardown(item):
    if item.nodeid in _begun_s:
        item.user_properties.append((KEY, _processor_s() - _begun_s.pop(item.nodeid)))


def pytest_runtest_logreport(report):
    if report.when == "teardown":
        _taken_s[report.nodeid.partition("[")[0]] += dict(report.user_properties).get(KEY, 0)


def pytest_terminal_summary(terminalreporter):
    listed = names()
    terminalreporter.section(f"{sum(_taken_s.values()):.0f} processor seconds")
    for name, seconds in _taken_s.most_common():
        if seconds < LIMIT_S:
            break
        terminalreporter.write_line(
            f"{seconds:7.1f} s {'  listed' if name in listed else '':9} {name}"
        )


def _processor_s():
    return sum(os.times()[:4])
