"""Everything on for a long time: is the memory flat, and does all of it still work at the end?

A program of its own tracks in a video, with a MAVLink link, a gimbal, RTSP with a viewer, RTP, a
recording, datagrams and results. A ground station selects and stops targets all the time.

    python -m tests.drone.soak --video FILE --minutes 30
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import numpy as np
import psutil
from pymavlink.dialects.v20 import common

from tests.support.mavlink_client import Client, Program
from tests.support.ports import free_port

EVERY_S = 5.0  # between two readings of the memory
SETTLE_SHARE = 0.25  # of the time, in which memory may still grow


def rss_mb(process):
    """Memory of a process, MB of 2**20 bytes; 0 where it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.memory_info().rss / 2**20
    return 0.0


def soak(video, seconds, folder):
    """Run; returns dict of the readings and what the program said at its end."""
    port, rtsp, rtp, published = (free_port() for _ in range(4))
    arguments = [
        "--video",
        video,
        "--mavlink",
        f"udpout:127.0.0.1:{port}",
        "--fov",
        "60",
        "--gimbal",
    ]
    arguments += ["--link-delay", "0.1", "--profile", "--captures", folder]
    arguments += ["--stream", f"rtsp://127.0.0.1:{rtsp}/live", "--stream", f"udp://127.0.0.1:{rtp}"]
    arguments += ["--stream-kbps", "1000", "--record", os.path.join(folder, "soak.mkv")]
    arguments += ["--results", os.path.join(folder, "soak.csv")]
    arguments += ["--publish", f"udp://127.0.0.1:{published}"]
    client = Client(port)
    readings = {"seconds": [], "tracker": [], "gstreamer": []}
    accepted = refused = 0
    with Program(arguments, os.path.join(folder, "soak.log")) as program:
        client.wait("HEARTBEAT", 60)
        client.interval("CAMERA_TRACKING_IMAGE_STATUS", 25)
        client.interval("CAMERA_CAPTURE_STATUS", 1)
        address = f"rtsp://127.0.0.1:{rtsp}/live"
        look = f"ffmpeg -v quiet -rtsp_transport tcp -i {address} -c copy -f null -".split()
        viewer = subprocess.Popen(look, stdin=subprocess.DEVNULL)
        started, count = time.monotonic(), 0
        manager = GimbalOverTheLink(client)
        try:
            while time.monotonic() - started < seconds and program.process.poll() is None:
                result = _next_command(client, count)
                accepted, refused = accepted + (result == 0), refused + (result != 0)
                count += 1
                end = time.monotonic() + EVERY_S
                while time.monotonic() < end:
                    manager.say()
                    client.pump(0.2)
                del client.heard[:], client.said[:]
                readings["seconds"].append(time.monotonic() - started)
                tracker = psutil.Process(program.process.pid)
                readings["tracker"].append(rss_mb(tracker))
                readings["gstreamer"].append(sum(map(rss_mb, tracker.children())))
        finally:
            viewer.kill()
            viewer.wait()
        code, text = program.end(30)
    client.close()
    return dict(readings, code=code, text=text, accepted=accepted, refused=refused)


class GimbalOverTheLink:
    """A gimbal manager that gives control to whoever asks, on the ground station's link."""

    def __init__(self, client):
        self._client = client

    def say(self):
        mav = self._client.link.mav
        system, component = mav.srcSystem, mav.srcComponent
        mav.srcSystem, mav.srcComponent = 1, 154
        try:
            mav.gimbal_manager_information_send(0, 0, 154, 0, 0, -1.5, 0.5, -3, 3)
            mav.gimbal_manager_status_send(0, 0, 154, 1, 100, 0, 0)
            mav.gimbal_device_attitude_status_send(
                0, 0, 0, common.GIMBAL_DEVICE_FLAGS_YAW_LOCK, [1, 0, 0, 0], 0, 0, 0, 0
            )
        finally:
            mav.srcSystem, mav.srcComponent = system, component


def _next_command(client, count):
    """One of a ground station's commands; returns its result."""
    step = count % 4
    if step == 0:
        return client.command(common.MAV_CMD_CAMERA_TRACK_RECTANGLE, 0.3, 0.3, 0.45, 0.6)
    if step == 1:
        return client.command(common.MAV_CMD_CAMERA_TRACK_POINT, 0.6, 0.5, 0.0)
    if step == 2:
        return client.command(common.MAV_CMD_REQUEST_MESSAGE, 259)
    return client.command(common.MAV_CMD_CAMERA_STOP_TRACKING)


def growth_mb(readings, name):
    """(MB at the beginning after it settled, MB at the end, MB a minute by a straight line)."""
    seconds, values = np.array(readings["seconds"]), np.array(readings[name])
    late = seconds >= seconds[-1] * SETTLE_SHARE
    slope = np.polyfit(seconds[late], values[late], 1)[0] * 60
    part = max(1, int(late.sum() // 5))
    return np.median(values[late][:part]), np.median(values[late][-part:]), slope


def main():
    cli = argparse.ArgumentParser(description="Everything on, for a long time")
    cli.add_argument("--video", required=True, help="longer than the time")
    cli.add_argument("--minutes", type=float, default=30.0)
    options = cli.parse_args()
    folder = tempfile.mkdtemp(prefix="soak-")
    try:
        readings = soak(options.video, options.minutes * 60, folder)
        for name in ("tracker", "gstreamer"):
            begin, end, slope = growth_mb(readings, name)
            print(f"{name:<10} {begin:.1f} MB -> {end:.1f} MB, {slope:+.3f} MB a minute")
        print("{accepted} commands accepted, {refused} not; exit code {code}".format(**readings))
        print(readings["text"])
        print("results: {} bytes".format((pathlib.Path(folder) / "soak.csv").stat().st_size))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
