"""Answer the commands that a camera component gets, and send its reports.

This file takes decoded messages and the time, and returns messages to send. It opens no link and
reads no clock; ``service`` does both. Protocol: mavlink.io/en/services/camera.html and
mavlink.io/en/services/command.html.
"""

import math
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from hotpath.runtime.errors import HotpathError
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink import reports
from hotpath_vehicle.mavlink.geo import Geo
from hotpath_vehicle.mavlink.loop import Loop
from hotpath_vehicle.mavlink.messages import Message, Outgoing

Key = Tuple[int, int, int]  # (system, component, command): who sent which command
Parameters = List[float]  # param1 to param7 of a command
# a command's result (MAV_RESULT), and messages to send after its acknowledgement
Answer = Tuple[int, List[Outgoing]]
# the same, but the result is None while the frame loop carries the command out
LaterAnswer = Tuple[Optional[int], List[Outgoing]]

HEARTBEAT_S = 1.0
FIRST_PROGRESS_S = 0.2  # a command that takes longer is answered with IN_PROGRESS
PROGRESS_S = 0.5  # IN_PROGRESS is repeated after this time
# A command that the frame loop has not begun with by then has failed, and is withdrawn. Of one that
# it has begun with, the result is waited for. So no target starts after its command has failed.
GIVE_UP_S = 12.0
REMEMBERED_S = 3.0  # a command that is repeated within this time is answered, but not done again
REMEMBERED = 32  # most answers that are remembered
PARAMETERS = {
    "COMMAND_LONG": [f"param{n}" for n in range(1, 8)],
    "COMMAND_INT": ["param1", "param2", "param3", "param4", "x", "y", "z"],
}
TRACKS = (m.CMD_CAMERA_TRACK_POINT, m.CMD_CAMERA_TRACK_RECTANGLE, m.CMD_CAMERA_STOP_TRACKING)
SMALLEST_SIDE = 0.002  # of a rectangle, share of the frame
SHORTEST_S, LONGEST_S = 0.01, 2147.0  # intervals of messages; int32 holds their microseconds
STALE_S = 0.5  # without a new frame, a message about the old one is sent again after this time
NEW_S = 6.0  # a run that began so lately gives way to another one with its ids
CLOCK_MODULUS_MS = 1 << 24  # of a time in a command: a float holds whole numbers exactly below it


