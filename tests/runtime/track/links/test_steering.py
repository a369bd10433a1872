"""What may steer something: fresh evidence of a live source alone."""

import argparse
import io
import math

import cv2
import numpy as np
import pytest

from hotpath.runtime.errors import BadOutput
from hotpath.runtime.pictures import JpegFrame, PlanarFrame
from hotpath.runtime.track.links import steering
from hotpath.runtime.track.links.steering import Contents, Evidence, Ramp, missing
from hotpath.runtime.types import Box, Track
from tests.support.needs import needs_kernels
from tests.support.pictures_in_planes import planes_of

TRACK = Track(Box(100, 80, 40, 30), 0.9)
RNG = np.random.RandomState(1)
NOISE = RNG.randint(0, 256, (240, 320, 3)).astype(np.uint8)
SCENE = cv2.normalize(cv2.GaussianBlur(NOISE, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)


def jpeg(picture, quality=90):
    needs_kernels()  # without them a codec's noise is taken for a change
    return JpegFrame(cv2.imencode(".jpg", picture, [1, quality])[1].reshape(-1))


KINDS = {
    "BGR": lambda picture: picture,
    "NV12": lambda picture: PlanarFrame(planes_of(picture, "NV12")),
    "YUYV": lambda picture: PlanarFrame(planes_of(picture, "YUYV")),
    "BGRx": lambda picture: PlanarFrame(planes_of(picture, "BGRx")),
    "JPEG": jpeg,
}


def changes(pictures, boxes=None):
    """In which of the pictures, one a second, something changed around the target."""
    contents = Contents()
    tracks = [TRACK._replace(box=Box(*box)) for box in boxes or [TRACK.box] * len(pictures)]
    return [
        at
        for at, (picture, track) in enumerate(zip(pictures, tracks))
        if contents.add(picture, track, float(at)) == at
    ]


def moved(x, y=0, picture=SCENE):
    return np.roll(picture, (y, x), (0, 1))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_picture_that_moves_changes_and_one_that_is_repeated_does_not(kind):
    made = KINDS[kind]
    assert changes([made(moved(2 * n)) for n in range(5)]) == [1, 2, 3, 4]
    assert changes([made(SCENE.copy()) for _ in range(5)]) == []
    assert changes([made(moved(0)), made(moved(9)), made(moved(9)), made(moved(12))]) == [1, 3]


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("length", [2, 3, 40])
def test_a_ring_of_old_pictures_changes_only_in_its_first_round(kind, length):
    ring = [KINDS[kind](moved(4 * n)) for n in range(length)]
    assert changes(ring * 3) == list(range(1, length))


def grainy(picture, levels):
    return np.clip(picture + RNG.normal(0, levels, picture.shape), 0, 255).astype(np.uint8)


def test_the_noise_of_a_sensor_that_lasts_is_a_change_and_that_of_a_codec_is_none():
    assert changes([grainy(SCENE, 2.5) for _ in range(8)]) == [5, 6, 7]
    assert changes([grainy(SCENE, 1) for _ in range(8)]) == []
    assert changes([jpeg(SCENE, quality) for quality in (95, 60, 40, 70, 50, 30)]) == []


@pytest.mark.parametrize("length", [2, 5, 30])
def test_a_ring_of_old_pictures_that_are_encoded_anew_changes_only_in_its_first_round(length):
    ring = [moved(4 * n) for n in range(length)]
    anew = [jpeg(grainy(picture, 1), 70 + n % 20) for n, picture in enumerate(ring * 4)]
    assert changes(anew) == list(range(1, length))
    boxes = [(100 if n % 3 else math.nan, 80, 40, 30) for n in range(len(anew))]  # in between none
    assert max(changes(anew, boxes)) < 2 * length + 3


def test_a_camera_that_hangs_before_its_encoder_changes_nothing():
    av = pytest.importorskip("av")
    if "libx264" not in av.codecs_available:
        pytest.skip("this PyAV has no libx264")
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as file:
        stream = file.add_stream("libx264", 25, width=320, height=240, pix_fmt="yuv420p")
        stream.bit_rate, stream.gop_size = 800000, 12
        stream.options = {
            "tune": "zerolatency",
            "x264-params": "threads=1:vbv-maxrate=800:vbv-bufsize=400",
        }
        for n in range(150):
            frame = av.VideoFrame.from_ndarray(moved(2 * min(n, 50)), format="bgr24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    out.seek(0)
    found = changes([each.to_ndarray(format="bgr24") for each in av.open(out).decode(video=0)])
    assert set(range(2, 50)) <= set(found) and sum(n > 60 for n in found) < 3


@pytest.mark.parametrize("place", [(220, 230), (90, 85)])  # in a corner, over the target
def test_a_clock_and_a_box_that_creeps_over_a_frozen_picture_change_nothing(place):
    with_clock = []
    for n in range(8):
        with_clock.append(SCENE.copy())
        cv2.putText(with_clock[-1], f"12:00:0{n}", place, 0, 0.4, (255,) * 3, 1)
    assert changes(with_clock) == []
    assert changes([SCENE] * 60, [(100 + 3 * n, 80 + n, 40, 30) for n in range(60)]) == []


def test_motion_that_is_too_slow_for_two_frames_adds_up():
    shifts = [np.float64([[1, 0, n / 40], [0, 1, 0]]) for n in range(200)]
    found = changes([cv2.warpAffine(SCENE, shift, (320, 240)) for shift in shifts])
    assert 3 < len(found) < 150 and np.diff(found).max() < 60


def test_a_target_that_is_found_elsewhere_is_looked_at_there():
    elsewhere = [SCENE.copy() for _ in range(5)]
    for n in range(2, 5):
        cv2.circle(elsewhere[n], (250 + 4 * n, 40), 12, (0, 0, 255), -1)
    boxes = [TRACK.box, TRACK.box] + [(238 + 4 * n, 28, 24, 24) for n in range(2, 5)]
    assert changes(elsewhere, boxes) == [3, 4]


def test_a_change_in_the_future_does_not_wait_for_its_time():
    contents = Contents()
    for n in range(3):
        contents.add(moved(9 * n), TRACK, 10.0 + n)
    assert contents.add(moved(18), TRACK, 3.0) == steering.NEVER_S


def test_a_size_that_flips_tiny_frames_and_black_ones_change_nothing():
    small = cv2.resize(SCENE, (160, 120))
    assert changes([SCENE, small] * 5) == []
    assert changes([np.full((1, 1, 3), n, np.uint8) for n in (1, 1, 1)]) == []
    assert changes([np.zeros((240, 320, 3), np.uint8)] * 5) == []
    assert changes([np.full((240, 320, 3), 9 * n, np.uint8) for n in range(5)]) == []  # blank
    nowhere = (math.nan,) * 4
    assert changes([moved(3 * n) for n in range(4)], [nowhere] * 4) == []


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (None, "no target"),
        (Evidence(None, 10.0, 10.0), "no target"),
        (Evidence(TRACK, 9.6, 9.6), None),
        (Evidence(TRACK, 9.4, 9.4), "no new picture"),
        (Evidence(TRACK, 10.1, 9.9), "no new picture"),  # of a clock that jumped
        (Evidence(TRACK, -math.inf, 9.9), "no new picture"),
        (Evidence(TRACK, math.nan, 9.9), "no new picture"),
        (Evidence(TRACK, 9.9, 9.4), "the picture stands still"),
        (Evidence(TRACK, 9.9, 99.0), "the picture stands still"),
        (Evidence(TRACK, 9.9, steering.NEVER_S), "the picture stands still"),
        (Evidence(TRACK._replace(state="unsure"), 9.9, 9.9), "the target is unsure"),
        (Evidence(TRACK._replace(state="lost", lost=True), 9.9, 9.9), "the target is lost"),
        (Evidence(TRACK._replace(box=Box(1, math.nan, 2, 2)), 9.9, 9.9), "the box is not a number"),
    ],
)
def test_evidence_is_a_fresh_changed_picture_with_a_tracked_target(seen, why):
    assert missing(seen, 10.0) == why


