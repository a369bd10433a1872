"""Two real runs with the same ids, and one gimbal."""

import contextlib
import time

import pytest

pytest.importorskip("pymavlink")
pytest.importorskip("onnxruntime")
pytest.importorskip("psutil")

from tests.support import tiny
from vehicle_tests.support import http_camera
from vehicle_tests.support.gimbal import GimbalOverUdp
from vehicle_tests.support.mavlink_client import MavlinkProgram


def wait_for(condition, program):
    ends = time.monotonic() + 60
    while not condition():
        assert program.process.poll() is None and time.monotonic() < ends, program.text()
        time.sleep(0.05)


@pytest.mark.slow("two runs of ten seconds")
def test_a_second_run_refuses_to_steer_a_gimbal_that_one_steers(tmp_path):
    network = tiny.write_network(tmp_path, tiny.watched(search_lost_below=0.001, found_above=0.002))
    with contextlib.closing(http_camera.HttpCamera()) as camera, contextlib.closing(
        GimbalOverUdp()
    ) as gimbal:
        words = ["--video", camera.address, "--network", network, "--box", "430,150,60,60"]
        words += ["--mavlink", gimbal.address, "--gimbal", "--fov", "60"]
        with MavlinkProgram(words, tmp_path / "first") as first:
            wait_for(lambda: len(gimbal.rates) > 20, first)
            with MavlinkProgram(words, tmp_path / "second") as second:
                assert second.process.wait(60) not in (0, 1), second.text()
                assert "--mavlink-component" in second.text()
            seen = len(gimbal.rates)
            wait_for(lambda: len(gimbal.rates) > seen, first)  # it steers on
            assert len(gimbal.senders()) == 1
            first.end()
        with MavlinkProgram(words, tmp_path / "third") as third:  # the ids are free again
            wait_for(lambda: len(gimbal.senders()) == 2, third)
