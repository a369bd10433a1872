"""A textured world that a camera looks at, and a gimbal with its manager that turns it."""

import functools
import math

import cv2
import numpy as np

from hotpath.runtime.frames.directions import vertical_fov_deg
from hotpath_vehicle.gimbal.angles import turned
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.codec import Codec
from vehicle_tests.support.quaternions import quaternion_of

SIZE = (640, 360)
FOV_DEG = (60.0, vertical_fov_deg(60.0, SIZE))
WORLD = (2600, 1600)
WORLD_FOCAL = 900.0  # pixels of the world's picture per unit of tangent
TARGET_PX = (80, 96)  # in the world's picture


class World:
    def __init__(self, path):
        self._picture = background()
        rng = np.random.RandomState(1)
        w, h = TARGET_PX
        patch = cv2.resize(rng.randint(0, 256, (8, 6, 3)).astype(np.uint8), (w, h))
        cv2.ellipse(patch, (w // 2, h // 2), (w // 3, h // 3), 0, 0, 360, (20, 20, 230), -1)
        self._patch = cv2.rectangle(patch, (4, 4), (w - 5, h - 5), (240, 240, 240), 6)
        self.path = path  # seconds -> (yaw, pitch) of the target, radians

    def seen(self, time_s, pitch, yaw):
        """(frame, box of the target in it) as a camera with those angles sees it."""
        matrix = self._projection(pitch, yaw)
        frame = cv2.warpPerspective(
            self._picture, matrix, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        (target_yaw, target_pitch), (w, h) = self.path(time_s), TARGET_PX
        x = WORLD[0] / 2 + WORLD_FOCAL * math.tan(target_yaw)
        y = WORLD[1] / 2 - WORLD_FOCAL * math.tan(target_pitch) / math.cos(target_yaw)
        corners = np.float32([[x - w / 2, y - h / 2], [x + w / 2, y + h / 2]])
        inside = cv2.perspectiveTransform(corners[None], matrix)[0]
        shift = np.float64([[1, 0, x - w / 2], [0, 1, y - h / 2], [0, 0, 1]])
        patch = cv2.warpPerspective(self._patch, matrix @ shift, SIZE)
        mask = cv2.warpPerspective(np.full((h, w), 255, np.uint8), matrix @ shift, SIZE)
        frame[mask > 127] = patch[mask > 127]
        (left, top), (right, bottom) = inside
        return frame, (float(left), float(top), float(right - left), float(bottom - top))

    @staticmethod
    def _projection(pitch, yaw):
        focal = SIZE[0] / 2 / math.tan(math.radians(FOV_DEG[0]) / 2)
        # rows: the camera's (right, down, forward) in the world's
        forward, right, down = (turned(axis, 0.0, pitch, yaw) for axis in np.eye(3).tolist())
        rotation = np.array([[v[1], v[2], v[0]] for v in (right, down, forward)])
        camera = np.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]])
        middle = WORLD[0] / 2, WORLD[1] / 2
        world = np.array([[WORLD_FOCAL, 0, middle[0]], [0, WORLD_FOCAL, middle[1]], [0, 0, 1]])
        return camera @ rotation @ np.linalg.inv(world)


@functools.lru_cache(maxsize=1)
def background():
    """A picture with texture of every size."""
    rng = np.random.RandomState(1)
    picture = np.zeros((WORLD[1], WORLD[0], 3), np.float32)
    for cells in (6, 20, 60, 180):
        noise = rng.rand(cells, int(cells * WORLD[0] / WORLD[1]) + 1, 3).astype(np.float32)
        picture += cv2.resize(noise, WORLD, interpolation=cv2.INTER_CUBIC) / 4
    return (60 + 130 * picture).clip(0, 255).astype(np.uint8)


class Gimbal:
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
        self.refuses = False
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
        if self.refuses or fields["param7"] not in (0, self.device):
            return m.DENIED, []
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


def wandering(rate_deg=12.0):
    """A target that moves on a curve, at most at that rate in yaw and half of it in pitch."""
    period = 9.0
    swing = math.radians(rate_deg) * period / (2 * math.pi)

    def path(time_s):
        turn = 2 * math.pi * time_s / period
        return swing * math.sin(turn), swing / 2 * 0.7 * math.sin(1.4 * turn + 1.0) - 0.1

    return path
