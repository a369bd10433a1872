"""``--publish ros:/tracks``: boxes and states for ROS 2, and a target from it.

| topic | type | |
|---|---|---|
| /tracks | vision_msgs/Detection2DArray | one message a frame; lost targets are left out |
| /tracks/state | std_msgs/String | the JSON of docs/publish.schema.json |
| /tracks/box | sensor_msgs/RegionOfInterest | read: a target in that box of the newest frame |
"""

import threading
import time
from typing import Any, Callable, List

from runtime.errors import BadOutput, NoCamera
from runtime.links.base import Context, Link, LinkThread
from runtime.links.control import Controller, Refused
from runtime.links.publish import encoded
from runtime.types import TrackedFrame
from runtime.video.ros import PREFIX, TOPIC, open_dds

POLL_S = 0.2  # how long the end of a run may wait
FRAME_ID = "camera"


class RosLink(Link):
    """Sends to ROS 2, and takes the targets that it asks for. Nothing waits for a subscriber.

    Args:
        address: ``ros:/NAME``.
        controller: of the frame loop.
        say: function of one line of text for the user.

    Raises:
        BadOutput: another address, or the package cyclonedds is missing.
    """

    def __init__(self, address: str, controller: Controller, say: Callable[[str], None]) -> None:
        named = TOPIC.fullmatch(address)
        if named is None:
            raise BadOutput(f"--publish {address}: no topic; give ros:/NAME, such as ros:/tracks")
        topic = named.group(1)
        try:
            self._dds, self._end = open_dds()
        except NoCamera as error:
            raise BadOutput(str(error)) from None
        self.sent, self._controller, self._say = 0, controller, say
        self._tracks = self._end.writer(topic, self._dds.Detection2DArray)
        self._state = self._end.writer(topic + "/state", self._dds.String)
        self._boxes = self._end.reader(topic + "/box", self._dds.RegionOfInterest)
        self._closing = threading.Event()
        self.threads = (LinkThread("ros", self._listen),)
        self.threads[0].start()

    def show(self, tracked: TrackedFrame, recording: bool = False) -> None:
        """Send what is known of a frame."""
        now_s, unix_s = time.monotonic(), time.time()
        self._tracks.write(self._detections(tracked, unix_s - now_s + tracked.captured_s))
        state = encoded(tracked, now_s, unix_s, self._controller.holds)
        self._state.write(self._dds.String(state.decode("utf-8")))
        self.sent += 1

    def lines(self) -> List[str]:
        """How much was sent."""
        return [f"published {self.sent} messages to ROS"]

    def close(self) -> None:
        """Leave the topics."""
        if not self._closing.is_set():
            self._closing.set()
            self.threads[0].join()
            self._end.close()

    def _detections(self, tracked: TrackedFrame, captured_s: float) -> Any:
        """The Detection2DArray of a frame; ``captured_s`` of the wall clock."""
        dds = self._dds
        nanos = max(0, int(captured_s * 1e9))
        header = dds.Header(dds.Time(nanos // 10**9, nanos % 10**9), FRAME_ID)
        detections = []
        for number, track in tracked.tracks.items():
            if track.lost:
                continue
            x, y, w, h = track.box
            centre = dds.Pose2D(dds.Point2D(x + w / 2, y + h / 2), 0.0)
            hypothesis = dds.ObjectHypothesis(track.class_name or "target", float(track.score))
            what = dds.ObjectHypothesisWithPose(hypothesis, dds.NOWHERE)
            box = dds.BoundingBox2D(centre, float(w), float(h))
            detections.append(dds.Detection2D(header, [what], box, str(number)))
        return dds.Detection2DArray(header, detections)

    def _listen(self) -> None:
        """The thread: take the boxes that are asked for."""
        while not self._closing.is_set():
            asked = self._end.take(self._boxes, POLL_S)
            newest = self._controller.newest
            if asked is None or newest is None:
                continue
            box = asked.x_offset, asked.y_offset, asked.width, asked.height
            replaced = next(iter(newest.tracks), None)
            try:
                request = self._controller.call(
                    self._controller.add_target, newest.index, box, replaced
                )
                request.result(timeout=10 * POLL_S)
            except Refused as error:
                self._say(f"a box from ROS is refused: {error}")
            except Exception as error:  # the run has ended, or it is busy
                self._say(f"a box from ROS got no answer ({type(error).__name__})")


def open_link(context: Context) -> RosLink:
    """The link of ``--publish ros:/TOPIC``."""
    assert context.controller is not None, "ROS selects targets"
    link = RosLink(context.options.publish, context.controller, context.say)
    topic = context.options.publish[len(PREFIX) :]
    context.say(f"ROS: boxes are sent to {topic}; {topic}/box takes a target")
    return link
