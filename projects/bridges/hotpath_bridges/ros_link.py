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

from hotpath.app.links.publish import encode_datagram
from hotpath.app.links.requests import RequestRefused
from hotpath.links import Context, Link, LinkThread, Run, counted
from hotpath.runtime.errors import BadOutput, NoCamera
from hotpath.video.base import Header, TrackedFrame
from hotpath_bridges.ros import PREFIX, TOPIC, open_bus

POLL_S = 0.2  # how long the end of a run may wait
FRAME_ID = "camera"  # of pictures that did not come from ROS


class RosLink(Link):
    """Sends to ROS 2, and takes the targets that it asks for. Nothing waits for a subscriber.

    Args:
        address: ``ros:/NAME``.
        run: what it asks of the frame loop.
        say: function of one line of text for the user.

    Raises:
        BadOutput: another address, or ROS is not there.
    """

    def __init__(self, address: str, run: Run, say: Callable[[str], None]) -> None:
        named = TOPIC.fullmatch(address)
        if named is None:
            raise BadOutput(
                f"--publish {address}: no topic; give ros:/NAME, such as ros:/tracks",
                what="no topic",
            )
        topic = named.group(1)
        try:
            self._bus, self._end = open_bus()
        except NoCamera as error:
            raise BadOutput(str(error)) from None
        self.sent = 0
        self._run = run
        self._say = say
        self._tracks = self._end.writer(topic, self._bus.Detection2DArray)
        self._state = self._end.writer(topic + "/state", self._bus.String)
        self._boxes = self._end.reader(topic + "/box", self._bus.RegionOfInterest)
        self._closing = threading.Event()
        self.threads = (LinkThread("ros", self._listen),)
        self.threads[0].start()

    def write(self, tracked: TrackedFrame) -> None:
        """Send what is known of a frame."""
        now_s, unix_s = time.monotonic(), time.time()
        boxes = self._detections(tracked, self._header(tracked, unix_s - now_s))
        self._end.send(self._tracks, boxes)
        state = encode_datagram(tracked, now_s, unix_s, self._run.holds)
        self._end.send(self._state, self._bus.String(data=state.decode("utf-8")))
        self.sent += 1

    def lines(self) -> List[str]:
        """How much was sent."""
        return [f"published {counted(self.sent, 'message')} to ROS"]

    def close(self) -> None:
        """Leave the topics."""
        if not self._closing.is_set():
            self._closing.set()
            self.threads[0].join()
            self._end.close()

    def _header(self, tracked: TrackedFrame, since_boot_s: float) -> Any:
        """The header of a picture of ROS, unchanged, so that the boxes belong to that picture.

        Pictures of another source have none: it is the time of the capture by the wall clock.
        """
        header = tracked.header
        if header is None:
            nanos = max(0, int((since_boot_s + tracked.captured_s) * 1e9))
            header = Header(nanos // 10**9, nanos % 10**9, FRAME_ID)
        stamp = self._bus.Time(sec=header.seconds, nanosec=header.nanoseconds)
        return self._bus.Header(stamp=stamp, frame_id=header.frame_id)

    def _detections(self, tracked: TrackedFrame, header: Any) -> Any:
        """The Detection2DArray of a frame."""
        bus = self._bus
        detections = []
        for number, track in tracked.tracks.items():
            if track.lost:
                continue
            x, y, w, h = map(float, track.box)
            middle = bus.Point2D(x=x + w / 2, y=y + h / 2)
            centre = bus.Pose2D(position=middle, theta=0.0)
            name = track.class_name or "target"
            score = float(track.score if track.presence is None else track.presence)
            hypothesis = bus.ObjectHypothesis(class_id=name, score=score)
            what = bus.ObjectHypothesisWithPose(hypothesis=hypothesis, pose=bus.NOWHERE)
            box = bus.BoundingBox2D(center=centre, size_x=w, size_y=h)
            detections.append(
                bus.Detection2D(header=header, results=[what], bbox=box, id=str(number))
            )
        return bus.Detection2DArray(header=header, detections=detections)

    def _listen(self) -> None:
        """The thread: take the boxes that are asked for."""
        while not self._closing.is_set():
            asked = self._end.take(self._boxes, POLL_S)
            newest = self._run.newest
            if asked is None or newest is None:
                continue
            box = asked.x_offset, asked.y_offset, asked.width, asked.height
            replaced = next(iter(newest.tracks), None)
            try:
                request = self._run.call(self._run.add_target, newest.index, box, replaced)
                request.result(timeout=10 * POLL_S)
            except RequestRefused as error:
                self._say(f"a box from ROS is refused: {error}")
            except Exception as error:  # the run has ended, or it is busy
                self._say(f"a box from ROS got no answer ({type(error).__name__})")


def open_link(context: Context) -> RosLink:
    """The link of ``--publish ros:/TOPIC``."""
    assert context.run is not None, "ROS selects targets"
    link = RosLink(context.options.publish, context.run, context.say)
    topic = context.options.publish[len(PREFIX) :]
    context.say(f"ROS: boxes are sent to {topic}; {topic}/box takes a target")
    return link
