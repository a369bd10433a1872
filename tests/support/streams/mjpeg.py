"""Motion JPEG over HTTP, as cheap network cameras send it; each fault has its own address.

``/half`` ends in the middle of the 20th JPEG, ``/stall`` goes silent after 20 pictures, also for
those who connect again, ``/sizes`` changes the pictures' size every 20, ``/page`` is a web page,
``/nothing`` answers 404. ``/endless`` leaves out end markers, ``/filled`` puts fill bytes before
markers, ``/started`` has two start markers.
"""

import pathlib
import sys
import time
from http.server import BaseHTTPRequestHandler

import cv2

from tests.support.ports import ThreadingHTTPServer
from tests.support.streams import scene
from tests.support.streams.process import Sender

FAULT_AFTER = 20  # pictures
ODD = {
    "endless": lambda jpeg: jpeg[:-2],
    "filled": lambda jpeg: jpeg.replace(b"\xff\xc0", b"\xff\xff\xff\xc0", 1),
    "started": lambda jpeg: b"\xff\xd8" + jpeg,
}


class MjpegServer(Sender):
    """Sends a folder's pictures, forward and backward without end, or those of ``scene``."""

    def __init__(self, folder=None, fps=scene.FPS):
        super().__init__("mjpeg", "http://127.0.0.1:{}/", fps, *([folder] if folder else []))


class _Handler(BaseHTTPRequestHandler):
    """One viewer."""

    def log_message(self, *_):
        """Print no log."""

    def do_GET(self):
        """Stream until the viewer leaves, or until the fault asked for."""
        fault = self.path.strip("/")
        if fault == "nothing":
            self.send_error(404)
            return
        self.send_response(200)
        if fault == "page":
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html><body>hello</body></html>\n")
            return
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            self._stream(fault)
        except OSError:  # the viewer left
            pass

    def _stream(self, fault):
        """Send pictures at their times."""
        start = time.monotonic()
        sent = 0
        while True:
            if self.server.silent:
                time.sleep(3600)
            time.sleep(max(0.0, start + sent / self.server.fps - time.monotonic()))
            jpeg = self.server.jpeg(sent, fault)
            if fault in ODD:
                jpeg = ODD[fault](jpeg)
            head = "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n"
            self.wfile.write(head.format(len(jpeg)).encode("ascii"))
            if fault == "half" and sent == FAULT_AFTER:
                self.wfile.write(jpeg[: len(jpeg) // 2])
                return
            self.wfile.write(jpeg + b"\r\n")
            sent += 1
            self.server.silent = fault == "stall" and sent == FAULT_AFTER


class _Server(ThreadingHTTPServer):
    def __init__(self, port, fps, folder=None):
        super().__init__(("127.0.0.1", int(port)), _Handler)
        self.fps = float(fps)
        self.silent = False
        paths = sorted(pathlib.Path(folder).iterdir()) if folder else []
        self.paths = paths + paths[-2:0:-1]  # a loop never jumps

    def jpeg(self, sent, fault):
        """One picture as JPEG: the folder's by its number, the scene's by the clock."""
        if self.paths:
            path = self.paths[sent % len(self.paths)]
            if path.suffix == ".jpg":
                return path.read_bytes()
            picture = cv2.imread(str(path))
        else:
            picture = scene.picture_at(scene.ticks_now())
        if fault == "sizes" and sent // FAULT_AFTER % 2:
            picture = cv2.resize(picture, (160, 120))
        return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


if __name__ == "__main__":
    _Server(*sys.argv[1:]).serve_forever()
