"""MPEG-4 video in an MPEG transport stream over UDP, as encoders in vehicles and drones send it.

The stream is made once by OpenCV's own FFmpeg and sent in a loop, seven packets a datagram.
"""

import argparse
import os
import socket
import tempfile
import time

import cv2

from tests.support.ports import free_port
from tests.support.streams import scene
from tests.support.streams.process import Sender, python_module

SECONDS = 7  # one round of the scene's target
DATAGRAM = 7 * 188


class UdpSender(Sender):
    """Sends to ``udp://127.0.0.1:PORT``, whether anybody listens or not."""

    def __init__(self):
        super().__init__()
        self.port = free_port()
        self.address = f"udp://127.0.0.1:{self.port}"

    def command(self):
        """The command line of the process."""
        return python_module("tests.support.streams.mpegts", self.port)

    def is_up(self):
        """Wait a moment: a sender of datagrams can't be asked."""
        time.sleep(1.0)
        return True


def transport_stream():
    """One round of the scene as the bytes of an MPEG transport stream."""
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "scene.ts")
    size = (scene.WIDTH, scene.HEIGHT)
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"mp4v"), scene.FPS, size)
    for tick in range(SECONDS * scene.FPS):
        writer.write(scene.picture_at(tick))
    writer.release()
    with open(path, "rb") as file:
        data = file.read()
    os.remove(path)
    os.rmdir(folder)
    return data


def main():
    """Send until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    port = parser.parse_args().port
    data = transport_stream()
    datagrams = [data[at : at + DATAGRAM] for at in range(0, len(data), DATAGRAM)]
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    start, sent = time.monotonic(), 0
    while True:
        wait_s = start + sent * SECONDS / float(len(datagrams)) - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        try:
            out.sendto(datagrams[sent % len(datagrams)], ("127.0.0.1", port))
        except OSError:  # nobody listens
            pass
        sent += 1


if __name__ == "__main__":
    main()
