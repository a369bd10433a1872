"""A ground station on pymavlink's own link, and runs that it talks to."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

os.environ.setdefault("MAVLINK20", "1")
from pymavlink import mavutil
from pymavlink.dialects.v20 import common

from tests.support.ports import free_port

CAMERA = (1, 100)


class MavlinkClient:
    def __init__(self, port):
        me = dict(source_system=255, source_component=190, dialect="common")  # a ground station
        self.link = mavutil.mavlink_connection(f"udpin:127.0.0.1:{port}", **me)
        self.heard = []

    def pump(self, seconds, until=None):
        """Receive for a time; return the first message for which ``until`` is true, or None."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            left_s = max(0.001, end - time.monotonic())
            message = self.link.recv_match(blocking=True, timeout=left_s)
            if message is None or message.get_type() == "BAD_DATA":
                continue
            self.heard.append(message)
            if until is not None and until(message):
                return message
        return None

    def wait(self, name, seconds=60.0, **fields):
        """Wait for a message of that name with those fields; fail if none comes."""

        def right(message):
            return message.get_type() == name and fields.items() <= message.to_dict().items()

        message = self.pump(seconds, right)
        assert message is not None, f"no {name} {fields} came within {seconds} s"
        return message

    def command(self, command, *parameters):
        """Send COMMAND_LONG and return the final COMMAND_ACK's result."""
        values = [float(v) for v in parameters] + [0.0] * (7 - len(parameters))
        self.link.mav.command_long_send(*CAMERA, command, 0, *values)
        while True:
            ack = self.wait("COMMAND_ACK", command=command)
            if ack.result != common.MAV_RESULT_IN_PROGRESS:
                return ack.result

    def request(self, name):
        number = getattr(common, "MAVLINK_MSG_ID_" + name)
        before = len(self.heard)
        assert self.command(common.MAV_CMD_REQUEST_MESSAGE, number) == 0
        for message in self.heard[before:]:
            if message.get_type() == name:
                return message
        return self.wait(name)

    def interval(self, name, hz):
        """Request a message at a rate."""
        number = getattr(common, "MAVLINK_MSG_ID_" + name)
        assert self.command(common.MAV_CMD_SET_MESSAGE_INTERVAL, number, 1e6 / hz) == 0

    def rectangle(self, box, size):
        """Send CAMERA_TRACK_RECTANGLE with a box in pixels; return the result."""
        x, y, w, h = box
        corners = x / size[0], y / size[1], (x + w) / size[0], (y + h) / size[1]
        return self.command(common.MAV_CMD_CAMERA_TRACK_RECTANGLE, *corners)


class MavlinkProgram:
    """Runs ``hotpath track`` in a process of its own."""

    def __init__(self, arguments, log):
        self.log = pathlib.Path(log)
        with open(str(log), "wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hotpath", "track", "--no-show"]
                + [str(a) for a in arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def text(self):
        return self.log.read_text(errors="replace")

    def end(self, seconds=60):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the program did not end: " + self.text()) from None
        return self.process.returncode, self.text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def connected(arguments, log):
    """(client, program): a ground station has heard the program's heartbeat."""
    port = free_port()
    words = [*arguments, "--mavlink", f"udpout:127.0.0.1:{port}"]
    client = MavlinkClient(port)
    with contextlib.closing(client.link), MavlinkProgram(words, log) as program:
        client.wait("HEARTBEAT")
        yield client, program
