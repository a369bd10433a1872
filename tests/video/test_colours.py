"""Films with colours that FFmpeg does not convert are read; no frame is larger than the limit."""

import subprocess
import sys

import numpy as np
import pytest

from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video import pyav_capture
from hotpath.video.sources import open_source
from tests.support import ROOT, malformed

av = pytest.importorskip("av")
from tests.support.streams.films import even, write  # noqa: E402

COUNT = 6
READ = """
import sys
from hotpath.video.sources import open_source
with open_source("-", planes=True) as source:
    print(len(list(source)))
"""


MATRICES = [
    *(("libx264", 8), ("libx264", 15), ("libx265", 14), ("ffv1", 10), ("ffv1", 13)),
    *(("ffv1", 11), ("ffv1", 12), ("ffv1", 17)),
]


@pytest.mark.parametrize("codec, matrix", MATRICES)
@pytest.mark.parametrize("planes", [False, True])
def test_a_matrix_that_ffmpeg_does_not_convert_is_read_as_another(tmp_path, codec, matrix, planes):
    path, plain = tmp_path / "a.mkv", write(tmp_path / "plain.mkv", even(COUNT), codec)
    write(path, even(COUNT), codec, colorspace=matrix)
    with open_source(str(path), planes=planes) as source, open_source(plain) as other:
        for _ in range(COUNT):
            frame, wanted = bgr_of(source.read()), bgr_of(other.read())
            assert frame.shape == wanted.shape
            assert np.abs(frame.mean() - wanted.mean()) < 20  # the brightness is that of Y
        assert source.read() is None and source.skipped == 0
    with open(str(path), "rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", READ], stdin=file, stdout=subprocess.PIPE, cwd=str(ROOT)
        )
    assert done.stdout.split() == [str(COUNT).encode()]


def test_a_frame_that_can_not_be_converted_is_a_damaged_one(tmp_path, monkeypatch):
    path, upright = write(tmp_path / "a.mp4", even(COUNT)), pyav_capture.upright
    calls = []

    def refusing(*args):
        calls.append(args)
        if len(calls) == 3:
            raise OSError(95, "Operation not supported")
        return upright(*args)

    monkeypatch.setattr(pyav_capture, "upright", refusing)
    with open_source(path) as source:
        assert (len(list(source)), source.skipped) == (COUNT - 1, 1)


@pytest.mark.parametrize("at", [1, 4])
@pytest.mark.parametrize("form", ["avi", "mov", "nut"])
def test_a_frame_above_the_limit_is_skipped(tmp_path, form, at):
    packets = [malformed.png(32, 24, rows=24)] * 6
    packets[at] = malformed.png(16000, 12000, rows=1)
    path = tmp_path / "a.avi"
    path.write_bytes(malformed.film(packets, form))
    with open_source(str(path)) as source:
        assert len(list(source)) == 5 and source.skipped
