"""Motion JPEG over HTTP, as cheap network cameras send it.

``/`` streams for ever. Each fault has its own address: ``/half`` ends in the middle of the 20th
JPEG, ``/stall`` goes silent after 20 pictures with the connection open, ``/sizes`` changes the
pictures' size every 20, ``/page`` is a web page, ``/nothing`` answers 404.
"""

import argparse
import socket
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn

import cv2

from tests.support.ports import free_port
from tests.support.streams import scene
from tests.support.streams.process import Sender, answers, python_module

FAULT_AFTER = 20  # pictures


class MjpegServer(Sender):
    """Motion JPEG at ``http://127.0.0.1:PORT/``.

    Args:
        folder: pictures to send, forward and backward without end; None: ``scene``.
        fps: pictures a second.
    """

    def __init__(self, folder=None, fps=scene.FPS):
        super().__init__()
        self.port, self.folder, self.fps = free_port(socket.SOCK_STREAM), folder, fps
        self.address = f"http://127.0.0.1:{self.port}/"

    def command(self):
        """The command line of the process."""
        folder = ["--folder", self.folder] if self.folder else []
        return python_module("tests.support.streams.mjpeg", self.port, "--fps", self.fps, *folder)

    def is_up(self):
        """Whether somebody listens."""
        return answers(self.port)


class _Handler(BaseHTTPRequestHandler):
    """One viewer."""

    def log_message(self, *_):
        """Print no log."""

    def do_GET(self):
        """Stream until the viewer leaves, or until the fault asked for."""
        fault = self.path.strip("/").split("?")[0]
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
            wait_s = start + sent / self.server.fps - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            jpeg = self.server.jpeg(sent, fault)
            head = "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n"
            self.wfile.write(head.format(len(jpeg)).encode("ascii"))
            if fault == "half" and sent == FAULT_AFTER:
                self.wfile.write(jpeg[: len(jpeg) // 2])
                return
            self.wfile.write(jpeg + b"\r\n")
            sent += 1
            if fault == "stall" and sent == FAULT_AFTER:
                time.sleep(3600)


class _Server(ThreadingMixIn, HTTPServer):
    """A thread for each viewer."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port, fps, folder):
        super().__init__(("127.0.0.1", port), _Handler)
        self.fps = fps
        self.paths = scene.folder_of_pictures(folder) if folder else None

    def jpeg(self, sent, fault):
        """One picture as JPEG: the folder's by its number, the scene's by the clock."""
        if self.paths:
            path = self.paths[sent % len(self.paths)]
            if path.endswith(".jpg"):
                with open(path, "rb") as file:
                    return file.read()
            picture = cv2.imread(path)
        else:
            picture = scene.picture_at(scene.ticks_now())
        if fault == "sizes" and sent // FAULT_AFTER % 2:
            picture = cv2.resize(picture, (160, 120))
        return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def main():
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--fps", type=float, default=scene.FPS)
    parser.add_argument("--folder")
    args = parser.parse_args()
    _Server(args.port, args.fps, args.folder).serve_forever()


if __name__ == "__main__":
    main()
