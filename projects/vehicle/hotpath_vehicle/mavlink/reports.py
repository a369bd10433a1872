"""Build the messages that the camera component sends.

Each function returns (name, fields), or a list of such pairs. A field that is left out is 0. A
message about a frame carries the capture time of that frame; any other message carries the present
time. ``now`` is in seconds of the monotonic clock.
"""

import contextlib
import math
import shutil
import zlib
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from hotpath.runtime.types import TRACKED, Track
from hotpath_vehicle.mavlink import numbers as m
from hotpath_vehicle.mavlink.loop import Loop
from hotpath_vehicle.mavlink.messages import Fields, Outgoing, TargetView


class VideoStream(NamedTuple):
    """A picture stream.

    Attributes:
        kind: one of ``numbers.STREAM_…``.
        uri: its address, or its port for what comes over UDP.
        name: shown to the user.
        bitrate_bps: bits a second.
    """

    kind: int
    uri: str
    name: str
    bitrate_bps: int


class CameraIdentity(NamedTuple):
    """What the camera says of itself.

    Attributes:
        system, component: MAVLink's ids.
        model: such as "Hotpath kestrel".
        fov_deg: (horizontal, vertical) field of view in degrees, or None.
        streams: the picture streams.
        folder: where files are written; its free space is reported. None: nowhere.
        kind: MAV_TYPE of the heartbeat, ``numbers.TYPE_CAMERA`` or ``TYPE_ONBOARD_CONTROLLER``.
        mark: random number of this run, by which it knows its own heartbeats again.
    """

    system: int
    component: int
    model: str
    fov_deg: Optional[Tuple[float, float]]
    streams: Sequence[VideoStream]
    folder: Optional[str]
    kind: int = m.TYPE_CAMERA
    mark: int = 0


OLD_REQUESTS = {  # commands that ask for one kind of message; REQUEST_MESSAGE replaced them
    m.CMD_REQUEST_CAMERA_INFORMATION: m.CAMERA_INFORMATION,
    m.CMD_REQUEST_CAMERA_SETTINGS: m.CAMERA_SETTINGS,
    m.CMD_REQUEST_STORAGE_INFORMATION: m.STORAGE_INFORMATION,
    m.CMD_REQUEST_CAMERA_CAPTURE_STATUS: m.CAMERA_CAPTURE_STATUS,
    m.CMD_REQUEST_VIDEO_STREAM_INFORMATION: m.VIDEO_STREAM_INFORMATION,
    m.CMD_REQUEST_VIDEO_STREAM_STATUS: m.VIDEO_STREAM_STATUS,
}
STREAMED = {m.CAMERA_TRACKING_IMAGE_STATUS, m.CAMERA_TRACKING_GEO_STATUS, *OLD_REQUESTS.values()}
STREAMED.remove(m.VIDEO_STREAM_INFORMATION)
Component = Tuple[int, int]  # (system, component)
NAN = float("nan")
MIB = float(1 << 20)
CHUNK = 50  # characters of a STATUSTEXT
STORAGE_READY, STORAGE_UNSUPPORTED = 2, 3  # STORAGE_STATUS


def boot_ms(seconds: float) -> int:
    """Return time_boot_ms of a time of the monotonic clock, which on Linux counts from the boot."""
    return int(seconds * 1e3) & 0xFFFFFFFF


def command_long(to: Component, command: int, *parameters: float) -> Outgoing:
    """COMMAND_LONG with param1, param2 ...; those that are not given are 0."""
    values = [float(v) for v in parameters] + [0.0] * (7 - len(parameters))
    fields: Fields = {f"param{n}": value for n, value in enumerate(values, 1)}
    fields.update(target_system=to[0], target_component=to[1], command=command, confirmation=0)
    return "COMMAND_LONG", fields


