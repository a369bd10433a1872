"""Fixtures of the tests of the processor's kernels."""

import pytest

from kernels.cpu import binding, build


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """The compiled kernels, built for the tests of a file."""
    try:
        return binding.Kernels(build.library((), (str(tmp_path_factory.mktemp("kernels")),)))
    except build.CannotBuild as error:
        if "no C++ compiler" not in str(error):
            raise
        pytest.skip(str(error))
