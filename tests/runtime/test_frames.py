"""Frames in planes: trackers follow a target in them as in the converted frames."""

import cv2
import numpy as np
import pytest

from runtime import geometry
from runtime.frames import PlanarFrame, bgr_of, pixels_of
from tests.support import tiny
from tests.support.pictures_in_planes import noise_in, planes_of

KINDS = ("I420", "NV12", "YUYV", "UYVY", "BGRx")


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_is_converted_once_and_only_when_somebody_asks(kind):
    picture = noise_in(kind, 64, 48)
    frame = PlanarFrame(picture)
    assert frame.shape == (48, 64, 3) and pixels_of(frame) is picture
    before = frame.nbytes
    assert bgr_of(frame) is bgr_of(frame)
    assert before == frame.nbytes == picture.nbytes + bgr_of(frame).nbytes
    codes = {"NV12": cv2.COLOR_YUV2BGR_NV12, "I420": cv2.COLOR_YUV2BGR_I420}
    if kind in codes:
        packed = np.concatenate([plane.ravel() for plane in picture.planes]).reshape(72, 64)
        np.testing.assert_array_equal(bgr_of(frame), cv2.cvtColor(packed, codes[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_tracker_finds_the_same_boxes_in_planes_as_in_the_converted_frames(tmp_path, kind):
    pytest.importorskip("onnxruntime")
    from runtime import load_tracker

    toml = tiny.write_network(tmp_path)
    film, boxes = tiny.film(12)
    frames = [PlanarFrame(planes_of(picture, kind)) for picture in film]
    found = []
    for clip in (frames, [frame.bgr() for frame in frames]):
        tracker = load_tracker(toml, engine="onnxruntime", networks_dir=tmp_path)
        tracker.init(clip[0], boxes[0])
        found.append([tracker.update(frame).box for frame in clip[1:]])
        tracker.close()
    # the border's colour, the mean of a frame, is rounded otherwise
    np.testing.assert_allclose(found[0], found[1], atol=0.05)
    assert np.abs(np.diff(found[0], axis=0)).max() > 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_border_of_planes_is_within_one_of_the_converted_frame(kind):
    class Network:
        border = "mean_rounded"

    picture = tiny.film(1)[0][0]
    frame = PlanarFrame(planes_of(picture, kind))
    colours = [geometry.border_colour(Network, one).astype(int) for one in (frame, bgr_of(frame))]
    assert np.abs(colours[0] - colours[1]).max() <= 1
