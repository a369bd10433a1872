"""Encoded video in a bag is decoded: each frame has the header of its own message."""

import sys
from fractions import Fraction

import numpy as np
import pytest

from hotpath.runtime.errors import BadSource
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video.sources import open_source
from hotpath_bridges import ros, ros_video

rosbags = pytest.importorskip("rosbags.rosbag2")
av = pytest.importorskip("av")
from rosbags.typesys import get_types_from_msg  # noqa: E402

from bridges_tests.fake_ros import STORE  # noqa: E402
from bridges_tests.test_ros import header, image, theirs  # noqa: E402
from tests.support.errors import refusal  # noqa: E402

COUNT, WIDTH, HEIGHT = 24, 96, 64
GAP = 12  # frames from key frame to key frame
STEP = 8  # of the brightness from frame to frame
for kind, definition in ros_video.DEFINITIONS.items():
    STORE.register(get_types_from_msg(definition, kind))


def encoded(encoder, **options):
    """(number of the frame, bytes) of each packet, in their order, of a film that gets brighter."""
    context = av.CodecContext.create(encoder, "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.gop_size, context.options = Fraction(1, 10), GAP, options
    packets = []
    for number in range(COUNT):
        picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        picture[:HEIGHT] = 24 + STEP * number
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = number
        packets += context.encode(frame)
    return [(packet.pts, bytes(packet)) for packet in packets + context.encode(None)]


def stamp_s(number):
    return 5 + number / 8


def message(kind, name, number, data):
    data, head = np.frombuffer(data, np.uint8), header(stamp_s(number))
    if kind == ros_video.FOXGLOVE:
        fields = dict(timestamp=head.stamp, frame_id="camera", format=name)
    elif kind == ros_video.FFMPEG:
        fields = dict(pts=7, flags=0, is_bigendian=False, width=WIDTH, height=HEIGHT)
        fields.update(header=head, encoding=name)
    elif kind == ros.COMPRESSED:
        fields = dict(header=head, format=name)
    else:
        fields = dict(header=head, height=HEIGHT, width=WIDTH, encoding=name, is_bigendian=0)
        fields.update(step=len(data))
    return theirs(kind, data=data, **fields)


def write(path, kind, name, packets, plugin="MCAP"):
    """A bag of the packets."""
    storage = rosbags.StoragePlugin[plugin]
    with rosbags.Writer(path, version=9, storage_plugin=storage) as writer:
        topic = writer.add_connection("/front", kind, typestore=STORE)
        for index, (number, data) in enumerate(packets):
            cdr = STORE.serialize_cdr(message(kind, name, number, data), kind)
            writer.write(topic, (8 + index) * 125000000, cdr)
    return str(path)


def frames_of(path, **how):
    """((number that the header tells, that the picture shows, time) of each frame, the source)."""
    found = []
    with open_source(path, **how) as source:
        for frame in source:
            told = (ros.seconds_of(source.header) - stamp_s(0)) * 8
            shown = (np.median(bgr_of(frame)) * 219 / 255 + 16 - 24) / STEP
            found.append((round(told), round(shown), source.time_s))
    return found, source


ROWS = {
    "H.264 with B-frames": (ros_video.FFMPEG, "libx264", "libx264", dict(bf="3")),
    "HEVC of a graphics card": (ros_video.FFMPEG, "hevc_nvenc;yuv420p;bgr8;bgr8", "libx265", {}),
    "H.264 of foxglove": (ros_video.FOXGLOVE, "h264", "libx264", dict(tune="zerolatency")),
    "H.265 of foxglove": (ros_video.FOXGLOVE, "h265", "libx265", dict(tune="zerolatency")),
    "AV1": (ros_video.FOXGLOVE, "av1", "libsvtav1", {}),
    "VP9": (ros_video.FOXGLOVE, "vp9", "libvpx-vp9", {}),
    "VP8": (ros_video.FFMPEG, "vp8", "libvpx", {}),
    "an Image": (ros.IMAGE, "hevc", "libx265", {}),
    "a CompressedImage": (ros.COMPRESSED, "h264", "libx264", dict(bf="2")),
}


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("row", sorted(ROWS))
def test_each_frame_of_a_video_has_its_own_header(tmp_path, row, planes):
    kind, name, encoder, options = ROWS[row]
    path = write(tmp_path / "bag", kind, name, encoded(encoder, **options))
    found, source = frames_of(path, planes=planes)
    assert [each[:2] for each in found] == [(n, n) for n in range(COUNT)]
    np.testing.assert_allclose([each[2] for each in found], np.arange(COUNT) / 8, atol=1e-6)
    assert source.header.frame_id == "camera" and (source.errors, source.skipped) == (0, 0)


@pytest.mark.parametrize("kind", sorted(ros_video.DEFINITIONS))
def test_a_bag_that_does_not_define_its_messages_is_read(tmp_path, kind):
    """As the bags of ROS Humble and before."""
    path = write(tmp_path / "bag", kind, "h264", encoded("libx264"), "SQLITE3")
    (file,) = (tmp_path / "bag").glob("*.db3")
    import sqlite3

    with sqlite3.connect(str(file)) as database:
        database.execute("DELETE FROM message_definitions")
    database.close()
    assert len(frames_of(path)[0]) == COUNT


@pytest.mark.parametrize("kind", sorted(ros_video.DEFINITIONS))
def test_frames_before_the_first_key_frame_are_skipped_and_counted(tmp_path, kind):
    packets = encoded("libx264", bf="0", preset="ultrafast")[1:]
    found, source = frames_of(write(tmp_path / "bag", kind, "h264", packets))
    assert [each[:2] for each in found] == [(n, n) for n in range(GAP, COUNT)]
    assert source.skipped == GAP - 1


def test_a_damaged_packet_costs_no_other_frame_and_is_counted(tmp_path):
    packets = encoded("libx264", bf="0")
    packets[5] = 5, packets[5][1][:3] + bytes(9)
    path = write(tmp_path / "bag", ros_video.FOXGLOVE, "h264", packets)
    found, source = frames_of(path)
    assert {n for n in range(COUNT) if n != 5} <= {each[0] for each in found}
    assert source.skipped + source.errors >= 1
    assert [each[:2] for each in found if each[0] >= GAP] == [(n, n) for n in range(GAP, COUNT)]


@pytest.mark.parametrize("data", [b"", bytes(999), b"\xff\xd8\xff\xe0 no H.264"])
def test_a_message_without_video_is_skipped_and_the_others_are_read(tmp_path, data):
    packets = encoded("libx264", bf="0")
    packets.insert(GAP, (GAP, data))
    path = write(tmp_path / "bag", ros_video.FOXGLOVE, "h264", packets)
    found, source = frames_of(path)
    assert [each[1] for each in found] == list(range(COUNT)) and source.skipped == 1


def test_packets_without_any_key_frame_are_refused(tmp_path):
    packets = encoded("libx264", bf="0")[1:GAP]
    path = write(tmp_path / "bag", ros_video.FOXGLOVE, "h264", packets)
    with refusal(BadSource, "not a video") as caught, open_source(path) as source:
        source.read()
    assert "11 packets" in str(caught.value) and "key frame" in str(caught.value)


def test_a_large_frame_of_a_video_is_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setitem(ros_video.DECODER_LIMITS, "max_pixels", str(WIDTH * HEIGHT - 1))
    path = write(tmp_path / "bag", ros_video.FOXGLOVE, "h264", encoded("libx264"))
    with refusal(BadSource, "not a video"), open_source(path) as source:
        source.read()
    wide = message(ros_video.FFMPEG, "h264", 0, b"abc")
    wide.width = wide.height = 60000
    with refusal(BadSource, "too large"):
        ros_video.packet_in(ros_video.FFMPEG, wide)


@pytest.mark.parametrize("kind", sorted(ros_video.DEFINITIONS))
def test_video_of_an_unknown_codec_is_named_and_no_damage(tmp_path, kind):
    path = write(tmp_path / "bag", kind, "theora", [(0, b"abc")])
    with pytest.raises(BadSource, match="video of ROS in 'theora' .*republish") as caught:
        with open_source(path) as source:
            source.read()
    assert "damaged" not in str(caught.value)


def test_without_pyav_the_sentence_says_what_decodes(tmp_path, monkeypatch):
    path = write(tmp_path / "bag", ros_video.FFMPEG, "h264", encoded("libx264"))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(BadSource, match="FFMPEGPacket.* av.*republish"):
        with open_source(path) as source:
            source.read()


def test_a_pyav_without_the_decoder_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "bag", ros_video.FOXGLOVE, "h264", encoded("libx264"))
    monkeypatch.setitem(ros_video.CODECS, "264", "libmissing")
    with refusal(BadSource, "broke off") as caught, open_source(path) as source:
        source.read()
    assert "this PyAV has no decoder libmissing" in str(caught.value)


def test_a_bag_of_pictures_needs_no_pyav(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with rosbags.Writer(
        tmp_path / "bag", version=9, storage_plugin=rosbags.StoragePlugin.MCAP
    ) as writer:
        topic = writer.add_connection("/a", ros.IMAGE, typestore=STORE)
        writer.write(topic, 10**9, image("bgr8", np.zeros((6, 10, 3), np.uint8), 10))
    assert len(frames_of(str(tmp_path / "bag"))[0]) == 1