class MavlinkCamera:
    """Answers commands and reports the target.

    Args:
        run: carries the commands out.
        identity: what the camera says of itself.
        geo: computes the target's position; None: no position is computed.
        link_delay_s: assumed age of the picture that the user sees, seconds.
    """

    def __init__(
        self,
        run: Loop,
        identity: reports.CameraIdentity,
        geo: Optional[Geo] = None,
        link_delay_s: float = 0.0,
    ) -> None:
        self.identity = identity
        self.run, self._geo, self._link_delay_s = run, geo, link_delay_s
        self._schedule = _Schedule()
        self._heartbeat_at = 0.0
        self._began_s: Optional[float] = None
        self._pending: OrderedDict[Key, _Pending] = OrderedDict()
        # command -> (parameters, result, time of the answer)
        self._answered: OrderedDict[Key, Tuple[Parameters, int, float]] = OrderedDict()
        self._sent_index: Optional[int] = None  # frame of the last CAMERA_TRACKING_IMAGE_STATUS

    # incoming messages

    def receive(self, message: Message, now: float) -> List[Outgoing]:
        """Return the answers to one message.

        Args:
            message: a decoded message.
            now: seconds of the monotonic clock.
        """
        if message.name == "TIMESYNC" and message.fields["tc1"] == 0:
            return [("TIMESYNC", {"tc1": int(now * 1e9), "ts1": message.fields["ts1"]})]
        if message.name not in PARAMETERS:
            return []
        fields = message.fields
        parameters = [float(fields[name]) for name in PARAMETERS[message.name]]
        ours = fields["target_system"] in (0, self.identity.system)
        addressed = fields["target_component"] == self.identity.component
        if not ours or not (addressed or fields["target_component"] == 0):
            return []
        if not self._is_meant(fields["command"], parameters):
            return []
        who = (message.system, message.component, fields["command"])
        again = self._said_already(who, parameters, fields.get("confirmation", 0), now)
        if again is not None:
            return [self._ack(who, again)]
        told, extra = self._obey(who, parameters, now)
        if told is None:
            return extra  # acknowledged when the frame loop has done it
        if told == m.UNSUPPORTED and not addressed:
            return []  # meant for another component
        self._remember(who, parameters, told, now)
        return [self._ack(who, told)] + extra

    def tick(self, now: float) -> List[Outgoing]:
        """Return the messages that are due: heartbeat, answers, reports at an interval.

        Call it after each frame, and 20 times a second.
        """
        out = self._settle(now)
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT_S
            out.append(reports.heartbeat(self.identity.kind, self._mark(now)))
        view = self.run.view
        for number in self._schedule.due(now):
            if number == m.CAMERA_TRACKING_IMAGE_STATUS:
                if view is None or view.index == self._sent_index:
                    if not self._schedule.overdue(number, now):
                        continue  # wait for the next frame
                self._sent_index = view.index if view else None
            self._schedule.sent(number, now)
            out.extend(self._message(number, now) or ())
        return out

    def _mark(self, now: float) -> int:
        """The mark of this run; its highest bit says that the run is no longer new."""
        self._began_s = now if self._began_s is None else self._began_s
        return self.identity.mark | (m.SETTLED if now - self._began_s >= NEW_S else 0)

    # commands

    def _is_meant(self, command: int, parameters: Parameters) -> bool:
        """Whether a command names this camera, all cameras, or none (an older sender)."""
        if command not in m.TARGET_CAMERA:
            return True
        camera = parameters[m.TARGET_CAMERA[command]]
        everyone = math.isnan(camera) or camera in (m.ALL_CAMERAS, m.NOT_SET)
        return everyone or camera == self.identity.component

    def _obey(self, who: Key, p: Parameters, now: float) -> LaterAnswer:
        """Carry a command out, or ask the frame loop to do it."""
        command = who[2]
        if command == m.CMD_REQUEST_MESSAGE:
            return self._give(p[0], now)
        if command in reports.OLD_REQUESTS:
            return self._give(reports.OLD_REQUESTS[command], now)
        if command == m.CMD_SET_MESSAGE_INTERVAL:
            return self._set_interval(_streamed(p[0]), p[1], now), []
        if command == m.CMD_GET_MESSAGE_INTERVAL:
            return self._get_interval(_streamed(p[0]))
        if command == m.CMD_CAMERA_TRACK_POINT:
            return self._track_point(who, p, now)
        if command == m.CMD_CAMERA_TRACK_RECTANGLE:
            return self._track_rectangle(who, p, now)
        if command == m.CMD_CAMERA_STOP_TRACKING:
            return self._later(who, p, self.run.stop, (), now)
        if command in (m.CMD_VIDEO_START_CAPTURE, m.CMD_VIDEO_STOP_CAPTURE):
            on = command == m.CMD_VIDEO_START_CAPTURE
            can = self.run.recording[0]
            return self._later(who, p, self.run.record, (on,), now) if can else (m.DENIED, [])
        if command in (m.CMD_VIDEO_START_STREAMING, m.CMD_VIDEO_STOP_STREAMING):
            return self._streaming(p[0], command == m.CMD_VIDEO_START_STREAMING), []
        return m.UNSUPPORTED, []

    def _give(self, requested: float, now: float) -> Answer:
        """REQUEST_MESSAGE: send the message of that number once."""
        number = _whole(requested)
        messages = self._message(number, now) if number is not None else None
        if messages is None:
            return m.UNSUPPORTED, []
        return (m.ACCEPTED if messages else m.TEMPORARILY_REJECTED), messages

    def _set_interval(self, number: Optional[int], interval_us: float, now: float) -> int:
        """SET_MESSAGE_INTERVAL; returns the result."""
        if number is None or (number == m.CAMERA_TRACKING_GEO_STATUS and self._geo is None):
            return m.UNSUPPORTED
        return m.ACCEPTED if self._schedule.set(number, interval_us, now) else m.DENIED

    def _get_interval(self, number: Optional[int]) -> Answer:
        """GET_MESSAGE_INTERVAL."""
        if number is None:
            return m.UNSUPPORTED, []
        fields = {"message_id": number, "interval_us": self._schedule.interval_us(number)}
        return m.ACCEPTED, [("MESSAGE_INTERVAL", fields)]

    def _track_point(self, who: Key, p: Parameters, now: float) -> LaterAnswer:
        """CAMERA_TRACK_POINT: x, y, radius as shares of the frame; param6 is the frame's time.

        The radius is not used: QGroundControl sends the radius of its mark on the screen.
        """
        view = self.run.view
        radius = p[2] if math.isfinite(p[2]) else 0.0
        if view is None:
            return m.TEMPORARILY_REJECTED, []
        if not all(0.0 <= value <= 1.0 for value in (p[0], p[1], radius)):
            return m.DENIED, []
        width, height = view.size
        point = (min(p[0] * width, width - 1.0), min(p[1] * height, height - 1.0))
        return self._later(who, p, self.run.start_point, (point, self._seen(p[5], now)), now)

    def _track_rectangle(self, who: Key, p: Parameters, now: float) -> LaterAnswer:
        """CAMERA_TRACK_RECTANGLE: two corners as shares of the frame; param6 as for a point."""
        view = self.run.view
        if view is None:
            return m.TEMPORARILY_REJECTED, []
        if not all(0.0 <= value <= 1.0 for value in p[:4]):  # NaN is refused too
            return m.DENIED, []
        (left, right), (top, bottom) = sorted((p[0], p[2])), sorted((p[1], p[3]))
        if right - left < SMALLEST_SIDE or bottom - top < SMALLEST_SIDE:
            return m.DENIED, []
        width, height = view.size
        box = (left * width, top * height, (right - left) * width, (bottom - top) * height)
        return self._later(who, p, self.run.start_box, (box, self._seen(p[5], now)), now)

    def _seen(self, stated_ms: float, now: float) -> float:
        """The capture time of the frame that the user saw, seconds of the monotonic clock.

        Args:
            stated_ms: the command's value: that frame's time_boot_ms modulo 2**24. 0 or NaN: the
                command states no time.
        """
        if not math.isfinite(stated_ms) or not 0 < stated_ms < CLOCK_MODULUS_MS:
            return now - self._link_delay_s
        age_ms = (reports.boot_ms(now) - int(stated_ms)) % CLOCK_MODULUS_MS
        return now - age_ms / 1e3

    def _streaming(self, stream: float, on: bool) -> int:
        """The stream always runs: a start is accepted and changes nothing, a stop is denied."""
        number = _whole(stream)
        if number is None or number > len(self.identity.streams):
            return m.DENIED
        return m.ACCEPTED if on and self.identity.streams else m.DENIED

    # commands that the frame loop carries out

    def _later(
        self,
        who: Key,
        parameters: Parameters,
        function: "Callable[..., Future[Any]]",
        arguments: Tuple[Any, ...],
        now: float,
    ) -> LaterAnswer:
        """Ask the frame loop to carry a command out. A later ``tick`` acknowledges it."""
        if who in self._pending:
            return m.TEMPORARILY_REJECTED, []
        try:
            future = function(*arguments)
        except HotpathError:
            return m.TEMPORARILY_REJECTED, []
        self._pending[who] = _Pending(future, list(parameters), now)
        return None, self._settle(now)

    def _settle(self, now: float) -> List[Outgoing]:
        """Acknowledge the commands that are done; answer the others with IN_PROGRESS."""
        out: List[Outgoing] = []
        for who, pending in list(self._pending.items()):
            late = now - pending.since >= GIVE_UP_S
            if not pending.future.done() and not (late and pending.future.cancel()):
                if now >= pending.say_at:
                    pending.say_at = now + PROGRESS_S
                    out.append(self._ack(who, m.IN_PROGRESS))
                continue
            del self._pending[who]
            if pending.future.cancelled():
                result = m.FAILED
            else:
                result = m.ACCEPTED if pending.future.exception() is None else m.DENIED
            self._remember(who, pending.parameters, result, now)
            out.append(self._ack(who, result))
        return out

    def _said_already(
        self, who: Key, parameters: Parameters, confirmation: int, now: float
    ) -> Optional[int]:
        """The result of a command that is only a repetition; None for a new command."""
        pending = self._pending.get(who)
        if pending is not None and _same(pending.parameters, parameters):
            return m.IN_PROGRESS
        before = self._answered.get(who)
        # MAVSDK repeats a command with confirmation 0, and a target must not start twice
        done = before and before[1] == m.ACCEPTED and who[2] in TRACKS
        if before and (confirmation or done) and _same(before[0], parameters):
            return before[1] if now - before[2] < REMEMBERED_S else None
        return None

    def _remember(self, who: Key, parameters: Parameters, result: int, now: float) -> None:
        """Keep an answer, so that a repetition of its command gets the same."""
        if who[2] in TRACKS:  # after this, an earlier selection is a new command
            for command in TRACKS:
                self._answered.pop((who[0], who[1], command), None)
        self._answered[who] = (list(parameters), result, now)
        self._answered.move_to_end(who)
        while len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)

    def _ack(self, who: Key, result: int) -> Outgoing:
        """COMMAND_ACK."""
        progress = 255 if result == m.IN_PROGRESS else 0  # 255: not known
        fields = dict(zip(("target_system", "target_component", "command"), who))
        return "COMMAND_ACK", dict(fields, result=result, progress=progress)

    # messages

    def _message(self, number: int, now: float) -> Optional[List[Outgoing]]:
        """The messages of that number. []: nothing to report now; None: we do not send it."""
        view, me, run, geo = self.run.view, self.identity, self.run, self._geo
        builders: Dict[int, Callable[[], Optional[List[Outgoing]]]] = {
            m.CAMERA_INFORMATION: lambda: [reports.information(me, run, view, bool(geo), now)],
            m.CAMERA_SETTINGS: lambda: [reports.settings(now)],
            m.STORAGE_INFORMATION: lambda: [reports.storage(me, now)],
            m.CAMERA_CAPTURE_STATUS: lambda: [reports.capture_status(me, run, now)],
            m.VIDEO_STREAM_INFORMATION: lambda: reports.stream_information(me, view) or None,
            m.VIDEO_STREAM_STATUS: lambda: reports.stream_status(me, view) or None,
            m.CAMERA_TRACKING_IMAGE_STATUS: lambda: reports.tracking(view, now),
            m.CAMERA_TRACKING_GEO_STATUS: lambda: geo.status(view) if geo else None,
        }
        return builders[number]() if number in builders else None