def status_text(text: str) -> List[Outgoing]:
    """STATUSTEXT: a warning for the user, in chunks of 50 characters. The last one is shorter."""
    words = text.encode("ascii", "replace")
    chunks = [words[n : n + CHUNK] for n in range(0, len(words) + 1, CHUNK)]
    number = 1 + zlib.crc32(words) % 0xFFFF if len(chunks) > 1 else 0
    fields: Fields = {"severity": m.SEVERITY_WARNING, "id": number}
    parts = (dict(fields, text=part, chunk_seq=n) for n, part in enumerate(chunks))
    return [("STATUSTEXT", part) for part in parts]


def heartbeat(kind: int = m.TYPE_CAMERA, mark: int = 0) -> Outgoing:
    """HEARTBEAT of a component of that MAV_TYPE; ``custom_mode`` is free for a camera."""
    return "HEARTBEAT", {
        "type": kind,
        "custom_mode": mark,
        "autopilot": m.AUTOPILOT_INVALID,
        "system_status": m.STATE_ACTIVE,
        "mavlink_version": 3,
    }


def information(
    identity: CameraIdentity, run: Loop, view: Optional[TargetView], has_geo: bool, now: float
) -> Outgoing:
    """CAMERA_INFORMATION: what the camera can do."""
    flags = m.CAP_HAS_TRACKING_RECTANGLE
    flags |= m.CAP_HAS_TRACKING_POINT if run.finds_at_points else 0
    flags |= m.CAP_HAS_TRACKING_GEO_STATUS if has_geo else 0
    flags |= m.CAP_HAS_VIDEO_STREAM if identity.streams else 0
    flags |= m.CAP_CAPTURE_VIDEO if run.recording[0] else 0
    fields: Fields = dict.fromkeys(("focal_length", "sensor_size_h", "sensor_size_v"), NAN)
    fields.update(_resolution(view), time_boot_ms=boot_ms(now), firmware_version=1, flags=flags)
    fields["vendor_name"] = _text(b"Hotpath", 32)
    fields["model_name"] = _text(identity.model.encode("ascii", "replace"), 32)
    return "CAMERA_INFORMATION", fields


def settings(now: float) -> Outgoing:
    """CAMERA_SETTINGS: always in video mode, no zoom, no focus."""
    return "CAMERA_SETTINGS", {
        "time_boot_ms": boot_ms(now),
        "mode_id": m.MODE_VIDEO,
        "zoomLevel": NAN,
        "focusLevel": NAN,
    }


def storage(identity: CameraIdentity, now: float) -> Outgoing:
    """STORAGE_INFORMATION of the folder that files are written to."""
    total, used, free = _disk(identity.folder)
    return "STORAGE_INFORMATION", {
        "time_boot_ms": boot_ms(now),
        "storage_id": 1,
        "storage_count": 1 if total else 0,
        "status": STORAGE_READY if total else STORAGE_UNSUPPORTED,
        "total_capacity": total,
        "used_capacity": used,
        "available_capacity": free,
        "read_speed": NAN,
        "write_speed": NAN,
        "type": 254,
    }


def capture_status(identity: CameraIdentity, run: Loop, now: float) -> Outgoing:
    """CAMERA_CAPTURE_STATUS: whether the run writes to its files."""
    can, since = run.recording
    began = since if can else None
    seconds = 0.0 if began is None else max(0.0, now - began)  # it may have begun after ``now``
    return "CAMERA_CAPTURE_STATUS", {
        "time_boot_ms": boot_ms(now),
        "video_status": 0 if began is None else 1,
        "recording_time_ms": int(seconds * 1e3) & 0xFFFFFFFF,
        "available_capacity": _disk(identity.folder)[2],
    }


def stream_information(identity: CameraIdentity, view: Optional[TargetView]) -> List[Outgoing]:
    """VIDEO_STREAM_INFORMATION of every stream."""
    out = []
    for stream, (_, fields) in zip(identity.streams, stream_status(identity, view)):
        name, uri = (text.encode("ascii", "replace") for text in (stream.name, stream.uri))
        fields = dict(fields, count=len(identity.streams), type=stream.kind, name=name[:31])
        fields.update(uri=uri[:159], encoding=m.ENCODING_H264)
        out.append(("VIDEO_STREAM_INFORMATION", fields))
    return out


