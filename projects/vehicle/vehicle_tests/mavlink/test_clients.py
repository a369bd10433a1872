"""Real ground stations drive the program over the loopback: pymavlink, MAVProxy, MAVSDK."""

import asyncio
import contextlib
import csv
import pathlib
import re
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("pymavlink")
from pymavlink import mavutil
from pymavlink.dialects.v20 import common

from hotpath.runtime.frames.boxes import overlap
from hotpath_vehicle.mavlink.reports import corners_of
from tests.support.clips import clip_at, write_clip
from tests.support.needs import skip
from tests.support.ports import free_port
from vehicle_tests.support.http_camera import SIDE, SIZE, picture, place
from vehicle_tests.support.mavlink_client import MavlinkProgram, connected

FRAMES = 130


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip of a target that wanders over a textured picture."""
    times = [n / 50 for n in range(FRAMES)]
    boxes = [(x - SIDE / 2, y - SIDE / 2, SIDE, SIDE) for x, y in map(place, times)]
    folder = tmp_path_factory.mktemp("clips") / "wandering"
    return clip_at(write_clip(folder, map(picture, times), boxes, ".jpg"))


def read(rows):
    with open(str(rows)) as file:
        return list(csv.DictReader(file))


def without_truth(clip, folder):
    """The clip's pictures in a folder beside which no truth lies: the run waits for a target."""
    (folder / "frames").symlink_to((clip.folder / "img").resolve())
    return folder / "frames"


def boxes_of(messages):
    """dict of frame index -> box in pixels, of pairs of NAMED_VALUE_INT and the status."""
    boxes, index = {}, None
    for message in messages:
        if message.get_type() == "NAMED_VALUE_INT" and message.name == "frame":
            index = message.value
        elif message.get_type() == "CAMERA_TRACKING_IMAGE_STATUS" and message.tracking_status:
            left, top = message.rec_top_x * SIZE[0], message.rec_top_y * SIZE[1]
            right, bottom = message.rec_bottom_x * SIZE[0], message.rec_bottom_y * SIZE[1]
            boxes[index] = (left, top, right - left, bottom - top)
    return boxes


def test_a_ground_station_finds_selects_follows_and_stops(clip, tmp_path):
    rows = tmp_path / "rows.csv"
    words = ["--video", without_truth(clip, tmp_path), "--link-delay", 0, "--results", rows]
    with connected(words, tmp_path / "log") as (client, program):
        for name in ("CAMERA_INFORMATION", "CAMERA_SETTINGS", "CAMERA_CAPTURE_STATUS"):
            client.request(name)
        client.interval("CAMERA_TRACKING_IMAGE_STATUS", 50)  # at most one status a frame
        client.wait("NAMED_VALUE_INT")  # of the first frame, which is what is clicked on
        assert client.rectangle(clip.boxes[0], SIZE) == common.MAV_RESULT_ACCEPTED, program.text()
        client.pump(120.0, lambda m: m.get_type() == "NAMED_VALUE_INT" and m.value > FRAMES - 30)
        if program.process.poll() is None:
            client.command(common.MAV_CMD_CAMERA_STOP_TRACKING)
            client.request("CAMERA_TRACKING_IMAGE_STATUS")
        code, text = program.end()
        assert code in (0, 130), text  # 130: Ctrl-C before the clip's end
    boxes = boxes_of(client.heard)
    overlaps = [overlap(box, clip.boxes[n]) for n, box in boxes.items() if n]
    assert len(overlaps) > 60  # a status for most frames
    assert min(overlaps) > 0.6
    written = {int(row["frame"]): [float(row[key]) for key in "xywh"] for row in read(rows)}
    for frame, box in boxes.items():
        assert box == pytest.approx(written[frame], abs=0.01)
    assert "HEARTBEAT" in {message.get_type() for message in client.heard}
    assert "frame to command" in text


