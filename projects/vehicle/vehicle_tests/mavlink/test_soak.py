"""Everything on for half a minute: commands are answered, memory stays bounded, nothing is lost."""

import contextlib
import time

import numpy as np
import psutil
import pytest

pytest.importorskip("pymavlink")
pytest.importorskip("openvino")
from pymavlink.dialects.v20 import common

from tests.app.links.test_stream import listening
from tests.support.needs import needs_program
from tests.support.ports import free_port
from vehicle_tests.support import http_camera
from vehicle_tests.support.mavlink_client import connected

SECONDS = 24
GROWTH_MB = 40.0  # of half a minute: buffers of frames fill; a leak of every frame is 140 MB
COMMANDS = (
    (common.MAV_CMD_CAMERA_TRACK_RECTANGLE, 0.3, 0.3, 0.45, 0.6),
    (common.MAV_CMD_CAMERA_TRACK_POINT, 0.6, 0.5, 0.0),
    (common.MAV_CMD_REQUEST_MESSAGE, 259),
    (common.MAV_CMD_CAMERA_STOP_TRACKING,),
)


def say_as_gimbal(mav):
    """A gimbal manager on the ground station's link gives control to whoever asks."""
    me, mav.srcSystem, mav.srcComponent = (mav.srcSystem, mav.srcComponent), 1, 154
    mav.gimbal_manager_information_send(0, 0, 154, 0, 0, -1.5, 0.5, -3, 3)
    mav.gimbal_manager_status_send(0, 0, 154, 1, 100, 0, 0)
    lock = common.GIMBAL_DEVICE_FLAGS_YAW_LOCK
    mav.gimbal_device_attitude_status_send(0, 0, 0, lock, [1, 0, 0, 0], 0, 0, 0, 0)
    mav.srcSystem, mav.srcComponent = me


@pytest.mark.slow("half a minute of everything at once")
def test_everything_on_for_half_a_minute(tmp_path):
    pytest.importorskip("av")
    rtsp, rtp, published = (free_port() for _ in range(3))
    address = f"rtsp://127.0.0.1:{rtsp}/live"
    needs_program("ffmpeg")
    camera = http_camera.HttpCamera()
    arguments = f"--video {camera.address} --fov 60 --gimbal "
    (tmp_path / "run.toml").write_text("stream-kbps = 1000\n")
    arguments += f"--config {tmp_path}/run.toml "
    arguments += f"--link-delay 0.1 --profile --stream {address} "
    arguments += f"--stream rtp://127.0.0.1:{rtp} --save {tmp_path}/soak.mp4 "
    arguments += f"--results {tmp_path}/soak.csv --publish udp://127.0.0.1:{published}"
    results, memory_mb = [], []
    with contextlib.closing(camera), connected(arguments.split(), tmp_path / "log") as (
        client,
        program,
    ):
        client.interval("CAMERA_TRACKING_IMAGE_STATUS", 25)
        client.interval("CAMERA_CAPTURE_STATUS", 1)
        viewer = listening(address, "-c copy -f null -")
        try:
            while len(results) < SECONDS / 2 and program.process.poll() is None:
                results.append(client.command(*COMMANDS[len(results) % 4]))
                end = time.monotonic() + 2.0  # until the memory is read again
                while time.monotonic() < end:
                    say_as_gimbal(client.link.mav)
                    client.pump(0.2)
                del client.heard[:]
                memory_mb.append(psutil.Process(program.process.pid).memory_info().rss / 2**20)
        finally:
            viewer.kill()
            viewer.wait()
        code, text = program.end()
    assert code in (0, 130), text
    assert results.count(0) >= 6 and results.count(0) >= len(results) / 2
    settled = memory_mb[len(memory_mb) // 4 :]
    assert settled[0] > 50 and np.median(settled[-2:]) - settled[0] < GROWTH_MB
    assert (tmp_path / "soak.mp4").stat().st_size > 10000
    assert len((tmp_path / "soak.csv").read_text().splitlines()) > 50
    assert "mavlink:" in text and "stream:" in text
