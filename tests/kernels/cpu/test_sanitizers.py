"""The tests of the native code pass with gcc's sanitizers, which notice what leaves its memory."""

import os
import subprocess
import sys

import pytest

from tests.support import ROOT
from tests.support.needs import lacks, needs_compiler

FLAGS = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined"
TESTS = ("crop", "families", "online", "planes", "select")
TOO_SMALL = """
import numpy as np
from tests.kernels.cpu.test_select import STATE, both, network, random_maps
from tests.support import compiled

select, _ = both(compiled.kernels(), network())
select._tables = [table[: table.size // 2].copy() for table in select._tables]
select.select(random_maps(network(), 0), np.array(STATE), (1.5, 1.5), 1280, 720)
"""


def run(*words):
    """Run Python with kernels that the sanitizers watch: (exit code, what it printed)."""
    needs_compiler()
    libraries = [
        subprocess.check_output(["g++", f"-print-file-name={name}"], universal_newlines=True)
        for name in ("libasan.so", "libstdc++.so")
    ]
    preloaded = " ".join(library.strip() for library in libraries)
    if not os.path.isabs(preloaded):
        pytest.skip(lacks("gcc's sanitizers", "apt install g++"))
    watched = dict(LD_PRELOAD=preloaded, TEST_KERNELS=FLAGS, ASAN_OPTIONS="detect_leaks=0")
    done = subprocess.run(
        [sys.executable, *words],
        cwd=str(ROOT),
        env=dict(os.environ, **watched),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    return done.returncode, done.stdout


@pytest.mark.slow("compiles with sanitizers")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TESTS)
def test_the_tests_of_the_kernels_stay_in_their_memory(name):
    code, told = run("-m", "pytest", "-q", f"tests/kernels/cpu/test_{name}.py")
    assert code == 0, told


@pytest.mark.slow("compiles with sanitizers")
def test_memory_that_is_too_small_is_noticed():
    code, told = run("-c", TOO_SMALL)
    assert code and "heap-buffer-overflow" in told and "hp_points_select" in told, told
