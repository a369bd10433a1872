"""Hardware decoders: the frames of software, and one sentence where they are missing or fail.

No test runs on such hardware. Stand-ins take its place: a decoder of software that gives pictures
as hardware does, in NV12, and GStreamer's elements that do the same.
"""

import io
import shlex
import shutil
import subprocess
from fractions import Fraction
from unittest.mock import Mock

import cv2
import numpy as np
import pytest

from hotpath import boards
from hotpath.app.track_command import main
from hotpath.runtime.errors import BadSource
from hotpath.video import cameras, gstreamer, hardware
from hotpath.video.save import Video
from hotpath.video.sources import open_source
from tests.support.errors import refusal
from tests.support.streams import scene

av = pytest.importorskip("av")
from tests.support.streams.films import even, write  # noqa: E402

COUNT = 130
AFTER = 100  # frames, a stand-in fails


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film with B-frames, so that frames come in another order than packets."""
    return make(tmp_path_factory.mktemp("hardware") / "film.mp4")


def make(path, codec="libx264", kind="yuv420p"):
    return write(path, even(COUNT, 25), codec, base=Fraction(1, 25), pix_fmt=kind)


def read(path, decoder, planes=True, seek=None):
    """(BGR arrays, times, what was said) of a film."""
    messages, frames, times = [], [], []
    with open_source(path, messages.append, planes=planes, decoder=decoder) as source:
        if seek is not None:
            source.seek(seek)
        for frame in source:
            frames.append(np.array(frame))
            times.append(source.time_s)
        assert not source.errors and not source.skipped
    return frames, times, messages


def assert_same(got, wanted):
    assert len(got[0]) == len(wanted[0]) == COUNT and got[1] == wanted[1]
    for one, other in zip(got[0], wanted[0]):
        np.testing.assert_array_equal(one, other)


class StandIn:
    """PyAV's context of ``h264_v4l2m2m``: software, whose pictures are NV12."""

    frames = 0

    def __init__(self, most):
        self._most = most

    def create(self, _, stream, codec):
        assert codec == "h264_v4l2m2m"
        self._context = av.CodecContext.create("h264", "r")
        self._context.extradata = stream.codec_context.extradata
        return self

    def decode(self, packet):
        if self.frames >= self._most:
            raise av.error.InvalidDataError(5, "the device went away")
        frames = [frame.reformat(format="nv12") for frame in self._context.decode(packet)]
        self.frames += len(frames)
        return frames

    def flush_buffers(self):
        self._context.flush_buffers()


@pytest.fixture
def stand_in(monkeypatch):
    def use(most=10**6):
        decoder = StandIn(most)
        monkeypatch.setattr(hardware, "context_of", decoder.create)
        return decoder

    return use


def test_the_frames_of_a_decoder_are_those_of_software(film, stand_in):
    decoder = stand_in()
    got, wanted = read(film, "v4l2m2m"), read(film, "software")
    assert_same(got, wanted)
    assert not got[2] and decoder.frames >= COUNT
    some = read(film, "v4l2m2m", seek=77), read(film, "software", seek=77)
    assert some[0][1] == some[1][1] == wanted[1][77:]
    np.testing.assert_array_equal(some[0][0][0], wanted[0][77])


@pytest.mark.parametrize("most", [0, 1, AFTER])
def test_a_decoder_that_fails_in_the_middle_is_replaced_once(film, stand_in, most):
    decoder = stand_in(most)
    got, wanted = read(film, "v4l2m2m"), read(film, "software")
    assert_same(got, wanted)
    (sentence,) = got[2]
    assert "v4l2m2m failed (" in sentence and sentence.endswith("; decoding in software")
    assert most <= decoder.frames < COUNT


@pytest.mark.parametrize("name", ["cuda", "v4l2m2m", "vaapi", "nvv4l2decoder"])
def test_a_decoder_that_is_not_here_is_said_once(film, name):
    if any(hardware.present([name])) and name != "vaapi":
        pytest.skip(f"this computer shows signs of {name}")
    got = read(film, name)
    assert_same(got, read(film, "software"))
    assert len(got[2]) == 1 and name in got[2][0] and "decoding in software" in got[2][0]


@pytest.mark.parametrize(("codec", "kind"), [("libx264", "yuv444p"), ("mpeg4", "yuv420p")])
def test_what_a_decoder_does_not_take_is_decoded_in_software(tmp_path, codec, kind):
    path = make(tmp_path / "film.mp4", codec, kind)
    got = read(path, "v4l2m2m")
    assert_same(got, read(path, "software"))
    assert len(got[2]) == 1 and "decoding in software" in got[2][0]


