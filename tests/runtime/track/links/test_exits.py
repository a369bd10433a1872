"""Real runs that turn a PTZ camera and a vehicle end by a signal, and leave both standing."""

import contextlib
import signal
import time

import pytest

pytest.importorskip("pymavlink")
pytest.importorskip("onnxruntime")
pytest.importorskip("psutil")

from tests import soak
from tests.runtime.track.links.mavlink.test_clients import autopilot
from tests.support import tiny
from tests.support.mavlink_client import connected
from tests.support.onvif_camera import OnvifCamera, part

MOVES = "SET_POSITION_TARGET_LOCAL_NED"
slow = pytest.mark.slow("runs of ten seconds")


@pytest.fixture
def run(tmp_path):
    """(client, program, camera) while the vehicle and the camera turn."""
    network = tiny.write_network(tmp_path, tiny.watched(lost_below=0.001))
    source = soak.Camera()  # nothing in it comes again
    with contextlib.closing(OnvifCamera()) as camera, contextlib.closing(source):
        words = ["--video", source.address, "--network", network, "--fov", "60", "--follow"]
        words += ["--gimbal", f"onvif://127.0.0.1:{camera.port}"]
        with connected(words, tmp_path / "log") as (client, program):
            autopilot(client)
            client.pump(0.3)
            assert client.rectangle((430, 150, 60, 60), soak.SIZE) == 0
            ends = time.monotonic() + 60
            while not (turns(client) and "ContinuousMove" in camera.names()):
                autopilot(client)
                client.pump(0.05)
                assert time.monotonic() < ends and program.process.poll() is None, program.text()
            yield client, program, camera


def turns(client):
    """Whether the last setpoint turns the vehicle."""
    heard = [message for _, message in client.heard if message.get_type() == MOVES]
    return bool(heard and heard[-1].yaw_rate)


def watch(client, seconds):
    """Seconds from now to the last setpoint that turns the vehicle."""
    began, last_s = time.monotonic(), 0.0
    while time.monotonic() < began + seconds:
        autopilot(client)
        client.pump(0.05)
        last_s = time.monotonic() - began if turns(client) else last_s
        del client.heard[:-10]
    return last_s


@pytest.mark.parametrize(
    "name",
    ["SIGTERM", "SIGINT"] + [pytest.param(name, marks=slow) for name in ("SIGHUP", "SIGQUIT")],
)
def test_a_signal_that_asks_for_the_end_stops_everything_three_times(run, name):
    client, program, camera = run
    program.process.send_signal(getattr(signal, name))
    assert watch(client, 3.0) < 1.0
    assert program.process.wait(20) == 128 + getattr(signal, name)
    heard = [message for _, message in client.heard if message.get_type() == MOVES]
    assert [message.yaw_rate for message in heard[-3:]] == [0.0] * 3
    assert camera.names()[-3:] == ["Stop"] * 3


@slow
@pytest.mark.parametrize("name", ["SIGKILL", "SIGABRT"])
def test_after_a_signal_that_ends_at_once_nothing_is_commanded_and_the_camera_stops_itself(
    run, name
):
    client, program, camera = run
    program.process.send_signal(getattr(signal, name))
    program.process.wait(10)
    client.pump(0.3)  # what was on its way
    del client.heard[:]
    asked = len(camera.asked)
    client.pump(2.0)
    assert MOVES not in {message.get_type() for _, message in client.heard}  # its timeout counts
    assert len(camera.asked) == asked
    moves = [each for each in camera.asked if each.tag.endswith("ContinuousMove")]
    assert part(moves[-1], "Timeout").text == "PT1S"


@slow
def test_a_run_that_stands_still_itself_moves_nothing_after_it_goes_on(run):
    client, program, camera = run
    program.process.send_signal(signal.SIGSTOP)
    client.pump(3.0)
    del client.heard[:]
    program.process.send_signal(signal.SIGCONT)
    client.pump(0.2)
    first = next(message for _, message in client.heard if message.get_type() == MOVES)
    assert first.yaw_rate == 0.0
