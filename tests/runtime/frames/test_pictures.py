"""Frames in planes: trackers follow a target in them as in the converted frames."""

import pickle
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hotpath.runtime import load_tracker
from hotpath.runtime.frames import geometry, jpeg_frames
from hotpath.runtime.frames.camera_frames import PlanarFrame
from hotpath.runtime.frames.jpeg_frames import JpegFrame, jpeg_shape
from hotpath.runtime.frames.pictures import bgr_of, every_pixel
from hotpath.video.folder import read_picture
from tests.support import tiny
from tests.support.pictures_in_planes import noise_in, planes_of

KINDS = ("I420", "NV12", "YUYV", "UYVY", "BGRx")


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_is_converted_once_and_only_when_somebody_asks(kind):
    picture = noise_in(kind, 64, 48)
    frame = PlanarFrame(picture)
    assert frame.shape == (48, 64, 3) and frame.pixels() is picture
    before = frame.nbytes
    assert bgr_of(frame) is bgr_of(frame)
    with pytest.raises(TypeError, match=r"give frame.bgr\(\).copy\(\) to another process"):
        pickle.dumps(frame)
    assert before == frame.nbytes == picture.nbytes + bgr_of(frame).nbytes
    codes = {"NV12": cv2.COLOR_YUV2BGR_NV12, "I420": cv2.COLOR_YUV2BGR_I420}
    if kind in codes:
        packed = np.concatenate([plane.ravel() for plane in picture.planes]).reshape(72, 64)
        np.testing.assert_array_equal(bgr_of(frame), cv2.cvtColor(packed, codes[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_in_planes_are_those_in_converted_frames(tmp_path, kind):
    toml = tiny.write_network(tmp_path)
    film, boxes = tiny.film(12)
    frames = [PlanarFrame(planes_of(picture, kind)) for picture in film]
    clips = frames, [frame.bgr() for frame in frames]
    found = [tiny.boxes_of(load_tracker(toml), clip, boxes) for clip in clips]
    # the border's colour, the mean of a frame, is rounded otherwise
    np.testing.assert_allclose(found[0], found[1], atol=0.05)
    assert np.abs(np.diff(found[0], axis=0)).max() > 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_border_of_planes_is_within_one_of_the_converted(kind):
    network = SimpleNamespace(border="mean_rounded")
    frame = PlanarFrame(planes_of(tiny.film(1)[0][0], kind))
    colours = [geometry.border_colour(network, one).astype(int) for one in (frame, bgr_of(frame))]
    assert np.abs(colours[0] - colours[1]).max() <= 1


@pytest.mark.parametrize("kind", KINDS + ("I422", "GREY"))
@pytest.mark.parametrize("step", [1, 2, 3, 8, 11])
def test_every_nth_pixel_is_that_of_the_converted_frame(kind, step):
    for width, height in ((64, 48), (37, 23)):
        picture = noise_in(kind, width, height)
        found = every_pixel(PlanarFrame(picture), step)
        wanted = bgr_of(PlanarFrame(picture))[step // 2 :: step, step // 2 :: step]
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(every_pixel(bgr_of(PlanarFrame(picture)), step), wanted)


@pytest.mark.parametrize("step", [1, 3, 12])
def test_every_nth_pixel_of_a_jpeg_is_from_a_smaller_picture(whole_decoder, step):
    picture = cv2.GaussianBlur(tiny.film(1, 333, 245)[0][0], (0, 0), 5)
    found = every_pixel(JpegFrame(jpeg(picture)), step)
    wanted = picture[step // 2 :: step, step // 2 :: step]
    assert found.shape == wanted.shape
    assert cv2.absdiff(found, np.ascontiguousarray(wanted)).mean() < 5.0


def jpeg(picture, quality=95):
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].reshape(-1)


@pytest.fixture(params=["simplejpeg", "opencv"])
def whole_decoder(request, monkeypatch):
    """Both decoders of whole files, one after another."""
    if request.param == "opencv":
        monkeypatch.setattr(jpeg_frames, "simplejpeg", None)
    else:
        pytest.importorskip("simplejpeg")


@pytest.mark.parametrize("size", [(320, 240), (321, 243), (64, 40)])
@pytest.mark.parametrize("ratio, scale", [(0.3, 1), (1.9, 1), (2.0, 2), (5.0, 4), (99.0, 8)])
def test_a_jpeg_is_decoded_at_the_scale_that_is_needed(whole_decoder, size, ratio, scale):
    picture = cv2.GaussianBlur(tiny.film(1, *size)[0][0], (0, 0), 3)
    frame = JpegFrame(jpeg(picture))
    assert frame.shape == picture.shape
    pixels, found = frame.part((0, 0, *size), ratio)
    assert found == scale
    assert pixels.shape[:2] == (-(-size[1] // scale), -(-size[0] // scale))
    wanted = cv2.resize(picture, pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert cv2.absdiff(pixels, wanted).mean() < 2.0


def with_exif(data, orientation, order="little"):
    """A JPEG with EXIF's orientation, after an entry of another kind."""
    mark = {"little": b"II", "big": b"MM"}[order]
    tiff = mark + (42).to_bytes(2, order) + (8).to_bytes(4, order) + (2).to_bytes(2, order)
    for tag, value in ((0x0100, 99), (0x0112, orientation)):
        tiff += tag.to_bytes(2, order) + (3).to_bytes(2, order) + (1).to_bytes(4, order)
        tiff += value.to_bytes(2, order) + bytes(2)
    segment = b"Exif\0\0" + tiff + bytes(4)
    head = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
    return np.frombuffer(data[:2].tobytes() + head + data[2:].tobytes(), np.uint8)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("orientation", range(10))
def test_a_jpeg_that_its_exif_turns_is_upright_everywhere(
    whole_decoder, tmp_path, orientation, order
):
    picture = cv2.GaussianBlur(tiny.film(1, 320, 240)[0][0], (0, 0), 3)
    data = with_exif(jpeg(picture), orientation, order)
    (tmp_path / "a.jpg").write_bytes(data.tobytes())
    still, frame = read_picture(str(tmp_path / "a.jpg")), JpegFrame(data)
    assert frame.shape == jpeg_shape(data) == still.shape
    assert (frame.shape[0] > frame.shape[1]) == (5 <= orientation <= 8)
    assert cv2.absdiff(frame.bgr(), still).mean() < 1.0
    frame = JpegFrame(data)
    for _ in range(2):
        pixels, scale = frame.part((0, 0, *still.shape[1::-1]), 2.0)
        wanted = cv2.resize(still, pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert cv2.absdiff(pixels, wanted).mean() < 2.0


def test_a_whole_frame_that_is_there_is_used_at_every_scale():
    frame = JpegFrame(jpeg(tiny.film(1)[0][0]))
    assert frame.part((0, 0, 320, 240), 8.0)[0] is not bgr_of(frame)
    assert frame.part((0, 0, 320, 240), 8.0) == (bgr_of(frame), 1)


def test_a_kind_of_jpeg_for_other_decoders_is_decoded_whole():
    picture = cv2.GaussianBlur(tiny.film(1)[0][0], (0, 0), 3)
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].reshape(-1)
    pixels, scale = JpegFrame(data).part((10, 10, 50, 50), 1.0)
    assert scale == 1 and cv2.absdiff(pixels, picture).mean() < 4.0


@pytest.mark.parametrize("length", [0, 1, 20, 500, -2])
def test_a_jpeg_that_is_cut_off_is_refused(length):
    data = jpeg(tiny.film(1)[0][0])
    with pytest.raises(ValueError, match="JPEG"):
        JpegFrame(data[:length])


def test_data_that_are_damaged_are_noticed():
    pytest.importorskip("simplejpeg")
    data = jpeg(tiny.film(1)[0][0])
    whole, early = JpegFrame(data), JpegFrame(np.r_[data[: len(data) // 2], data[-2:]])
    assert not whole.ends_early() and early.ends_early() and early.bgr().shape == whole.shape


def test_a_damaged_jpeg_is_still_a_picture(whole_decoder):
    data = jpeg(tiny.film(1)[0][0])
    data[len(data) // 2 : len(data) // 2 + 40] = 255
    assert bgr_of(JpegFrame(data)).shape == (240, 320, 3)
    assert JpegFrame(data).part((0, 0, 320, 240), 1.0)[0].shape == (240, 320, 3)


@pytest.mark.parametrize("side", [60, 160])  # at full scale, and reduced
def test_boxes_of_reduced_frames_are_those_of_the_whole_frame(tmp_path, side):
    toml = tiny.write_network(tmp_path)
    film, boxes = tiny.film(20, width=1280, height=960, side=side)
    clips = [[JpegFrame(jpeg(picture)) for picture in film]]
    clips.append([JpegFrame(jpeg(picture)).bgr() for picture in film])
    found = [tiny.boxes_of(load_tracker(toml), clip, boxes) for clip in clips]
    assert np.median(np.abs(found[0] - found[1])) < 0.5


def test_a_jpeg_says_how_long_it_was_decoded():
    frame = JpegFrame(jpeg(tiny.film(1)[0][0]))
    assert frame.decode_ms == 0.0  # not before somebody looks
    frame.part((10, 10, 50, 50), 2.0)
    reduced_ms = frame.decode_ms
    assert reduced_ms > 0.0
    bgr_of(frame)
    assert frame.decode_ms > reduced_ms
