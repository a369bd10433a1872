"""Real runs that turn a PTZ camera end by a signal, and leave it standing."""

import contextlib
import signal
import time

import pytest

pytest.importorskip("pymavlink")
pytest.importorskip("onnxruntime")
pytest.importorskip("psutil")
import psutil

from tests.support import tiny
from vehicle_tests.support import http_camera
from vehicle_tests.support.mavlink_client import connected
from vehicle_tests.support.onvif_camera import FakeOnvifCamera

LOGIN = ("eye", "of:<needle>")


@pytest.fixture
def run(tmp_path):
    """(program, camera) while the camera turns."""
    network = tiny.write_network(tmp_path, tiny.watched(search_lost_below=0.001, found_above=0.002))
    source = http_camera.HttpCamera()  # nothing in it comes again
    (tmp_path / "login").write_text(":".join(LOGIN))
    with contextlib.closing(FakeOnvifCamera(LOGIN)) as camera, contextlib.closing(source):
        words = ["--video", source.address, "--network", network]
        words += ["--gimbal", f"onvif://{LOGIN[0]}@127.0.0.1:{camera.port}"]
        words += ["--gimbal-login", tmp_path / "login"]
        with connected(words, tmp_path / "log") as (client, program):
            client.pump(0.3)
            assert client.rectangle((430, 150, 60, 60), http_camera.SIZE) == 0
            ends = time.monotonic() + 60
            while "ContinuousMove" not in camera.names():
                client.pump(0.05)
                assert time.monotonic() < ends and program.process.poll() is None, program.text()
            yield program, camera


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGXCPU"])
def test_a_signal_for_the_end_stops_the_camera_three_times(run, name):
    program, camera = run
    asked = len(camera.names())
    program.process.send_signal(getattr(signal, name))
    assert program.process.wait(60) == 128 + getattr(signal, name)
    *moves, first, second, third = camera.names()[asked:]
    assert [first, second, third] == ["Stop"] * 3
    assert len(moves) <= 10  # a second of the program's own time
    text = program.text()
    assert "follows the target" in text and "gimbal: " in text and LOGIN[1] not in text


def test_ctrl_z_stops_the_camera_and_then_the_process(run):
    program, camera = run
    program.process.send_signal(signal.SIGTSTP)
    camera.wait_for(lambda: camera.names()[-1] == "Stop")
    ends = time.monotonic() + 60
    while psutil.Process(program.process.pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < ends
        time.sleep(0.05)
    asked = len(camera.names())
    program.process.send_signal(signal.SIGCONT)
    camera.wait_for(lambda: "ContinuousMove" in camera.names()[asked:])
