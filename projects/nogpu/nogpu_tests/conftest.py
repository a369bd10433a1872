"""Tests marked ``fake_gpu`` run in a process that finds the fake driver as the NVIDIA one.

The dynamic linker reads ``LD_LIBRARY_PATH`` when a process starts. So the tests of one file that
need the same environment run in a pytest of their own, whose reports this one gives as its own.
"""

import json
import os
import subprocess
import sys
import tempfile

import pytest

from hotpath_nogpu import ROOT
from hotpath_nogpu.fake_gpu import surroundings
from tests import support

REPORTS = "HOTPATH_REPORTS"  # in the process on the fake driver: a file with one report a line
INSIDE = os.environ.get(REPORTS)
GROUPS = pytest.StashKey()


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "fake_gpu(...): needs the fake driver; arguments of gpu.surroundings"
    )
    config.stash[GROUPS] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """Give the reports of a test that ran on the fake driver."""
    given = environment_of(item)
    if given is None or INSIDE:
        return None
    try:
        reports = reports_of(item, given)
    except pytest.skip.Exception as lacking:
        item.add_marker(pytest.mark.skip(reason=str(lacking)))
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    item.session._setupstate.teardown_exact(nextitem)  # modules of tests before, as pytest does
    return True


def environment_of(item):
    """The arguments of ``surroundings`` for a test, those of the nearest marker first; or None."""
    markers = list(item.iter_markers("fake_gpu"))
    if not markers:
        return None
    return {key: value for marker in reversed(markers) for key, value in marker.kwargs.items()}


def reports_of(item, given):
    """Reports of a test. The first test of a file and environment runs all of these."""
    groups = item.config.stash[GROUPS]
    key = str(item.path), json.dumps(given, sort_keys=True)
    if key not in groups:
        mates = [each for each in item.session.items if each.path == item.path]
        mates = [each.nodeid for each in mates if environment_of(each) == given]
        groups[key] = run(item.config, mates, surroundings(**given))
    found, messages = groups[key]
    ended = pytest.TestReport(item.nodeid, item.location, {}, "failed", messages[-5000:], "call")
    return found.get(item.nodeid, [ended])


def run(config, ids, environment):
    """(reports of each test, what was printed) of a pytest on the fake driver."""
    with tempfile.NamedTemporaryFile() as file:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ids]
        environment = dict(environment, **{REPORTS: file.name})
        done = support.run(command, stderr=subprocess.STDOUT, cwd=ROOT, env=environment)
        found = {}
        for line in file.read().decode().splitlines():
            report = config.hook.pytest_report_from_serializable(
                config=config, data=json.loads(line)
            )
            found.setdefault(report.nodeid, []).append(report)
    return found, done.stdout


if INSIDE:

    def pytest_runtest_logreport(report):
        with open(INSIDE, "a") as file:
            data = CONFIG.hook.pytest_report_to_serializable(config=CONFIG, report=report)
            file.write(json.dumps(data) + "\n")

    def pytest_sessionstart(session):
        global CONFIG
        CONFIG = session.config

    @pytest.fixture(autouse=True)
    def driver_is_whole(capfd):
        """Fail where a library calls a function that the fake driver lacks."""
        yield
        messages = capfd.readouterr().err
        assert "fake driver has no" not in messages and "PyCUDA" not in messages, messages
