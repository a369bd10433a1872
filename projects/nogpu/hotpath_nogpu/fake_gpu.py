"""Run Python in a process of its own on the fake GPU: the real PyCUDA over the fake driver."""

import os
import platform
import sys

import pytest

from hotpath_nogpu import PATH, ROOT
from hotpath_nogpu.cuda import build
from tests.support import run
from tests.support.needs import FAKES, skip

VERSION = "{}.{}".format(*sys.version_info)
SITE = os.path.join(build.CACHE, "site-" + VERSION)
STAND_IN = os.path.join(build.HERE, "cupy_stand_in")
TOOLS = os.path.join(build.CACHE, "tools")


def need(*folders):
    for folder in folders:
        if not os.path.isfile(os.path.join(folder, "as-installed.txt")):
            skip(*FAKES)


def surroundings(driver=True, site=SITE, **variables):
    """The environment of a process with the fake driver and the real PyCUDA."""
    if platform.machine() != "x86_64":
        pytest.skip("the libraries that prepare.sh gets are for x86-64")
    need(*([SITE, TOOLS] if site == SITE else [TOOLS]))
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="", **variables)
    environment["PYTHONPATH"] = os.pathsep.join(([site] if site else []) + [TOOLS, PATH])
    environment["LD_LIBRARY_PATH"] = build.driver() if driver else ""
    return environment


def python(code, driver=True, site=SITE, timeout=250, **variables):
    """Run Python with the fake driver and the real PyCUDA; returns what it printed."""
    environment = surroundings(driver, site, **variables)
    done = run([sys.executable, *code], cwd=ROOT, env=environment, timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "fake driver has no" not in done.stderr
    assert "PyCUDA" not in done.stderr, done.stderr
    return done.stdout
