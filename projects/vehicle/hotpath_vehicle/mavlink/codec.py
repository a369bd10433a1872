"""Turn MAVLink packets into plain values and back. Only this file imports pymavlink."""

import os
import struct
from typing import Dict, Optional

os.environ.setdefault("MAVLINK20", "1")  # older pymavlink asks for it at import
from pymavlink.dialects.v20 import common

from hotpath_vehicle.mavlink.messages import Message


class Codec:
    """Encodes the messages of our component, and decodes messages of all components.

    Args:
        system, component: our ids.
        key: 32 bytes to sign with, or None.
    """

    def __init__(self, system: int, component: int, key: Optional[bytes] = None) -> None:
        self._mav = common.MAVLink(None, system, component)
        if key is not None:
            self._mav.signing.secret_key = key
            self._mav.signing.sign_outgoing = True
        self._decoder = common.MAVLink(None, system, component)  # checks no signature

    def encode(self, name: str, fields: Dict[str, object]) -> bytes:
        """The packet of a message. Fields without a value are 0; unknown ones are left out."""
        kind = getattr(common, f"MAVLink_{name.lower()}_message")
        zeros = (b"" if of == "char" else 0 for of in kind.fieldtypes)
        pairs = zip(kind.fieldnames, zeros)
        message = kind(**{key: fields.get(key, zero) for key, zero in pairs})
        packet = message.pack(self._mav)
        self._mav.seq = (self._mav.seq + 1) % 256
        return bytes(packet)

    def renew(self, ticks: int) -> None:
        """Move the time stamp of the signatures forward (``packets.ticks_at``); never back."""
        self._mav.signing.timestamp = max(self._mav.signing.timestamp, ticks)

    def decode(self, packet: bytes) -> Optional[Message]:
        """A packet's message; None when the packet is damaged or of no known kind."""
        try:
            message = self._decoder.decode(bytearray(packet))
        except (common.MAVError, struct.error, ValueError, TypeError, IndexError):
            return None
        name = message.get_type()
        if name.startswith("UNKNOWN") or name == "BAD_DATA":
            return None
        fields = {key: getattr(message, key) for key in message.get_fieldnames()}
        return Message(name, fields, message.get_srcSystem(), message.get_srcComponent())
