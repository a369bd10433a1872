"""A tracker on a computer loads nothing of boards, and nothing that prepares networks."""

import os
import sys

import pytest

pytest.importorskip("onnxruntime")

from tests.support import ROOT, run
from tests.support.needs import needs_kernels

TRACK = """
import sys
from hotpath import load_tracker
from tests.support import tiny

film, truth = tiny.film(2)
tracker = load_tracker(precision="fp32")
tracker.init(film[0], truth[0])
tracker.update(film[1])
assert "runtime" not in sys.modules, "one package under two names"
print(*(name for name in sys.modules if name.startswith("hotpath.")))
"""
NOT_LOADED = (
    *("video", "graphs", "deploy", "kernels.golden", "boards.detect"),
    "runtime.networks.bundle",
    # where nothing could be compiled
    *("runtime.decode.shared.proposals", "runtime.identity.learner.numpy_definition"),
    *("kernels.cuda", "kernels.fpga", "runtime.devices.gpu", "runtime.devices.fpga", "app"),
)


def test_a_tracker_loads_what_it_needs(tmp_path):
    """It is the second start that counts: the first one prepares the network's files."""
    needs_kernels()
    starts = dict(cwd=str(ROOT), check=True, env=dict(os.environ, HOME=str(tmp_path)))
    messages = [run([sys.executable, "-c", TRACK], **starts).stdout.split() for _ in range(2)][-1]
    names = [name[len("hotpath.") :] for name in messages]
    assert "runtime.identity" in names
    assert not [name for name in names if name.startswith(NOT_LOADED)]
