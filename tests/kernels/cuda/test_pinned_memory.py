"""Pinned memory has to live until its copy ran; the cases of ``tests.fakes.cuda`` keep it so long.

The fake driver runs every copy as late as a GPU may. PyCUDA frees pinned memory when its array
dies, and the fake driver overwrites it then. CuPy gives it to the next request of its size.
"""

import os

import pytest

from tests.fakes.cuda import build
from tests.support.fake_gpu import SITE, python

LIBRARIES = {"pycuda": SITE, "cupy": os.path.join(build.HERE, "cupy_stand_in")}
COPIES = """
import numpy as np
from kernels.cuda import device
from tests.fakes.cuda.cases import Memory
gpu = device.open_device()
assert gpu.name == {library!r}
memory = Memory(gpu)
arrays = [np.random.RandomState(seed).bytes(5000) for seed in range(4)]
arrays = [np.frombuffer(array, np.uint8) for array in arrays]
addresses = []
for array in arrays:
    addresses.append(memory.put(array))
    {after_each_upload}
found = [memory.get(at, array.shape, np.uint8) for at, array in zip(addresses, arrays)]
print([bool((one == other).all()) for one, other in zip(found, arrays)])
gpu.close()
"""


def arrived(library, after_each_upload):
    """For each of four arrays, as text: whether it is on the device as it was uploaded."""
    code = COPIES.format(library=library, after_each_upload=after_each_upload)
    return python(["-c", code], site=LIBRARIES[library]).strip()


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_uploads_of_the_cases_arrive_however_late_they_run(library):
    assert arrived(library, "pass") == str([True] * 4)


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_staging_that_is_freed_before_its_copy_ran_is_noticed(library):
    """CuPy gives the same memory to all uploads, so that the last one alone arrives."""
    last = library == "cupy"
    assert arrived(library, "memory._staging.clear()") == str([False] * 3 + [last])


@pytest.mark.parametrize("case", ["crop", "correlate"])
def test_the_cases_that_upload_run_on_a_pool_of_pinned_memory(case):
    printed = python(["-m", "tests.fakes.cuda.cases", case], site=LIBRARIES["cupy"])
    assert printed == case + "\n"
