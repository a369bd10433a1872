"""MAVLink messages as plain values. This file needs no MAVLink library."""

from typing import Any, Dict, NamedTuple, Tuple

Outgoing = Tuple[str, Dict[str, Any]]  # (name, fields) of a message to send


class Message(NamedTuple):
    """A decoded message.

    Attributes:
        name: such as "HEARTBEAT".
        fields: dict of field -> number, bytes, or list of numbers; the names are MAVLink's.
        system, component: MAVLink's ids of the sender.
    """

    name: str
    fields: Dict[str, Any]
    system: int
    component: int
