"""Plain values: MAVLink's messages, and what the link's thread knows of a frame."""

from typing import Any, Dict, NamedTuple, Optional, Tuple

from hotpath.runtime.types import Track

Fields = Dict[str, Any]
Outgoing = Tuple[str, Fields]  # (name, fields) of a message to send


class Message(NamedTuple):
    """A decoded message.

    Attributes:
        name: such as "HEARTBEAT".
        fields: dict of field -> number, bytes, or list of numbers; the names are MAVLink's.
        system, component: MAVLink's ids of the sender.
    """

    name: str
    fields: Fields
    system: int
    component: int


class TargetView(NamedTuple):
    """What is known after a frame.

    Attributes:
        index: index of the frame, from 0.
        captured_s: when the frame was taken, seconds of the monotonic clock.
        size: (width, height) of the frame, pixels.
        track: ``Track`` of the target that is reported, or None.
        number: number of that target, or None.
        fps: frames a second that are tracked, or None.
        acts: of ``Selection``.
        doubt: why the picture is no evidence; see ``steering.Evidence``.
    """

    index: int  # type: ignore[assignment]  # in the place of a tuple's own method
    captured_s: float
    size: Tuple[int, int]
    track: Optional[Track]
    number: Optional[int]
    fps: Optional[float]
    acts: int = 0
    doubt: Optional[str] = None