class MavProxy:
    """MAVProxy in a process of its own; the camera is its target."""

    def __init__(self, port, log):
        self.log = log
        self.read = 0
        station = pathlib.Path(sys.executable).with_name("mavproxy.py")
        if not station.exists():
            skip("MAVProxy", "pip install -e 'projects/vehicle[stations]'")
        arguments = [sys.executable, station, f"--master=udpin:127.0.0.1:{port}", "--no-state"]
        arguments += ["--target-system=1", "--target-component=100", "--default-modules=cmdlong"]
        with open(str(log), "wb") as file:
            self.process = subprocess.Popen(
                [str(a) for a in arguments], stdin=subprocess.PIPE, stdout=file, stderr=file
            )

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def wait(self, pattern, again="", seconds=40):
        """The next match of a pattern in what is printed; ``again`` is typed each second."""
        for n in range(seconds * 20):
            if again and n % 20 == 0:
                self.type(again)
            found = re.compile(pattern).search(self.log.read_text(), self.read)
            if found:
                self.read = found.end()
                return found
            time.sleep(0.05)
        raise AssertionError(f"no {pattern}: {self.log.read_text()[-2000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def test_mavproxy_selects_is_told_the_box_and_stops(clip, tmp_path):
    port = free_port()
    (tmp_path / "run.toml").write_text('mavlink-type = "onboard"\n')
    arguments = ["--video", without_truth(clip, tmp_path)]
    arguments += ["--config", str(tmp_path / "run.toml")]
    arguments += ["--mavlink", f"udpout:127.0.0.1:{port}"]
    ack = r"COMMAND_ACK {command : %d, result : %d\b"
    with MavProxy(port, tmp_path / "station") as station:
        with MavlinkProgram(arguments, tmp_path / "log"):
            station.type("watch HEARTBEAT COMMAND_ACK CAMERA_TRACKING_IMAGE_STATUS")
            station.wait(r"HEARTBEAT {type : 18, autopilot : 8")
            station.wait(ack % (511, 0), "long MAV_CMD_SET_MESSAGE_INTERVAL 275 100000 0 0 0 0 0")
            station.wait("tracking_status : 0")
            station.wait(ack % (2005, 2), "long MAV_CMD_CAMERA_TRACK_RECTANGLE 0.4 2 0.6 0.6 0 0 0")
            corners = [f"{v:.3f}" for v in corners_of(clip.boxes[0], SIZE)]
            station.type(f"long MAV_CMD_CAMERA_TRACK_RECTANGLE {' '.join(corners)} 0 0 0")
            station.wait(ack % (2005, 0))
            told = station.wait(r"tracking_status : 1.*rec_top_x : ([\d.]+)")
            assert float(told.group(1)) == pytest.approx(float(corners[0]), abs=0.1)
            station.wait(ack % (2010, 0), "long MAV_CMD_CAMERA_STOP_TRACKING 0 0 0 0 0 0 0")
            station.wait("tracking_status : 0")


def test_a_missing_radio_is_waited_for_or_refused(clip, capsys):
    from hotpath.app.track_command import main

    run = ["--video", str(clip.folder / "img"), *"--no-show --box 10,10,50,50 --frames 2".split()]
    assert main(run + ["--mavlink", "serial:/dev/nowhere:57600"]) == 2
    assert "serial:/dev/nowhere:57600: " in capsys.readouterr().err
    assert main(run + ["--gimbal", "--fov", "60"]) == 2
    assert "--gimbal needs --mavlink" in capsys.readouterr().err
    steers = ["--mavlink", f"udpout:127.0.0.1:{free_port()}", "--gimbal", "--fov", "60"]
    assert main(run + steers) == 2
    assert "--gimbal: a recording" in capsys.readouterr().err


async def autopilot_beats(url):
    """Without an autopilot MAVSDK looks for no camera."""
    link = mavutil.mavlink_connection(url, source_system=1, source_component=1, dialect="common")
    while True:
        link.mav.heartbeat_send(common.MAV_TYPE_QUADROTOR, common.MAV_AUTOPILOT_PX4, 0, 0, 4)
        await asyncio.sleep(1.0)


async def select_and_stop(mavsdk, clip, port, arguments, log):
    system = mavsdk.System(port=free_port(socket.SOCK_STREAM))
    beats = asyncio.ensure_future(autopilot_beats(f"udpout:127.0.0.1:{port}"))
    try:
        # a system whose camera is heard before its autopilot is not discovered
        await system.connect(f"udpin://127.0.0.1:{port}")
        with MavlinkProgram([*arguments, "--mavlink", f"udpout:127.0.0.1:{port}"], log):
            async for found in system.camera.camera_list():
                if found.cameras:
                    break
            number, camera = found.cameras[0].component_id, system.camera
            assert found.cameras[0].vendor_name == "Hotpath"
            x, y = np.divide(place(0.0), SIZE)
            while True:  # before the first frame a target is refused
                with contextlib.suppress(mavsdk.camera.CameraError):
                    await camera.track_point(number, x, y, 0.05)
                    break
            await camera.track_rectangle(number, *corners_of(clip.boxes[0], SIZE))
            await camera.track_stop(number)
    finally:
        beats.cancel()
        system._stop_mavsdk_server()


@pytest.mark.slow("a second client has the same conversation")
@pytest.mark.filterwarnings("ignore:The 'mavsdk' package")
def test_mavsdk_finds_selects_and_stops(clip, tmp_path):
    mavsdk, port = pytest.importorskip("mavsdk"), free_port()
    arguments = ["--video", without_truth(clip, tmp_path)]
    conversing = select_and_stop(mavsdk, clip, port, arguments, tmp_path / "log")
    asyncio.run(asyncio.wait_for(conversing, 150))
