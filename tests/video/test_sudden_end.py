"""A function that runs when C code ends the process, and at no other end."""

import sys

import pytest

from tests.support import ROOT, run

CODE = """
import ctypes, os, sys
from hotpath.video.sudden_end import SuddenEnd
end = SuddenEnd(lambda: print("finished"))
{}
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
@pytest.mark.pythons("ctypes of each Python")
@pytest.mark.parametrize(
    "ends, printed, code",
    [
        ("ctypes.CDLL(None).exit(1)", "finished\n", 2),
        ("end.cancel(); end.cancel(); ctypes.CDLL(None).exit(1)", "", 1),
        ("sys.exit(3)", "", 3),
        ("if not os.fork(): ctypes.CDLL(None).exit(4)\nsys.exit(os.wait()[1] >> 8)", "", 4),
        ("end = SuddenEnd(lambda: print('second'))\nctypes.CDLL(None).exit(1)", "second\n", 2),
    ],
)
def test_only_the_exit_of_c_code_calls_the_function(ends, printed, code):
    done = run([sys.executable, "-c", CODE.format(ends)], cwd=str(ROOT))
    assert (done.stdout, done.returncode) == (printed, code), done.stderr
