"""The kernels on a real NVIDIA GPU, if there is one, agree with the definitions.

The tests use CuPy or PyCUDA, whichever is installed, and NVRTC.
"""

import subprocess
import sys

import pytest

from hotpath.base.errors import NoGpu
from hotpath.kernels.cuda import compile as compiler
from hotpath.kernels.cuda import device as devices
from hotpath.kernels.cuda import driver
from hotpath_nogpu.cuda import build, cases
from tests.support.needs import skip


@pytest.fixture(scope="module")
def gpu():
    try:
        driver.load()
    except NoGpu:
        pytest.skip("an NVIDIA GPU")
    if not devices.installed() or not list(compiler.available()):
        skip("CuPy or PyCUDA, and NVRTC", "make setup ALSO=nvidia")


@pytest.mark.parametrize("case", cases.NAMES)
def test_on_the_gpu(gpu, case):
    printed = subprocess.check_output(
        [sys.executable, "-m", "hotpath_nogpu.cuda.cases", case], cwd=build.ROOT, timeout=250
    )
    assert printed.decode().split() == [case]
