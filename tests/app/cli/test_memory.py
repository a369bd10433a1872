"""A program that gets no memory says so, and does not advise to install what is there."""

import subprocess
import sys

import pytest

from tests.support import ROOT

resource = pytest.importorskip("resource")
CODE = """
import resource, sys
import numpy, cv2
from hotpath.app import command

def ask(*_):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (8 << 20), used + (8 << 20)))
    {what}

command._run = ask
sys.exit(command.main(["track"]))
"""
WAYS = {
    "an array": "numpy.ones(1 << 28)",
    "bytes": "bytes(1 << 30)",
    "a list": "[0] * (1 << 28)",
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("what", sorted(WAYS))
def test_a_program_without_memory_names_it(what):
    code = CODE.replace("{what}", WAYS[what])
    done = subprocess.run(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, cwd=str(ROOT), timeout=60
    )
    told = done.stderr.decode()
    assert done.returncode == 2 and told.startswith("hotpath: there is not enough memory"), told
    assert "install" not in told and "Traceback" not in told


def test_an_engine_that_finds_no_memory_is_not_to_be_installed_again(monkeypatch):
    from hotpath.runtime import engines
    from hotpath.runtime.errors import NoEngine

    def full(setup):
        raise ImportError("libx.so: failed to map segment from shared object")

    monkeypatch.setattr(engines, "find", lambda name: full)
    with pytest.raises(NoEngine, match="not enough memory") as caught:
        engines.open_engine("onnxruntime", None)
    assert "install" not in str(caught.value)
