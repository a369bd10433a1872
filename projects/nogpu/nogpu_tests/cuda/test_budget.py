"""The kernels cost no more than budget.toml allows, on every Jetson's GPU and in every frame."""

import pytest

from hotpath.kernels.cuda import compile as compiler
from hotpath_nogpu.cuda import build, nvrtc

budget = pytest.importorskip("nogpu_tests.cuda.budget")  # needs a reader of TOML
SLOW = pytest.mark.slow("the same kernels; `make compilers` gets the CUDAs before and after")
COMPILED = [(cuda, number) for cuda, numbers in budget.MATRIX.items() for number in numbers]
FIRST = [("", 53), ("", 87)]


@pytest.mark.parametrize(
    "cuda, capability",
    FIRST + [pytest.param(*each, marks=SLOW) for each in COMPILED if each not in FIRST],
)
@pytest.mark.parametrize("name", budget.SOURCES)
def test_kernels_stay_within_their_budget(name, cuda, capability):
    resources = budget.resources_of(cuda, name, capability)
    assert sorted(resources) == sorted(build.kernel_names(compiler.source(name)))
    for kernel, used in resources.items():
        assert used.memory == 0, (kernel, used)
        assert used.registers <= budget.TABLE["kernel"][kernel]["registers"], (kernel, used)
    counted = {} if cuda else budget.count_ptx(nvrtc.ptx(cuda, name, capability))
    for kernel, counts in counted.items():
        limits = budget.TABLE["kernel"][kernel]
        assert counts.doubles <= limits["doubles"], (kernel, counts)
        assert counts.loads <= limits["loads"], (kernel, counts)
        assert counts.instructions <= limits.get("instructions", counts.instructions), kernel
