"""A run with a MAVLink service, without sockets and threads: the test calls for each frame."""

import functools
import time
from types import SimpleNamespace

from hotpath.app.links.run_controller import Controller
from hotpath.app.option_records import LinkOptions
from hotpath.runtime import loading
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from hotpath.video.base import TrackedFrame
from hotpath_vehicle.follow import Follow
from hotpath_vehicle.gimbal.settings import load_settings
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.camera import MavlinkCamera
from hotpath_vehicle.mavlink.codec import Codec
from hotpath_vehicle.mavlink.geo import Geo
from hotpath_vehicle.mavlink.gimbal_manager import GimbalManager
from hotpath_vehicle.mavlink.loop import Loop
from hotpath_vehicle.mavlink.reports import CameraIdentity, VideoStream
from hotpath_vehicle.mavlink.service import Service
from hotpath_vehicle.mavlink.transport import Transport
from tests.support.run_outputs import run_outputs

FOV = (60.0, 46.0)


@functools.lru_cache(maxsize=1)
def loaded():
    """The default network, which all runs of a process share: to load it takes seconds."""
    return loading.load(Options())


class HandTurnedRun:
    """A tracker, its controller and a MAVLink service; ``turn`` processes one frame."""

    def __init__(self, pictures, key=None, **more):
        self.targets = Targets(loading.create_device(*loaded()))
        self.pictures = pictures
        self.index = 0
        self.rows = []
        source, stop = SimpleNamespace(live=True, period_s=0.0), SimpleNamespace(requested=False)
        options, outputs = LinkOptions(results="rows.csv"), run_outputs(self._write_late)
        self.controller = Controller(options, self.targets, source, stop, outputs)
        self.loop = Loop(self.controller)
        stream = VideoStream(m.STREAM_RTSP, "rtsp://127.0.0.1:8554/live", "tracked", 4000000)
        identity = CameraIdentity(1, 100, "test", FOV, [stream], "/")
        geo = Geo(FOV)
        self.gimbal = GimbalManager(Follow(load_settings(), FOV), 1, 100, 1.0)
        camera = MavlinkCamera(self.loop, identity, geo)
        codec = Codec(1, 100, key)
        nowhere = Transport()
        nowhere.sent = []
        nowhere.receive = list
        nowhere.send = nowhere.sent.append
        self.service = Service(nowhere, codec, camera, geo, self.gimbal, key, 1e9, **more)
        self.turn()

    def _write_late(self, tracked):
        for number, track in tracked.tracks.items():
            self.rows.append((tracked.index, tracked.time_s, number, track))

    def receive(self, data, peer=("127.0.0.1", 14550)):
        return self.service.take(peer, data, time.monotonic())

    def turn(self):
        """Process the next frame; return the messages that are sent for it."""
        now = time.monotonic()
        self.controller.next_frame_is_due()
        frame = self.pictures[self.index % len(self.pictures)]
        tracks = self.targets.update(frame) if len(self.targets) else {}
        tracked = TrackedFrame(frame, self.index, None, tracks, now)
        self.controller.write(tracked)
        self.index += 1
        view = self.loop.view_of(tracked)
        return self.gimbal.frame(view, now) + self.service.camera.tick(now)

    def turn_until(self, done, limit_s=60.0):
        """Process frames until ``done(messages so far)``; returns these messages."""
        sent = []
        ends_s = time.monotonic() + limit_s
        while not done(sent):
            assert time.monotonic() < ends_s, sent
            sent += self.turn()
        return sent

    def close(self):
        self.controller.end()
        self.service.close()
        for number in self.targets.numbers:
            self.targets.drop(number)
