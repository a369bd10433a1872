"""The processor in a GPU's place finds what a GPU need not do the same way twice."""

import numpy as np
import pytest

from hotpath_nogpu.cuda.shim import Failed


def test_mistakes_of_kernels_are_found_and_the_next_launch_runs(shim):
    out = np.ones(64, np.int32)
    for kernel, threads in (("bad_shuffle", 32), ("bad_barrier", 64), ("bad_race", 1056)):
        with pytest.raises(Failed):
            shim.launch(kernel, 1, threads, out)
    for _ in range(8):  # orders of the threads
        shim.launch("bad_race", 1, 64, out)
        assert not np.array_equal(out, 64 - np.arange(64))
