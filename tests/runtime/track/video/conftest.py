"""Sources are tried with OpenCV's decoder and with PyAV's."""

import pytest

from tests.support.needs import needs_kernels


@pytest.fixture(params=[False, True], ids=["opencv", "pyav"])
def planes(request):
    """Whether the frames may be pictures in planes, which PyAV decodes."""
    if request.param:
        pytest.importorskip("av")
        needs_kernels()
    return request.param
