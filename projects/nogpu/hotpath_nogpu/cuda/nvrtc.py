"""The real NVRTCs and ptxas that the tests compile with. They are wheels, and need no GPU."""

import functools
import glob
import os
import subprocess
import sys
import tempfile

from hotpath.kernels.cuda import compile as compiler
from hotpath_nogpu import PATH
from hotpath_nogpu.cuda import build
from tests.support.needs import FAKES, skip

TOOLS = os.path.join(build.CACHE, "tools")
OLDEST = "-10.2"  # the CUDA of Nano and TX2
COMPILE = """import sys
from hotpath.kernels.cuda.compile import Nvrtc
print(Nvrtc(sys.argv[1]).compile(sys.argv[2], int(sys.argv[3]), ptx=True)[0].decode())"""


def nvrtc(cuda=""):
    """Path of NVRTC; ``cuda`` is "" for the version that `make fakes` gets, else such as "-11.8".

    Skips the test if it is not there.
    """
    where = "*.libs/libnvrtc-[0-9]*" if cuda == OLDEST else "nvidia/*/*/libnvrtc.so.[0-9]*"
    return _found(cuda, where)


def assemble(ptx, capability, cuda=""):
    """What an assembler that knows the GPUs of this CUDA prints of PTX code."""
    ptxas = _found("" if cuda == OLDEST else cuda, "nvidia/*/*/ptxas")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kernel.ptx")
        with open(path, "w") as file:
            file.write(ptx)
        command = [ptxas, "-v", f"-arch=sm_{capability}", path, "-o", path + ".cubin"]
        done = subprocess.run(command, universal_newlines=True, **pipes)
    assert done.returncode == 0, done.stdout
    return done.stdout


def _found(cuda, pattern):
    paths = glob.glob(os.path.join(TOOLS + cuda, pattern))
    if not paths:
        skip(*(("CUDA's other compilers", "make compilers") if cuda else FAKES))
    return paths[0]


@functools.lru_cache(None)
def ptx(cuda, name, capability):
    """PTX of one of the product's .cu files, or of one whose path is given.

    CUDA 10.2 compiles in a process of its own, which finds the second library that it opens.
    """
    library, path = nvrtc(cuda), name if os.sep in name else compiler.source(name)
    if cuda != OLDEST:
        return compiler.Nvrtc(library).compile(path, capability, ptx=True)[0].decode()
    command = [sys.executable, "-c", COMPILE, library, path, str(capability)]
    environment = dict(os.environ, LD_LIBRARY_PATH=os.path.dirname(library), PYTHONPATH=PATH)
    return subprocess.check_output(command, env=environment).decode()
