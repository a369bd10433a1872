"""A tracked frame can be read in one sitting: it runs through few files, on every device."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("onnxruntime")

from tests.conftest import ROOT
from tests.support.fake_gpu import python

MODULE = "tests.support.frame_path"
STEPS = {"runtime/tracker.py", "runtime/presence.py"}


def traced(kind):
    """The longest way of some frames, and the modules that were loaded."""
    if kind == "gpu":
        said = python(["-m", MODULE, kind])
    else:
        said = subprocess.check_output(
            [sys.executable, "-m", MODULE, kind], universal_newlines=True, cwd=str(ROOT)
        )
    report = json.loads(said.splitlines()[-1])
    return set(max(report["files"], key=len)), report["modules"]


@pytest.mark.parametrize("kind, most", [("processor", 10), ("search", 14)])
def test_on_a_processor(kind, most):
    files, modules = traced(kind)
    assert STEPS | {"runtime/devices/processor.py"} <= files
    assert ("runtime/search/search.py" in files) == (kind == "search")
    assert len(files) <= most, files
    accelerators = ("kernels.cuda", "kernels.fpga", "runtime.devices.gpu", "runtime.devices.fpga")
    assert not [name for name in modules if name.startswith(accelerators)]


def test_on_the_gpu():
    files, _ = traced("gpu")
    assert STEPS | {"runtime/devices/gpu.py", "kernels/cuda/frame.py"} <= files
    assert len(files) <= 16, files


def test_on_the_fpga():
    pytest.importorskip("pynq", reason="PYNQ's library is missing: make fpga")
    files, _ = traced("fpga")
    assert STEPS | {"runtime/devices/fpga.py", "kernels/fpga/frame.py"} <= files
    # the simulated board's own files are no part of the way
    files = {name for name in files if not name.startswith("kernels/fpga/design/")}
    assert len(files) <= 16, files
