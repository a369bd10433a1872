"""``hotpath gimbal calibrate`` and ``hotpath ptz calibrate`` measure a simulated camera."""

import contextlib
import math
import time

import cv2
import numpy as np
import pytest

pytest.importorskip("pymavlink")

from hotpath.video.sources import WAITING
from hotpath_vehicle import calibrate
from hotpath_vehicle.aim import calibration as calibrations
from vehicle_tests.support.gimbal import GimbalOverUdp
from vehicle_tests.support.onvif_camera import FakeOnvifCamera

slow = pytest.mark.slow("twenty seconds of a real clock")
SIZE = (320, 180)
LATE_S = 0.25
FOCAL = SIZE[0] / 2 / math.tan(math.radians(25.0))  # 50 degrees wide
SCENE = cv2.GaussianBlur(
    np.random.RandomState(1).randint(0, 256, (900, 900, 3), np.uint8), (0, 0), 2
)


class LateStream:
    """A live source whose pictures come late, taken by a camera with the angles of ``pointing``.

    Args:
        pointing: function of (right, up), degrees.
        moves: how far the scene moves by itself, degrees a second.
    """

    live, name = True, "rtsp://u:secret@camera/live"

    def __init__(self, pointing, moves=0.0):
        self._pointing, self._moves, self._waiting, self._next_s = pointing, moves, [], 0.0
        self._began_s = time.monotonic()
        self.captured_s = 0.0

    def read(self, timeout_s):
        time.sleep(0.004)
        now = time.monotonic()
        right, up = self._pointing()
        if now >= self._next_s:
            self._next_s = now + 1 / 30
            x = FOCAL * math.tan(math.radians(right)) + 300
            x += 60 * math.sin(now - self._began_s) * self._moves
            y = 360 - FOCAL * math.tan(math.radians(up))
            shift = np.float64([[1, 0, -x], [0, 1, -y]])
            self._waiting.append((now, cv2.warpAffine(SCENE, shift, SIZE)))
        if not self._waiting or now < self._waiting[0][0] + LATE_S:
            return WAITING
        self.captured_s = now
        return self._waiting.pop(0)[1]


def run(kind, monkeypatch, stream, tmp_path, *words):
    monkeypatch.setattr(calibrate, "open_source", lambda *_, **__: contextlib.nullcontext(stream))
    out = tmp_path / "camera.toml"
    words = [kind, "calibrate", "--video", stream.name, "--out", out, *words]
    return calibrate.main(list(map(str, words))), out


@slow
def test_a_gimbal_is_measured(monkeypatch, tmp_path):
    with contextlib.closing(GimbalOverUdp()) as gimbal:
        stream = LateStream(lambda: np.degrees(gimbal.angle[::-1]))
        code, out = run("gimbal", monkeypatch, stream, tmp_path, "--mavlink", gimbal.address)
    assert code == 0
    made = calibrations.read(out)
    assert made.sign == (1, 1) and made.fov == pytest.approx(50.0, abs=5.0)
    assert made.delay == pytest.approx(LATE_S + 0.04, abs=0.12) and made.frame == "earth"
    assert made.actuator == "gimbal 1/154/154" and made.stream == "rtsp://u:***@camera/live"


@slow
def test_a_ptz_camera_is_measured(monkeypatch, tmp_path):
    with contextlib.closing(FakeOnvifCamera()) as camera:
        angle, before = np.zeros(2), time.monotonic()

        def pointing():
            nonlocal angle, before
            now = time.monotonic()
            angle, before = angle + np.array(camera.velocity[:2]) * 40.0 * (now - before), now
            return angle

        address = f"onvif://127.0.0.1:{camera.port}"
        words = "--gimbal", address, "--fov", 50
        code, out = run("ptz", monkeypatch, LateStream(pointing), tmp_path, *words)
    assert code == 0
    made = calibrations.read(out)
    assert made.sign == (1, 1) and made.scale == pytest.approx((40.0, 40.0), rel=0.2)
    assert made.delay == pytest.approx(LATE_S, abs=0.12) and made.actuator == address


@slow
def test_a_scene_that_moves_is_refused(monkeypatch, tmp_path, capsys):
    with contextlib.closing(GimbalOverUdp()) as gimbal:
        stream = LateStream(lambda: np.degrees(gimbal.angle[::-1]), moves=1.0)
        code, out = run("gimbal", monkeypatch, stream, tmp_path, "--mavlink", gimbal.address)
    assert code == 2 and not out.exists()
    assert "nothing moves" in capsys.readouterr().err


def test_a_recording_is_refused(monkeypatch, tmp_path, capsys):
    stream = LateStream(lambda: (0.0, 0.0))
    stream.live = False
    words = "--mavlink", "udpout:127.0.0.1:9"
    assert run("gimbal", monkeypatch, stream, tmp_path, *words)[0] == 2
    assert "is not a live stream" in capsys.readouterr().err
