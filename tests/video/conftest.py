"""Recordings are tried with PyAV's planes, and with OpenCV as where there is no PyAV."""

import pytest

from hotpath.video import pyav
from tests.support.needs import needs_kernels


@pytest.fixture(params=[False, True], ids=["opencv", "pyav"])
def planes(request, monkeypatch):
    """Whether the frames may be pictures in planes. Without planes there is no PyAV either."""
    if request.param:
        pytest.importorskip("av")
        needs_kernels()
    else:
        monkeypatch.setattr(pyav, "pyav", lambda: None)
    return request.param
