"""An hour of everything at once, with everything that goes wrong in the field.

    PYTHONPATH=projects/vehicle python -m vehicle_tests.soak --minutes 60

A camera over HTTP hangs, repeats old pictures, changes its size, goes and returns. The run is
stopped for 20 s, the wall clock jumps, the reader of the results pauses, the disk of the video
becomes full, TMPDIR is full. A ground station, an autopilot, a gimbal, a browser and a
receiver of datagrams listen all the time. At the end: nothing is lost but what was said, and
memory, descriptors and threads have not grown. Prints one line a round. Exit codes: 0, 1 when
something failed.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler

import cv2
import numpy as np
import psutil
from pymavlink.dialects.v20 import common

from tests.support.ports import ThreadingHTTPServer, free_port
from vehicle_tests.drone.closed_loop import background
from vehicle_tests.support.mavlink_client import Client, Program

HERE = pathlib.Path(__file__).resolve().parent / "support"
SIZE = (640, 360)
FPS = 20
SIDE = 60
STOPPED_S = 20.0
STANDS_S = 2.5  # after which nothing is told to move; the rule says 1, other programs run here
# pictures that a busy computer dropped are new to it when an old second is repeated
STANDS_IN_A_LOOP_S = 6.0
GROWTH_MB, GROWTH_COUNT = 60.0, 3
RATES = "GIMBAL_MANAGER_SET_ATTITUDE"


class Camera:
    """A camera over HTTP: a target moves over a landscape. ``mode`` says what is wrong with it."""

    def __init__(self):
        self.mode = "good"
        self.closed = False
        background()  # it takes a while, and the first viewer does not wait long
        camera = self

        class Viewer(BaseHTTPRequestHandler):
            def do_GET(self):
                if camera.mode == "gone":
                    return self.send_error(503)
                self.send_response(200)
                kind = "multipart/x-mixed-replace; boundary=frame"
                self.send_header("Content-Type", kind)
                self.end_headers()
                with contextlib.suppress(OSError):
                    camera.send(self.wfile)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Viewer)
        self.address = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def send(self, out):
        last = b""
        ring = []
        while self.mode != "gone" and not self.closed:
            time.sleep(1.0 / FPS)
            mode, data = self.mode, last
            if mode == "silent":
                continue
            if mode == "repeats" and ring:
                ring.append(ring.pop(0))
                data = ring[-1]
            elif mode != "frozen" or not last:
                data = cv2.imencode(".jpg", self.picture(time.monotonic(), mode))[1].tobytes()
                ring = ring[-19:] + [data]
            last = data
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            out.write(head.encode() + data + b"\r\n")

    @staticmethod
    def place(now):
        """(x, y) of the target's middle: aside, so that the gimbal has to turn."""
        return 460 + 60 * math.sin(0.7 * now), 180 + 40 * math.cos(0.9 * now)

    def picture(self, now, mode):
        world = background()
        left = int(900 + 800 * math.sin(0.05 * now))
        frame = world[400 : 400 + SIZE[1], left : left + SIZE[0]].copy()
        x, y = self.place(now)
        cv2.circle(frame, (round(x), round(y)), SIDE // 2, (30, 30, 230), -1, cv2.LINE_AA)
        cv2.circle(frame, (round(x), round(y)), SIDE // 5, (240, 240, 240), -1, cv2.LINE_AA)
        return cv2.resize(frame, (320, 180)) if mode == "small" else frame

    def close(self):
        self.closed = True
        self._server.shutdown()
        self._server.server_close()


class Reader:
    """Reads the results' pipe, unless it is told to pause."""

    def __init__(self, path):
        os.mkfifo(str(path))
        self._file = os.open(str(path), os.O_RDONLY | os.O_NONBLOCK)
        self.lines = 0
        self.pauses = False
        self._rest = b""
        self._ends = threading.Event()
        self.broken = 0  # lines with another number of values than the header
        self._commas = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._ends.is_set():
            data = b""
            if not self.pauses:
                with contextlib.suppress(BlockingIOError):
                    data = os.read(self._file, 4096)
            if not data:
                time.sleep(0.05)
            *whole, self._rest = (self._rest + data).split(b"\n")
            self.lines += len(whole)
            if whole and self._commas is None:
                self._commas = whole[0].count(b",")
            self.broken += sum(line.count(b",") != self._commas for line in whole)

    def close(self):
        self._ends.set()
        self._thread.join()
        os.close(self._file)


class Soak:
    """The run, everybody around it, and what was seen of it."""

    def __init__(self, folder, network, stack):
        self.folder = folder
        self.failures = []
        self.sizes = []
        self._stack = stack
        self.camera, self.reader = Camera(), Reader(folder / "rows.csv")
        stack.callback(self.camera.close)
        stack.callback(self.reader.close)
        self.disk = self._disk("disk", 64 << 10)  # KiB
        full = self._disk("tmp", 64)
        if full:
            with contextlib.suppress(OSError):
                (full / "filler").write_bytes(bytes(1 << 20))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.setblocking(False)
        self.port = free_port()
        self.client = Client(self.port)
        words = ["--video", self.camera.address, "--network", network, "--fov", "60", "--gimbal"]
        words += ["--link-delay", "0.05", "--mavlink", f"udpout:127.0.0.1:{self.port}"]
        words += ["--page", "--page-port", "0", "--results", folder / "rows.csv", "--json"]
        words += ["--publish", f"udp://127.0.0.1:{self.udp.getsockname()[1]}"]
        if self.disk:
            words += ["--save", self.disk / "soak.mkv"]
        environment = self._clock()
        environment.update({"TMPDIR": str(full)} if full else {})
        self.program = stack.enter_context(Program(words, folder / "log", environment))
        self.datagrams = 0
        self.held = set()
        self.frame = 0
        self.unwritten, self.stops = 0, 0  # frames while nothing was written, about; how often
        self.reader_of = psutil.Process(self.program.process.pid)
        try:
            self.client.wait("HEARTBEAT", 120)
        except AssertionError:
            raise SystemExit("the run did not come up: " + self.program.text()) from None
        self.link = re.search(r"page: (http://\S+)", self.program.text()).group(1)

    def _disk(self, name, kilobytes):
        """A small disk of its own; None where mounting is not allowed."""
        place = self.folder / name
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
        done = subprocess.run(mount, stderr=subprocess.DEVNULL, check=False)
        if done.returncode:
            print(f"no disk may be mounted here, so {name} is not tried", flush=True)
            return None
        self._stack.callback(subprocess.check_call, ["umount", "-l", str(place)])
        return place

    def _clock(self):
        """The environment in which the wall clock can jump."""
        self.offset = self.folder / "offset"
        self.offset.write_bytes(struct.pack("d", 0.0))
        library = self.folder / "jumping_clock.so"
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            print("no C compiler here, so the clock does not jump", flush=True)
            return {}
        source = str(HERE / "jumping_clock.c")
        subprocess.check_call([compiler, "-O1", "-shared", "-fPIC", "-o", str(library), source])
        return {"LD_PRELOAD": str(library), "JUMPING_CLOCK": str(self.offset)}

    def jump(self, seconds):
        with open(str(self.offset), "r+b") as file:
            file.write(struct.pack("d", seconds))

    def check(self, good, sentence):
        if not good:
            self.failures.append(sentence)
            print("FAILED " + sentence, flush=True)

    def pump(self, seconds):
        """Everybody talks and listens for a time."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self._say()
            self.client.pump(0.1)
            with contextlib.suppress(BlockingIOError):
                while True:
                    message = json.loads(self.udp.recv(65536))
                    self.datagrams += 1
                    self.held |= set(message["holds"].values())
                    self.frame = message["frame"]
            del self.client.heard[:-200]

    def _say(self):
        """The autopilot and the gimbal manager, on the ground station's link."""
        mav = self.client.link.mav
        me, mav.srcSystem = (mav.srcSystem, mav.srcComponent), 1
        mav.srcComponent = 1
        mav.heartbeat_send(2, 3, 128, 4, 4)
        mav.attitude_send(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        mav.rc_channels_send(0, 8, *[1500] * 8, *[0] * 11)
        mav.srcComponent = 154
        mav.gimbal_manager_information_send(0, 0, 154, 0, 0, -1.5, 0.5, -3, 3)
        mav.gimbal_manager_status_send(0, 0, 154, 1, 100, 0, 0)
        lock = common.GIMBAL_DEVICE_FLAGS_YAW_LOCK
        mav.gimbal_device_attitude_status_send(0, 0, 0, lock, [1, 0, 0, 0], 0, 0, 0, 0)
        mav.srcSystem, mav.srcComponent = me

    def select(self):
        x, y = self.camera.place(time.monotonic() - 0.05)
        box = (x - SIDE / 2, y - SIDE / 2, SIDE, SIDE)
        self.check(self.client.rectangle(box, SIZE) == 0, "a selection was refused")

    def rates(self):
        """The rates of the last commands to the gimbal."""
        heard = [message for _, message in self.client.heard if message.get_type() == RATES]
        return [abs(m.angular_velocity_y) + abs(m.angular_velocity_z) for m in heard[-5:]]

    def stands(self, what, after_s=STANDS_S):
        self.pump(after_s)
        del self.client.heard[:]
        self.pump(0.7)
        self.check(not any(self.rates()), f"the gimbal turns although {what}")

    def turns(self, what, limit_s=10.0):
        ends = time.monotonic() + limit_s
        while time.monotonic() < ends and not any(self.rates()):
            self.pump(0.3)
        self.check(any(self.rates()), f"the gimbal does not turn {what}")

    def page(self):
        """What the page says; it needs the token of the link."""
        request = urllib.request.Request(self.link.split("enter")[0] + "api/state")
        request.add_header("Authorization", "Bearer " + self.link.split("token=")[1])
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def around(self, is_first):
        """One round of all that goes wrong."""
        self.camera.mode = "good"
        self.pump(2.0)
        self.select()
        self.lock("after a target that was selected")
        for mode in ("frozen", "repeats", "silent"):
            self.camera.mode = mode
            after_s = STANDS_IN_A_LOOP_S if mode == "repeats" else STANDS_S
            self.stands(f"the source is {mode}", after_s)
            self.camera.mode = "good"
            self.pump(3.0)
        self.camera.mode = "small"
        self.pump(4.0)
        self.camera.mode = "gone"
        self.stands("the source is gone")
        self.check(self.page()["waiting"] == "frames", "the page does not say that frames lack")
        self.camera.mode = "good"
        self.pump(6.0)
        self.reader.pauses = True
        self.jump(3600.0)
        self.pump(5.0)
        self.jump(-3600.0)
        self.pump(5.0)
        self.jump(0.0)
        self.reader.pauses = False
        self._fill_disk()
        self.select()
        self.lock("after all came back")
        if is_first:
            self._stop()
        self._measure()

    def _fill_disk(self):
        """Writing stops and goes on; then the disk of the video is full."""
        if not self.disk:
            return
        start, stop = common.MAV_CMD_VIDEO_START_CAPTURE, common.MAV_CMD_VIDEO_STOP_CAPTURE
        self.pump(0.3)
        stopped_at = self.frame
        self.client.command(stop)
        self.pump(4.0)
        self.client.command(start)
        self.pump(0.3)
        self.unwritten, self.stops = self.unwritten + self.frame - stopped_at, self.stops + 1
        with contextlib.suppress(OSError), open(self.disk / "filler", "wb", 0) as file:
            while file.write(bytes(1 << 16)):
                pass
        self.pump(8.0)
        messages = self.program.text()
        self.check("soak.mkv: the disk is full" in messages, "a full disk is not said")
        (self.disk / "filler").unlink()

    def _stop(self):
        """The run stands still, as on a computer that sleeps."""
        self.program.process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        self.program.process.send_signal(signal.SIGCONT)
        self.pump(3.0)
        self.select()
        self.lock("after the run was stopped")

    def _measure(self):
        with self.reader_of.oneshot():
            memory_mb = self.reader_of.memory_info().rss / 2**20
            size = memory_mb, self.reader_of.num_fds(), self.reader_of.num_threads()
        self.sizes.append(size)
        rows = self.reader.lines
        print("{:4.0f} MB, {} descriptors, {} threads".format(*size) + f", {rows} rows", flush=True)

    def end(self):
        """End the run, and compare what it says with what came."""
        self.program.process.send_signal(signal.SIGTERM)
        self.pump(2.0)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.program.process.wait(30)
        text, code = self.program.text(), self.program.process.poll()
        self.check(code in (2, 143), f"the exit code is {code}")
        self.check("Traceback" not in text, "there is a traceback")
        time.sleep(1.0)
        summary = [line for line in text.splitlines() if line.startswith("{")]
        self.check(len(summary) == 1, "there is no summary")
        lost = re.search(r"left out of the results, .*: (\d+) row", text)
        lost = int(lost.group(1)) if lost else 0
        frames = json.loads(summary[0])["frames"] if summary else 0
        print(f"{frames} frames, {self.reader.lines} lines, {lost} left out,", end=" ")
        print(f"{self.datagrams} datagrams; it held because of: {sorted(self.held)}")
        empty = json.loads(summary[0])["frames_without_target"] if summary else 0
        # the header, and rows of selections, which are written for the frames in between too
        wanted = frames - empty - self.unwritten
        missing = wanted - (self.reader.lines - 1 + lost)
        self.check(missing <= 20 * self.stops, f"{missing} rows are lost that nobody speaks of")
        self.check(self.reader.broken == 0, "a line of the results is not whole")
        self.check("not understood" not in text, "a message was not understood")
        for messages in ("the picture stands still", "no new picture"):
            self.check(messages in self.held, f"nobody was told: {messages}")
        self._check_growth()
        return text

    def _check_growth(self):
        settled = self.sizes[len(self.sizes) // 4 :]
        if len(settled) < 3:
            print("too few rounds to tell growth")
            return
        first, last = np.median(settled[:2], axis=0), np.median(settled[-2:], axis=0)
        self.check(
            last[0] - first[0] < GROWTH_MB, f"memory grew from {first[0]:.0f} MB to {last[0]:.0f}"
        )
        self.check(abs(last[1] - first[1]) <= GROWTH_COUNT, "descriptors grew")
        self.check(abs(last[2] - first[2]) <= GROWTH_COUNT, "threads grew")


def main(arguments=None):
    """Run the command line; returns the exit code."""
    cli = argparse.ArgumentParser(prog="python -m vehicle_tests.soak")
    cli.add_argument("--minutes", type=float, default=60.0)
    cli.add_argument("--network", default="kestrel")
    options = cli.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        soak = Soak(pathlib.Path(folder), options.network, stack)
        ends = time.monotonic() + 60 * options.minutes
        rounds = 0
        try:
            while time.monotonic() < ends:
                soak.around(rounds % 5 == 0)
                rounds += 1
            text = soak.end()
        except BaseException:
            print(soak.program.text())
            raise
    if soak.failures:
        print(text)
    print(f"soak: {rounds} rounds, {len(soak.failures)} failed")
    return int(bool(soak.failures))


if __name__ == "__main__":
    sys.exit(main())
