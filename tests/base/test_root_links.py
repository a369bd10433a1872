"""A folder that is imported by the link at the root of a clone is the package's own."""

import os
import subprocess
import sys

import pytest

from tests.support import ROOT

SAME = {
    "errors": "import runtime.errors as a, hotpath as b; assert a.BadBox is b.BadBox",
    "the other order": "import hotpath.runtime.errors as b, runtime.errors as a; assert a is b",
    "from": "from runtime.errors import BadBox as a; import hotpath; assert a is hotpath.BadBox",
    "the package": "import runtime as a, hotpath.runtime as b; assert a is b",
    "deep": "import runtime.frames.boxes as a; from hotpath.runtime.frames import boxes as b; "
    "assert a is b and a.__spec__.name == 'hotpath.runtime.frames.boxes'",
    "kernels": "import kernels.cpu.build as a, hotpath.kernels.cpu.build as b; assert a is b",
    "boards": "import boards.errors as a, hotpath as h; assert a is h.boards.errors",
    "calib": "import calib.errors as a, hotpath.calib.errors as b; assert a is b",
    "caught": "import runtime.errors, hotpath\n"
    "try: hotpath.track('no.mp4', box=(1, 2, 3, 4))\n"
    "except runtime.errors.BadSource: pass",
    "none": "import runtime\ntry: import runtime.nothing\n"
    "except ImportError as e: assert e.name == 'runtime.nothing'",
}


def run(*words):
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    words = [sys.executable, *words]
    return subprocess.run(words, cwd=str(ROOT), env=environment, stdout=-1, stderr=-2)


@pytest.mark.pythons("what an import does differs")
@pytest.mark.parametrize("name", sorted(SAME))
def test_both_names_are_one_module(name):
    done = run("-c", SAME[name])
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize(
    "words, messages",
    [
        (["runtime.track", "--version"], b"0.4"),
        (["boards", "--help"], b"usage"),
        (["kernels.cpu"], b".so"),
    ],
)
def test_programs_run_by_the_links_name(words, messages):
    done = run("-m", *words)
    assert done.returncode == 0 and messages in done.stdout, done.stdout.decode()