def test_without_evidence_a_command_falls_to_zero_in_time_and_the_reason_is_told():
    told, holds = [], {}
    ramp = Ramp("gimbal", 2, told.append, holds)
    wish = 1.0, -2.0
    assert ramp.command(0.0, "no target", lambda: wish) == (0.0, 0.0)
    assert ramp.command(1.0, None, lambda: wish) == wish and holds == {}
    values = [ramp.command(1.0 + n / 20, "the target is lost", lambda: wish) for n in range(11)]
    assert values[0] == wish and values[3] == pytest.approx((0.5, -1.0))
    assert values[6:] == [(0.0, 0.0)] * 5
    assert holds == {"gimbal": "the target is lost"}
    assert told == ["gimbal holds: the target is lost"]
    assert ramp.command(1.6, None, lambda: wish) == wish and holds == {}
    # a flicker is not told, and a clock that goes back does not keep the speed
    assert ramp.command(1.6, "the target is unsure", lambda: wish) == wish
    assert ramp.command(0.5, "the target is unsure", lambda: wish) == (0.0, 0.0)


def test_a_run_that_slept_does_not_begin_to_ramp_when_it_wakes():
    ramp = Ramp("gimbal", 1, lambda text: None)
    assert ramp.command(1.0, None, lambda: (1.0,)) == (1.0,)
    assert ramp.command(21.0, "no new picture", lambda: (1.0,)) == (0.0,)
    assert ramp.command(1.1, "no new picture", lambda: (1.0,)) == (0.0,)  # the clock went back


def options(**given):
    return argparse.Namespace(**dict(dict(gimbal=None, gimbal_recording=False), **given))


@pytest.mark.parametrize("what", [dict(gimbal=""), dict(gimbal="onvif://host")])
def test_recordings_and_networks_that_never_lose_steer_nothing(what):
    steering.check(options(), False, False, "x")  # nothing steers
    steering.check(options(**what), True, True, "x")
    steering.check(options(gimbal_recording=True, **what), False, True, "x")
    with pytest.raises(BadOutput, match="a recording shows nothing .* where a simulator flies"):
        steering.check(options(**what), False, True, "x")
    with pytest.raises(BadOutput, match="the network lightfc has no lost_below"):
        steering.check(options(**what), True, False, "lightfc")
