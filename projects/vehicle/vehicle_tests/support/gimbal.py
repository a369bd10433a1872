"""A gimbal with its manager, turned by simulated time; and the same over UDP, for real runs."""

import contextlib
import math
import socket
import threading
import time

import numpy as np

from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.codec import Codec
from hotpath_vehicle.mavlink.packets import Splitter
from vehicle_tests.support.quaternions import quaternion_of

STEP_S = 0.02


class FakeGimbal:
    """A gimbal and its manager, after mavlink.io/en/services/gimbal_v2.html."""

    MOST_RATE = math.radians(90.0)
    MOST_CHANGE = math.radians(600.0)
    SILENCE_S = 0.5

    def __init__(self, device=154):
        self.device = device
        self.angle = np.zeros(2)  # pitch, yaw
        self.rate = np.zeros(2)
        self._wanted = np.zeros(2)
        self._heard_at = -1e9
        self.primary = (0, 0)
        self.claims = m.ACCEPTED  # what it answers to who asks for control
        self.obeyed = 0
        self.codec = Codec(1, self.device)
        self._messages = {
            m.GIMBAL_MANAGER_STATUS: self.status,
            m.GIMBAL_DEVICE_ATTITUDE_STATUS: self.attitude,
        }
        self._streams = {}  # number of a message: seconds, next

    def receive(self, message, now):
        fields, sender = message.fields, (message.system, message.component)
        if message.name == "GIMBAL_MANAGER_SET_ATTITUDE" and sender == self.primary:
            assert all(math.isnan(value) for value in fields["q"])  # rates alone
            self._wanted = np.array([fields["angular_velocity_y"], fields["angular_velocity_z"]])
            self._heard_at, self.obeyed = now, self.obeyed + 1
        if message.name != "COMMAND_LONG" or fields["target_system"] not in (0, 1):
            return []
        result, more = self._command(sender, fields, now)
        ack = {"command": fields["command"], "result": result}
        ack.update(target_system=sender[0], target_component=sender[1])
        return [("COMMAND_ACK", ack)] + more

    def _command(self, sender, fields, now):
        first, second = fields["param1"], fields["param2"]
        if fields["command"] == m.CMD_REQUEST_MESSAGE and first == m.GIMBAL_MANAGER_INFORMATION:
            return m.ACCEPTED, [("GIMBAL_MANAGER_INFORMATION", {"gimbal_device_id": self.device})]
        if fields["command"] == m.CMD_SET_MESSAGE_INTERVAL and first in self._messages:
            self._streams[first] = [second / 1e6, now]
            return m.ACCEPTED, []
        if fields["command"] != m.CMD_DO_GIMBAL_MANAGER_CONFIGURE:
            return m.UNSUPPORTED, []
        if self.claims != m.ACCEPTED or fields["param7"] not in (0, self.device):
            return self.claims or m.DENIED, []
        asked = int(first), int(second)
        if asked == (-3, -3):  # give control back, where the sender has it
            self.primary = (0, 0) if sender == self.primary else self.primary
        elif min(asked) >= 0:
            self.primary = asked
        return m.ACCEPTED, []

    def due(self, now):
        out = []
        for number, stream in self._streams.items():
            if now >= stream[1]:
                stream[1] += stream[0]
                out.append(self._messages[number]())
        return out

    def move(self, now, step_s):
        wanted = self._wanted if now - self._heard_at < self.SILENCE_S else np.zeros(2)
        wanted = np.clip(wanted, -self.MOST_RATE, self.MOST_RATE)
        most = self.MOST_CHANGE * step_s
        self.rate += np.clip(wanted - self.rate, -most, most)
        self.angle += self.rate * step_s

    def attitude(self):
        state = dict(flags=m.GIMBAL_YAW_LOCK, q=list(quaternion_of(*self.angle)))
        return "GIMBAL_DEVICE_ATTITUDE_STATUS", state

    def status(self):
        state = {"gimbal_device_id": self.device}
        state["primary_control_sysid"], state["primary_control_compid"] = self.primary
        return "GIMBAL_MANAGER_STATUS", state


class GimbalOverUdp(FakeGimbal):
    """The gimbal in a thread of its own, at ``address``. Nothing is passed on to other peers.

    Attributes:
        rates: (port of the sender, its rate of yaw), the oldest first.
    """

    def __init__(self):
        super().__init__()
        self.rates = []
        self._closed = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(STEP_S)
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
        peers, last = set(), time.monotonic()
        while not self._closed.is_set():
            with contextlib.suppress(socket.timeout):
                data, peer = self._socket.recvfrom(4096)
                peers.add(peer)
                for packet in Splitter().feed(data):
                    message = self.codec.decode(packet)
                    if message.name == "GIMBAL_MANAGER_SET_ATTITUDE":
                        self.rates.append((peer[1], message.fields["angular_velocity_z"]))
                    self._send(self.receive(message, time.monotonic()), [peer])
            now = time.monotonic()
            if now - last >= STEP_S:
                self.move(now, now - last)
                last = now
                self._send(self.due(now), peers)

    def _send(self, messages, peers):
        for message in messages:
            for peer in peers:
                self._socket.sendto(self.codec.encode(*message), peer)
