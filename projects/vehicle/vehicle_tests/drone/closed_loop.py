"""The gimbal's closed loop: the picture, the gimbal, the radio and time are simulated."""

import functools
import math
from collections import namedtuple

import cv2
import numpy as np

from hotpath.runtime.frames.directions import vertical_fov_deg
from hotpath.runtime.frames.pictures import picture_mark
from hotpath.runtime.types import Track
from hotpath_vehicle.aim.calibration import Calibration
from hotpath_vehicle.follow import Follow
from hotpath_vehicle.gimbal.angles import turned
from hotpath_vehicle.gimbal.settings import load_settings
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.codec import Codec
from hotpath_vehicle.mavlink.gimbal_manager import GimbalManager
from hotpath_vehicle.mavlink.messages import View
from vehicle_tests.support.quaternions import quaternion_of

FRAME_S = 1.0 / 30
TICK_S = 1.0 / 300
COMMAND_S = 0.03  # from a command until the gimbal turns
DELAY_S = 0.1  # from the capture of a frame until its command moves the gimbal
SIZE = (640, 360)
FOV_DEG = (60.0, vertical_fov_deg(60.0, SIZE))
WORLD = (2600, 1600)
WORLD_FOCAL = 900.0  # pixels of the world's picture per unit of tangent
TARGET_PX = (80, 96)  # in the world's picture

# frames have the time at which they were taken
CALIBRATION = Calibration("rtsp://camera", SIZE, "gimbal 1/154/154", FOV_DEG[0], COMMAND_S, 0.02)

Sample = namedtuple("Sample", "time_s x y yaw")
Sample.__doc__ = "The target's offset as shares of the frame, the camera's yaw in degrees."


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
    DEVICE = 154

    def __init__(self):
        self.angle = np.zeros(2)  # pitch, yaw
        self.rate = np.zeros(2)
        self._wanted = np.zeros(2)
        self._heard_at = -1e9
        self.primary = (0, 0)
        self.refuses = False
        self.obeyed = 0
        self.codec = Codec(1, self.DEVICE)
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
            return m.ACCEPTED, [("GIMBAL_MANAGER_INFORMATION", {"gimbal_device_id": self.DEVICE})]
        if fields["command"] == m.CMD_SET_MESSAGE_INTERVAL and first in self._messages:
            self._streams[first] = [second / 1e6, now]
            return m.ACCEPTED, []
        if fields["command"] != m.CMD_DO_GIMBAL_MANAGER_CONFIGURE:
            return m.UNSUPPORTED, []
        if self.refuses or fields["param7"] not in (0, self.DEVICE):
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
        state = {"gimbal_device_id": self.DEVICE}
        state["primary_control_sysid"], state["primary_control_compid"] = self.primary
        return "GIMBAL_MANAGER_STATUS", state


class Radio:
    """Carries packets both ways, late and not all of them."""

    def __init__(self, delay_s, loss, gone):
        self._delay_s, self._loss, self._gone = delay_s, loss, gone
        self._rng = np.random.RandomState(2)
        self._packets = []

    def send(self, now, to, packet):
        lost = self._rng.rand() < self._loss or any(a <= now < b for a, b in self._gone)
        if not lost:
            self._packets.append((now + self._delay_s, to, packet))

    def arrived(self, now, to):
        due = [p for at, where, p in self._packets if where == to and at <= now]
        self._packets = [e for e in self._packets if e[1] != to or e[0] > now]
        return due


class Simulation:
    """A camera with a calibration follows the target of a world."""

    def __init__(self, world, targets, loss=0.0, gone=()):
        settings = load_settings()
        self.world, self.gimbal = world, Gimbal()
        self.targets = targets
        aim = Follow(settings, FOV_DEG, CALIBRATION)
        self.manager = GimbalManager(aim, 1, 100, settings["lost"]["link"])
        self._codec = Codec(1, 100)
        # the gimbal's own delay is a part of the whole
        self._radio = Radio(COMMAND_S, loss, gone)
        self._behind_s = DELAY_S - COMMAND_S
        self.samples = []

    def run(self, seconds):
        number = None
        index = 0
        frames = []
        next_frame = 0.0
        for tick in range(int(round(seconds / TICK_S))):
            now = tick * TICK_S
            self.gimbal.move(now, TICK_S)
            self._exchange(now)
            for message in self.gimbal.due(now):
                self._radio.send(now, "us", self.gimbal.codec.encode(*message))
            if now >= next_frame:  # a frame is taken now, and its box is known later
                next_frame += FRAME_S
                frames.append((now,) + self.world.seen(now, *self.gimbal.angle))
            if frames and now >= frames[0][0] + self._behind_s:
                taken, frame, truth = frames.pop(0)
                if number is None:
                    number = self.targets.add(frame, truth)
                    track = Track(truth, 1.0)
                else:
                    track = self.targets.update(frame)[number]
                view = View(index, taken, SIZE, track, number, 30.0, picture_mark(frame))
                self._send(now, self.manager.frame(view, now))
                x, y = truth[0] + truth[2] / 2, truth[1] + truth[3] / 2
                yaw = math.degrees(self.gimbal.angle[1])
                self.samples.append(Sample(taken, x / SIZE[0] - 0.5, y / SIZE[1] - 0.5, yaw))
                index += 1
            elif tick % 15 == 0:
                self._send(now, self.manager.tick(now))
        self.targets.drop(number)
        return self.samples

    def _exchange(self, now):
        for packet in self._radio.arrived(now, "gimbal"):
            for answer in self.gimbal.receive(self.gimbal.codec.decode(packet), now):
                self._radio.send(now, "us", self.gimbal.codec.encode(*answer))
        for packet in self._radio.arrived(now, "us"):
            self.manager.receive(self._codec.decode(packet), now)

    def _send(self, now, messages):
        for message in messages:
            self._radio.send(now, "gimbal", self._codec.encode(*message))


def standing(yaw_deg, pitch_deg):
    place = math.radians(yaw_deg), math.radians(pitch_deg)
    return lambda time_s: place


def wandering(rate_deg=12.0):
    """A target that moves on a curve, at most at that rate in yaw and half of it in pitch."""
    period = 9.0
    swing = math.radians(rate_deg) * period / (2 * math.pi)

    def path(time_s):
        turn = 2 * math.pi * time_s / period
        return swing * math.sin(turn), swing / 2 * 0.7 * math.sin(1.4 * turn + 1.0) - 0.1

    return path


def off_centre(samples, since_s=0.0):
    """(frames, 2): absolute offsets as shares of the frame, from a time on."""
    return np.abs([[s.x, s.y] for s in samples if s.time_s >= since_s])


def settled_after(samples, within=0.05):
    """Seconds until the target stays within that share of the centre; None: it never does."""
    outside = [s.time_s for s in samples if max(abs(s.x), abs(s.y)) > within]
    if not outside:
        return 0.0
    return None if outside[-1] >= samples[-1].time_s else outside[-1] + FRAME_S
