"""A camera over HTTP: Motion JPEG of a target that moves over a landscape."""

import contextlib
import functools
import math
import threading
import time
from http.server import BaseHTTPRequestHandler

import cv2
import numpy as np

from tests.support.ports import ThreadingHTTPServer

SIZE = (640, 360)
FPS = 20
SIDE = 60
WORLD = (2600, 1600)


@functools.lru_cache(maxsize=1)
def background():
    """A picture with texture of every size."""
    rng = np.random.RandomState(1)
    picture = np.zeros((WORLD[1], WORLD[0], 3), np.float32)
    for cells in (6, 20, 60, 180):
        noise = rng.rand(cells, int(cells * WORLD[0] / WORLD[1]) + 1, 3).astype(np.float32)
        picture += cv2.resize(noise, WORLD, interpolation=cv2.INTER_CUBIC) / 4
    return (60 + 130 * picture).clip(0, 255).astype(np.uint8)


def place(now):
    """(x, y) of the target's middle: aside, so that a gimbal has to turn."""
    return 460 + 60 * math.sin(0.7 * now), 180 + 40 * math.cos(0.9 * now)


def picture(now):
    """The camera's picture at a time. Nothing in it comes again."""
    left = int(900 + 800 * math.sin(0.05 * now))
    frame = background()[400 : 400 + SIZE[1], left : left + SIZE[0]].copy()
    x, y = place(now)
    cv2.circle(frame, (round(x), round(y)), SIDE // 2, (30, 30, 230), -1, cv2.LINE_AA)
    cv2.circle(frame, (round(x), round(y)), SIDE // 5, (240, 240, 240), -1, cv2.LINE_AA)
    return frame


class HttpCamera:
    """Sends ``picture`` to each viewer."""

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
            data = cv2.imencode(".jpg", picture(time.monotonic()))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            out.write(head.encode() + data + b"\r\n")

    def close(self):
        self.closed = True
        self._server.shutdown()
        self._server.server_close()
