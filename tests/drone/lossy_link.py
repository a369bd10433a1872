"""A conversation over a bad radio: a fifth of the packets is lost, then the link is gone for 5 s.

The program and the ground stations (pymavlink's link, MAVSDK with its server) are real. A relay
between them drops packets both ways. MAVSDK repeats its commands by itself.

    python -m tests.drone.lossy_link CLIP
"""

import argparse
import os
import pathlib
import random
import select
import socket
import tempfile
import threading
import time

from pymavlink.dialects.v20 import common

from tests.drone.conversation import Clip, boxes_of, overlaps, with_mavsdk, without_truth
from tests.support.mavlink_client import Client, Program
from tests.support.ports import free_port

LOSS, GONE_S, TRIES = 0.2, 5.0, 10
RECTANGLE = common.MAV_CMD_CAMERA_TRACK_RECTANGLE


class Relay:
    """Carries datagrams between the camera and the port of a ground station, but not all of them.

    Attributes:
        port: where the camera sends to.
        gone: while true, nothing is carried.
        carried, dropped: packets.
    """

    def __init__(self, station_port, loss=LOSS, seed=1):
        self._camera = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._station = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._camera.bind(("127.0.0.1", 0))
        self._station.connect(("127.0.0.1", station_port))
        self.port = self._camera.getsockname()[1]
        self.gone, self.carried, self.dropped = False, 0, 0
        self._loss, self._random = loss, random.Random(seed)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def _carry(self):
        camera = None  # its address
        while not self._ended.is_set():
            for side in select.select([self._camera, self._station], [], [], 0.1)[0]:
                try:
                    data, sender = side.recvfrom(4096)
                    if side is self._camera:
                        camera = sender
                    if self.gone or self._random.random() < self._loss:
                        self.dropped += 1
                    elif side is self._camera:
                        self._station.send(data)
                        self.carried += 1
                    elif camera is not None:
                        self._camera.sendto(data, camera)
                        self.carried += 1
                except OSError:  # the other side does not listen yet, or not any more
                    pass

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        self._camera.close()
        self._station.close()


def insisted(client, command, *parameters):
    """Send a command until it is acknowledged, as MAVLink asks of a ground station."""
    for tries in range(1, TRIES + 1):
        try:
            return client.command(command, *parameters, seconds=0.5), tries
        except AssertionError:  # no acknowledgement came
            pass
    raise AssertionError(f"{command} was not acknowledged {TRIES} times")


def with_a_gap(clip, folder):
    """pymavlink: (boxes by frame, seconds until a state after the gap, results, relay)."""
    port = free_port()
    client = Client(port)
    arguments = ["--video", without_truth(clip, folder), "--link-delay", 0, "--mavlink"]
    state = common.MAVLINK_MSG_ID_CAMERA_TRACKING_IMAGE_STATUS
    with Relay(port) as relay:
        arguments.append(f"udpout:127.0.0.1:{relay.port}")
        with Program(arguments, os.path.join(folder, "log")) as program:
            client.wait("HEARTBEAT", 40)
            results = [insisted(client, common.MAV_CMD_SET_MESSAGE_INTERVAL, state, 20000)]
            client.wait("NAMED_VALUE_INT", 20)
            (x, y, w, h), (width, height) = clip.boxes[0], clip.size
            corners = x / width, y / height, (x + w) / width, (y + h) / height
            results.append(insisted(client, RECTANGLE, *corners))
            client.pump(2.0)
            relay.gone = True
            client.pump(GONE_S)
            relay.gone, back = False, time.monotonic()
            client.wait("CAMERA_TRACKING_IMAGE_STATUS", 5)
            silent_s = time.monotonic() - back
            client.pump(2.0)
            results.append(insisted(client, common.MAV_CMD_CAMERA_STOP_TRACKING))
            program.end()
        client.close()
    boxes = boxes_of([message for _, message in client.heard], clip.size)
    return boxes, silent_s, results, relay


def main():
    cli = argparse.ArgumentParser(description="A conversation over a bad radio")
    cli.add_argument("clip", type=pathlib.Path, help="folder with img/ and boxes.csv, 12 s or more")
    clip = Clip(cli.parse_args().clip)
    with tempfile.TemporaryDirectory() as folder:
        boxes, silent_s, results, relay = with_a_gap(clip, folder)
    values = overlaps(clip, boxes, max(boxes))
    print("pymavlink: results {}".format(["{} after {} sent".format(*each) for each in results]))
    print(
        f"{len(values)} states, mean IoU {values.mean():.3f} up to frame {max(boxes)}; first "
        f"state {silent_s:.2f} s after the gap; {relay.carried} packets "
        f"carried, {relay.dropped} dropped"
    )
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, Relay(port) as relay:
        boxes, lines = with_mavsdk(clip, folder, port, relay.port)
    values = overlaps(clip, boxes)
    print("MAVSDK: {}".format("; ".join(lines)))
    print(f"{len(values)} states, mean IoU {values.mean():.3f}")
    print(f"{relay.carried} packets carried, {relay.dropped} dropped")


if __name__ == "__main__":
    main()