def stream_status(identity: CameraIdentity, view: Optional[TargetView]) -> List[Outgoing]:
    """VIDEO_STREAM_STATUS of every stream."""
    fields = {
        "flags": m.STREAM_RUNNING if view else 0,
        "framerate": float(view.fps or 0.0) if view else 0.0,
        "hfov": int(round(identity.fov_deg[0])) if identity.fov_deg else 0,
    }
    fields.update(_resolution(view))
    return [
        ("VIDEO_STREAM_STATUS", dict(fields, stream_id=number, bitrate=stream.bitrate_bps))
        for number, stream in enumerate(identity.streams, 1)
    ]


def _resolution(view: Optional[TargetView]) -> Dict[str, int]:
    """The frame's size; zeros before the first frame."""
    return dict(zip(("resolution_h", "resolution_v"), view.size if view else (0, 0)))


def tracking(view: Optional[TargetView], now: float) -> List[Outgoing]:
    """CAMERA_TRACKING_IMAGE_STATUS, and before it the frame's index and capture time.

    CAMERA_TRACKING_IMAGE_STATUS has no field for a time. So NAMED_VALUE_INT "frame" is sent before
    it: its time_boot_ms is the capture time of the frame, its value is the frame's index.
    """
    fields: Fields = dict.fromkeys(("point_x", "point_y", "radius"), NAN)
    fields.update(tracking_status=m.TRACKING_IDLE, tracking_mode=m.TRACK_NONE)
    corners = [NAN] * 4
    if view is not None and view.track is not None:
        corners = corners_of(view.track.box, view.size)
        # a point is reported as the rectangle that was found there
        fields.update(tracking_mode=m.TRACK_RECTANGLE, target_data=m.DATA_IN_STATUS)
        fields["tracking_status"] = tracking_status(view.track)
    fields.update(zip(("rec_top_x", "rec_top_y", "rec_bottom_x", "rec_bottom_y"), corners))
    stamp = {
        "time_boot_ms": boot_ms(view.captured_s if view else now),
        "name": b"frame",
        "value": view.index if view else -1,
    }
    return [("NAMED_VALUE_INT", stamp), ("CAMERA_TRACKING_IMAGE_STATUS", fields)]


def tracking_status(track: Track) -> int:
    """CAMERA_TRACKING_STATUS_FLAGS of a track: active, or error while it is unsure or lost.

    MAVLink has no word between them, and whoever flies after an unsure box flies after a stranger.
    """
    return m.TRACKING_ACTIVE if track.state == TRACKED else m.TRACKING_ERROR


def corners_of(box: Sequence[float], size: Tuple[int, int]) -> List[float]:
    """[left, top, right, bottom] of a box as shares of the frame, 0 to 1; NaN stays NaN.

    Args:
        box: (x, y, w, h), pixels of the frame.
        size: (width, height) of the frame, pixels.
    """
    x, y, w, h = box
    width, height = size
    corners = (x / width, y / height, (x + w) / width, (y + h) / height)
    return [min(1.0, max(0.0, value)) if math.isfinite(value) else NAN for value in corners]


def _text(text: bytes, length: int) -> List[int]:
    """The bytes of a text, cut or filled with zeros to the length of its field."""
    return list(bytearray(text[: length - 1].ljust(length, b"\0")))


def _disk(folder: Optional[str]) -> Tuple[float, float, float]:
    """(total, used, free) MiB of the disk that holds a folder; zeros if there is no folder."""
    if folder is not None:
        with contextlib.suppress(OSError):
            usage = shutil.disk_usage(folder)
            return usage.total / MIB, usage.used / MIB, usage.free / MIB
    return 0.0, 0.0, 0.0
