"""A gimbal on UDP whose manager passes nothing on, for real runs."""

import contextlib
import math
import socket
import threading
import time

from pymavlink.dialects.v20 import common

CONFIGURE = common.MAV_CMD_DO_GIMBAL_MANAGER_CONFIGURE


class Gimbal:
    """A gimbal manager that passes nothing on. It gives control to whoever asks for it last.

    Attributes:
        rates: (port of the sender, its rate of yaw), the oldest first.
        angles: (yaw, pitch), radians, by all that was commanded.
    """

    def __init__(self):
        self.rates = []
        self.angles = (0.0, 0.0)
        self._pitch_rate = 0.0
        self._closed = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.02)
        self.address = "udpout:127.0.0.1:{}".format(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def senders(self):
        return {port for port, _ in list(self.rates)}

    def close(self):
        self._closed.set()
        self._thread.join()
        self._socket.close()

    def _serve(self):
        mav = common.MAVLink(None, 1, 1)
        codecs = {}
        owner = (0, 0)
        yaw = 0.0
        last = 0.0
        while not self._closed.is_set():
            with contextlib.suppress(socket.timeout):
                data, peer = self._socket.recvfrom(4096)
                codec = codecs.setdefault(peer, common.MAVLink(None, 9, 9))
                for message in codec.parse_buffer(bytearray(data)) or ():
                    if message.get_type() == "GIMBAL_MANAGER_SET_ATTITUDE":
                        self.rates.append((peer[1], message.angular_velocity_z))
                        self._pitch_rate = message.angular_velocity_y
                    elif getattr(message, "command", 0) == CONFIGURE:
                        owner = max(0, int(message.param1)), max(0, int(message.param2))
            now = time.monotonic()
            if now - last < 0.02:
                continue
            step = min(0.1, now - last) if last else 0.0
            yaw, last = yaw + (self.rates[-1][1] * step if self.rates else 0.0), now
            self.angles = yaw, self.angles[1] + self._pitch_rate * step
            turned = [math.cos(yaw / 2), 0, 0, math.sin(yaw / 2)]
            for message in (
                mav.heartbeat_encode(2, 3, 129, 4, 4),
                mav.gimbal_manager_information_encode(0, 0xFFF, 1, -1, 1, -1, 1, -3, 3),
                mav.gimbal_manager_status_encode(0, 0, 1, *owner, 0, 0),
                mav.gimbal_device_attitude_status_encode(1, 1, 0, 16, turned, 0, 0, 0, 0),
            ):
                for peer in codecs:
                    self._socket.sendto(message.pack(mav), peer)