class _Schedule:
    """Intervals of messages by number (MAV_CMD_SET_MESSAGE_INTERVAL)."""

    def __init__(self) -> None:
        self._streams: Dict[int, Tuple[float, float]] = {}  # (interval, when it is due), seconds

    def set(self, number: int, interval_us: float, now: float) -> bool:
        """Send that message at an interval. Return whether the interval is possible.

        Args:
            number: number of the message; the caller checks that there is such a message.
            interval_us: microseconds; -1 and 0 (the default) stop it.
            now: seconds of the monotonic clock.
        """
        if interval_us in (-1, 0):
            self._streams.pop(number, None)
        elif 0 < interval_us <= LONGEST_S * 1e6:  # NaN is not
            self._streams[number] = max(interval_us / 1e6, SHORTEST_S), now
        else:
            return False
        return True

    def interval_us(self, number: int) -> int:
        """The interval in microseconds; -1 if the message is not sent."""
        return int(round(self._streams.get(number, (-1e-6, 0.0))[0] * 1e6))

    def due(self, now: float) -> List[int]:
        """Numbers of the messages that are due."""
        return [number for number, (_, at) in self._streams.items() if now >= at]

    def overdue(self, number: int, now: float) -> bool:
        """Whether a message has waited so long for a new frame that the old one is reported."""
        every_s, at = self._streams[number]
        return now - at > max(STALE_S, every_s)

    def sent(self, number: int, now: float) -> None:
        """Note that a message was sent now, and set when the next one is due.

        Messages keep their even spacing. After a pause at most two missed ones are sent.
        """
        every_s, at = self._streams[number]
        self._streams[number] = every_s, max(at + every_s, now - every_s)


class _Pending:
    """A command that the frame loop was asked to carry out."""

    def __init__(self, future: "Future[Any]", parameters: Parameters, now: float) -> None:
        self.future, self.parameters, self.since = future, parameters, now
        self.say_at = now + FIRST_PROGRESS_S


def _whole(value: float) -> Optional[int]:
    """The value as an int; None if it is negative or not a whole number."""
    return int(value) if math.isfinite(value) and value == int(value) and value >= 0 else None


def _streamed(value: float) -> Optional[int]:
    """The number of a message that can be sent at an interval; None: it is none."""
    number = _whole(value)
    return number if number in reports.STREAMED else None


def _same(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether two lists of parameters are equal; NaN equals NaN."""
    return all(x == y or (x != x and y != y) for x, y in zip(a, b))