def test_a_run_says_so_and_has_the_rows_of_software(film, tmp_path, capsys, stand_in):
    rows = []
    for name in ("v4l2m2m", "software"):
        stand_in(AFTER)
        out = str(tmp_path / f"{name}.csv")
        given = ["--video", film, "--box", "100,80,60,50", "--network", "kestrel_small"]
        assert main([*given, "--results", out, "--no-show", "--decoder", name]) == 0
        rows.append(open(out).read())
        assert ("; decoding in software" in capsys.readouterr().err) == (name == "v4l2m2m")
    assert rows[0] == rows[1] and rows[0].count("\n") > COUNT


def test_an_unknown_decoder_is_refused(film):
    with refusal(BadSource, "unknown decoder"):
        open_source(film, decoder="nvdec")


def test_a_computer_shows_what_it_has(tmp_path):
    root = str(tmp_path)
    assert list(hardware.present(["cuda", "qsv", "v4l2m2m"], root)) == []
    vendor = tmp_path / "sys/class/drm/renderD128/device/vendor"
    vendor.parent.mkdir(parents=True)
    vendor.write_text("0x1002\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/video10").touch()
    assert list(hardware.present(["cuda", "qsv", "v4l2m2m"], root)) == ["v4l2m2m"]
    vendor.write_text("0x8086\n")
    (tmp_path / "dev/nvidiactl").touch()
    assert list(hardware.present(["cuda", "qsv", "v4l2m2m"], root)) == ["cuda", "qsv", "v4l2m2m"]


class Appsink:
    """OpenCV's capture of a pipeline: it decodes the file that the pipeline names."""

    most, takes_nv12 = 10**6, True

    def __init__(self, pipeline, backend):
        assert backend == cv2.CAP_GSTREAMER
        self._kind = "nv12" if "format=NV12 ! appsink" in pipeline else "bgr24"
        if self._kind == "bgr24":
            assert "format=BGR ! appsink" in pipeline
        path = pipeline.split('uri="udp:')[1].split('"')[0]
        self._container = av.open(path)
        self._frames = self._container.decode(video=0)
        self._frame, self._given = None, 0

    def isOpened(self):
        return self._kind != "nv12" or self.takes_nv12

    def grab(self):
        self._frame = next(self._frames, None)
        self._given += 1
        return self.isOpened() and self._frame is not None and self._given <= self.most

    def retrieve(self):
        return True, self._frame.to_ndarray(format=self._kind)

    def read(self, buffer=None):
        return self.retrieve() if self.grab() else (False, None)

    def get(self, what):
        stream = self._container.streams.video[0]
        return {
            cv2.CAP_PROP_FRAME_WIDTH: stream.width,
            cv2.CAP_PROP_FRAME_HEIGHT: stream.height,
        }[what]

    def release(self):
        self._container.close()


@pytest.fixture
def gstreamer_here(monkeypatch):
    def use(most=10**6, takes_nv12=True):
        made = type("Made", (Appsink,), {"most": most, "takes_nv12": takes_nv12})
        monkeypatch.setattr(gstreamer.cv2, "VideoCapture", made)
        return made

    return use


