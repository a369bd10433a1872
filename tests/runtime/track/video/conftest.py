"""Sources are tried with OpenCV's decoder and with PyAV's."""

import pytest

from hotpath.runtime.pictures import can_read_planes


@pytest.fixture(params=[False, True], ids=["opencv", "pyav"])
def planes(request):
    """Whether the frames may be pictures in planes, which PyAV decodes."""
    if request.param:
        pytest.importorskip("av")
        if not can_read_planes():
            pytest.skip("no C++ compiler")
    return request.param
