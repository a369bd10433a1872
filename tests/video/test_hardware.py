"""Hardware decoders: used where they work, else the processor decodes and a sentence says so."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.runtime.pictures import bgr_of
from hotpath.video import base, hardware, pyav
from hotpath.video.save import Video
from hotpath.video.sources import open_source
from tests.support import tiny
from tests.support.needs import why_no_kernels
from tests.video.test_sources import read_all

av = pytest.importorskip("av")
pytestmark = pytest.mark.skipif(bool(why_no_kernels()), reason=why_no_kernels())

FRAMES = 40


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A short H.264 film with frames that are sent out of order."""
    path = str(tmp_path_factory.mktemp("film") / "film.mp4")
    with Video(path, 25.0) as video:
        for picture in tiny.film(FRAMES)[0]:
            video.write(picture)
    return path


def frames_of(path, decoder):
    """(all frames as BGR, lines that were logged)."""
    lines = []
    frames = read_all(open_source(path, lines.append, planes=True, decoder=decoder))
    return np.stack([bgr_of(frame) for frame in frames]), lines


@pytest.mark.parametrize("decoder", hardware.DECODERS[1:])
def test_the_frames_are_the_same_with_every_decoder_or_without(film, decoder):
    wanted, silence = frames_of(film, hardware.SOFTWARE)
    assert silence == [] and len(wanted) == FRAMES
    found, lines = frames_of(film, decoder)
    np.testing.assert_array_equal(found, wanted)
    assert len(lines) == 1 and lines[0].startswith(f"{film}: decoded by ")
    if "decoded by the processor (" in lines[0]:
        names = [decoder] if decoder != hardware.AUTO else hardware.DECODERS[2:]
        reasons = [f"{name}: " for name in names] + ["has no hardware decoder"]
        assert any(reason in lines[0] for reason in reasons)


def test_a_decoder_by_name_goes_to_any_frame(film, monkeypatch):
    monkeypatch.setitem(hardware.BY_NAME, "named", "{}")  # it is the processor's here
    wanted, _ = frames_of(film, hardware.SOFTWARE)
    lines = []
    with open_source(film, lines.append, planes=True, decoder="named") as source:
        assert lines == [f"{film}: decoded by named"]
        for index in (30, 3, 17, 39, 0):
            assert source.seek(index)
            np.testing.assert_array_equal(bgr_of(source.read()), wanted[index])


def test_a_decoder_that_gives_no_frame_is_passed_over(film, monkeypatch):
    monkeypatch.setitem(hardware.BY_NAME, "wrong", "mjpeg")  # does not decode H.264
    found, lines = frames_of(film, "wrong")
    assert len(found) == FRAMES
    assert lines == [f"{film}: decoded by the processor (wrong: decodes no frame)"]


def test_without_pyav_opencv_decodes_and_says_so(film, monkeypatch):
    monkeypatch.setattr(pyav, "pyav", lambda: None)
    found, lines = frames_of(film, hardware.AUTO)
    assert len(found) == FRAMES
    assert len(lines) == 1 and f"{film}: OpenCV" in lines[0] and "PyAV" in lines[0]


def test_why_a_decoder_fails_is_told_without_the_password_of_the_address():
    told = []
    note = "decoded by the processor (cuda: [Errno 5]: 'rtsp://me:secret@host/a')"
    base.tell_decoder(SimpleNamespace(name="host", log=told.append), SimpleNamespace(note=note))
    assert told == ["host: " + note.replace("secret", "***")]