@pytest.mark.parametrize("kind", [gstreamer.NV12, gstreamer.BGR])
@pytest.mark.parametrize("name", sorted(gstreamer.ELEMENTS))
def test_the_pipelines_are_some_that_gstreamer_can_run(film, tmp_path, name, kind):
    launch, inspect = "gst-launch-1.0", ["gst-inspect-1.0", "--exists", "openh264dec"]
    if not shutil.which(launch) or subprocess.call(inspect):
        pytest.skip("no gst-launch-1.0 with openh264dec")
    path, out = str(tmp_path / 'a "film".mp4'), str(tmp_path / "pixels")
    with open(film, "rb") as whole, open(path, "wb") as other:
        other.write(whole.read())
    quoted = path.replace('"', '\\"')
    text = gstreamer.pipeline("udp:" + path, name, kind)
    text = text.replace(f'udpsrc uri="udp:{quoted}"', f'filesrc location="{quoted}"')
    text = text.replace(f"! {name} !", "! openh264dec ! videoconvert !")
    text = text.replace("nvvidconv", "videoconvert") + f" ! filesink location={out}"
    subprocess.check_call([launch, "-q", *shlex.split(text)])
    pixels, height, width = np.fromfile(out, np.uint8), scene.HEIGHT, scene.WIDTH
    wanted = read(film, "software")[0]
    if kind == gstreamer.BGR:
        got = pixels.reshape(-1, height, width, 3)
        assert len(got) == COUNT and np.abs(got[0].astype(int) - wanted[0]).mean() < 4
    else:
        got = pixels.reshape(-1, height * 3 // 2, width)
        with open_source(film, planes=True, decoder="software") as source:
            luma = source.read().planes.planes[0]
        assert len(got) == COUNT
        np.testing.assert_array_equal(got[0, :height], luma)


def test_a_live_stream_comes_from_the_element_or_falls_back(gstreamer_here, film):
    for takes_nv12 in (True, False):  # OpenCV before 4.5 takes BGR alone
        gstreamer_here(takes_nv12=takes_nv12)
        capture = gstreamer.open_live(f"udp:{film}", "nvv4l2decoder", True)
        frame = capture.read()[1]
        assert frame.shape == (scene.HEIGHT, scene.WIDTH, 3) and capture.isOpened()
        assert isinstance(frame, np.ndarray) != takes_nv12
        capture.release()
    text = gstreamer.pipeline("RTSP://host/t", "nvv4l2decoder", gstreamer.NV12)
    assert text.startswith('rtspsrc location="RTSP://host/t" latency=0 protocols=tcp ! parsebin ! ')
    assert gstreamer.pipeline("udp://:5600", "mppvideodec", gstreamer.BGR).startswith("udpsrc uri=")
    gstreamer_here(most=0)
    assert gstreamer.open_live(f"udp:{film}", "nvv4l2decoder", True) is None


@pytest.mark.parametrize("is_there", [True, False])
def test_a_sender_that_is_away_is_not_the_fault_of_the_element(monkeypatch, is_there):
    said, answers = [], Mock(isOpened=lambda: is_there)
    monkeypatch.setattr(gstreamer, "open_live", lambda *_: None)
    monkeypatch.setattr(cameras, "check_redirects", lambda address: None)
    decoder = hardware.Decoder("nvv4l2decoder", said.append, "camera")
    stream = cameras.NetworkStream("rtsp://host/t", decoder=decoder)
    monkeypatch.setattr(stream, "_by_ffmpeg", lambda left_s: (answers, ""))
    if is_there:
        assert stream.open() is answers
    else:
        with pytest.raises(BadSource):
            stream.open()
    assert decoder.name == ("software" if is_there else "nvv4l2decoder")
    assert len(said) == is_there


def test_bare_rtp_is_not_given_to_an_element(monkeypatch):
    monkeypatch.setattr(gstreamer, "open_live", Mock(side_effect=AssertionError))
    monkeypatch.setattr(cameras.rtp, "sniff_sdp", lambda *_: io.BytesIO())
    stream = cameras.NetworkStream("udp://:5600", decoder=hardware.Decoder("nvv4l2decoder"))
    monkeypatch.setattr(stream, "_by_ffmpeg", lambda left_s: (Mock(), ""))
    assert stream.open().isOpened() and stream.decoder.name == "nvv4l2decoder"


@pytest.fixture
def signs_of_all(monkeypatch):
    """A computer that shows signs of an encoder that it has not."""
    monkeypatch.setattr(hardware, "present", lambda names, root="/": iter(names))
    board = boards.load_board("host")._replace(encoder=("cuda", "v4l2m2m"))
    monkeypatch.setattr(hardware, "board_here", lambda: board)


def test_an_encoder_that_does_not_open_is_replaced_by_software(tmp_path, signs_of_all):
    messages, path = [], str(tmp_path / "a.mp4")
    with Video(path, 25, log=messages.append) as video:
        for tick in range(9):
            video.write(scene.picture_at(tick))
    assert [sentence.split()[0] for sentence in messages] == ["h264_nvenc", "h264_v4l2m2m"]
    assert all(sentence.endswith("; encoding in software") for sentence in messages)
    assert [scene.tick_of(frame) for frame in read(path, "software")[0]] == list(range(9))
    messages.clear()
    with Video(str(tmp_path / "b.mp4"), 25, log=messages.append, encoder="software") as video:
        video.write(scene.picture_at(0))
    assert not messages


def test_an_encoder_of_hardware_gets_a_rate_and_not_the_options_of_x264(
    tmp_path, signs_of_all, monkeypatch
):
    monkeypatch.setitem(hardware.ENCODERS, "cuda", "libx265")  # a stand-in: another encoder opens
    path = str(tmp_path / "a.mp4")
    with Video(path, 25) as video:
        for tick in range(9):
            video.write(scene.picture_at(tick))
    with av.open(path) as container:
        context = container.streams.video[0].codec_context
        assert context.codec.name == "hevc" and len(list(container.decode(video=0))) == 9
