"""MPEG-4 in an MPEG transport stream over UDP, made once by OpenCV's FFmpeg, sent in a loop."""

import pathlib
import socket
import sys
import tempfile
import time

import cv2

from tests.support.streams import scene
from tests.support.streams.process import Sender

SECONDS = 7  # one round of the scene's target
DATAGRAM = 7 * 188


class UdpSender(Sender):
    """Sends to ``udp://127.0.0.1:PORT``, whether anybody listens or not.

    With ``headless`` the decoder is never told the size of the pictures, as when H.264's SPS lacks.
    """

    def __init__(self, headless=False):
        more = ["headless"] if headless else []
        super().__init__("mpegts", "udp://127.0.0.1:{}", *more, kind=socket.SOCK_DGRAM)

    def is_up(self):
        """Wait a moment: a sender of datagrams can't be asked."""
        time.sleep(1.0)
        return True


def transport_stream():
    """One round of the scene as the bytes of an MPEG transport stream."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "scene.ts"
        size = (scene.WIDTH, scene.HEIGHT)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), scene.FPS, size)
        for tick in range(SECONDS * scene.FPS):
            writer.write(scene.picture_at(tick))
        writer.release()
        return path.read_bytes()


def main(port, *more):
    """Send until killed."""
    data = transport_stream()
    if more:  # a layer's header becomes data of the user, which a decoder skips
        data = data.replace(b"\0\0\1\x20", b"\0\0\1\xb2")
    datagrams = [data[at : at + DATAGRAM] for at in range(0, len(data), DATAGRAM)]
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    start = time.monotonic()
    sent = 0
    while True:
        wait_s = start + sent * SECONDS / float(len(datagrams)) - time.monotonic()
        time.sleep(max(0.0, wait_s))
        try:
            out.sendto(datagrams[sent % len(datagrams)], ("127.0.0.1", port))
        except OSError:  # nobody listens
            pass
        sent += 1


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
