"""A camera over HTTP: Motion JPEG of a target that moves over a landscape."""

import contextlib
import math
import threading
import time
from http.server import BaseHTTPRequestHandler

import cv2

from tests.support.ports import ThreadingHTTPServer
from vehicle_tests.drone.closed_loop import background

SIZE = (640, 360)
FPS = 20
SIDE = 60


class Camera:
    """A camera over HTTP: a target moves over a landscape, and nothing in it comes again."""

    def __init__(self):
        self.closed = False
        background()  # it takes a while, and the first viewer does not wait long
        camera = self

        class Viewer(BaseHTTPRequestHandler):
            def do_GET(self):
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
        while not self.closed:
            time.sleep(1.0 / FPS)
            data = cv2.imencode(".jpg", self.picture(time.monotonic()))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            out.write(head.encode() + data + b"\r\n")

    @staticmethod
    def place(now):
        """(x, y) of the target's middle: aside, so that the gimbal has to turn."""
        return 460 + 60 * math.sin(0.7 * now), 180 + 40 * math.cos(0.9 * now)

    def picture(self, now):
        world = background()
        left = int(900 + 800 * math.sin(0.05 * now))
        frame = world[400 : 400 + SIZE[1], left : left + SIZE[0]].copy()
        x, y = self.place(now)
        cv2.circle(frame, (round(x), round(y)), SIDE // 2, (30, 30, 230), -1, cv2.LINE_AA)
        cv2.circle(frame, (round(x), round(y)), SIDE // 5, (240, 240, 240), -1, cv2.LINE_AA)
        return frame

    def close(self):
        self.closed = True
        self._server.shutdown()
        self._server.server_close()
