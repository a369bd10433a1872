"""Serve a few small files that lie in memory, by MAVLink's file transfer; reading only.

Protocol: mavlink.io/en/services/ftp.html. A request states session and offset itself, so nothing
is kept between requests that a hostile sender could use up. An answer has the session of its
request: some ground stations choose the number themselves, as ArduPilot lets them.
"""

import binascii
import struct
from typing import Dict, List, Optional

from runtime.links.mavlink.messages import Message, Outgoing

HEADER = struct.Struct(
    "<HBBBBBBI"
)  # seq, session, opcode, size, asked opcode, burst end, 0, offset
MOST_DATA = 239  # bytes of one message
MOST_BURST = 16  # messages that one request may cause
PAYLOAD = 251
TERMINATE, RESET, OPEN, READ, CHECKSUM, BURST = 1, 2, 4, 5, 14, 15
ACK, NAK = 128, 129
BAD_SESSION, END_OF_FILE, UNKNOWN, NOT_FOUND = 4, 6, 7, 10


class FileServer:
    """Answers FILE_TRANSFER_PROTOCOL.

    Args:
        files: dict of path, such as "/camera.xml", -> bytes.
        system, component: ours.
    """

    def __init__(self, files: Dict[str, bytes], system: int, component: int) -> None:
        self._files, self._me = files, (system, component)
        self._open: Optional[bytes] = None  # the file that was opened last

    def receive(self, message: Message) -> List[Outgoing]:
        """The answers to one message; none where it is not for us or not of this protocol."""
        fields = message.fields
        if message.name != "FILE_TRANSFER_PROTOCOL":
            return []
        if (fields["target_system"], fields["target_component"]) != self._me:
            return []
        request = bytes(bytearray(fields["payload"])).ljust(PAYLOAD, b"\0")
        seq, session, opcode, size, _, _, _, offset = HEADER.unpack_from(request)
        data = request[HEADER.size : HEADER.size + min(size, MOST_DATA)]
        told = self._answers(opcode, size, offset, data)
        out = []
        for number, (kind, answer, at, is_last) in enumerate(told, 1):
            header = HEADER.pack(
                (seq + number) % 65536, session, kind, len(answer), opcode, is_last, 0, at
            )
            fields = {
                "target_network": 0,
                "target_system": message.system,
                "target_component": message.component,
                "payload": list(bytearray((header + answer).ljust(PAYLOAD, b"\0"))),
            }
            out.append(("FILE_TRANSFER_PROTOCOL", fields))
        return out

    def _answers(self, opcode: int, size: int, offset: int, data: bytes) -> list:
        """List of (ACK or NAK, data, offset, whether a burst ends with it)."""
        if opcode in (TERMINATE, RESET):
            return [(ACK, b"", 0, 0)]
        if opcode in (OPEN, CHECKSUM):
            file = self._files.get(
                "/" + data.split(b"\0")[0].decode("utf-8", "replace").lstrip("/")
            )
            if file is None:
                return [(NAK, bytes(bytearray([NOT_FOUND])), 0, 0)]
            if opcode == CHECKSUM:
                return [(ACK, struct.pack("<I", checksum(file)), 0, 0)]
            self._open = file
            return [(ACK, struct.pack("<I", len(file)), 0, 0)]
        if opcode not in (READ, BURST):
            return [(NAK, bytes(bytearray([UNKNOWN])), 0, 0)]
        if self._open is None:
            return [(NAK, bytes(bytearray([BAD_SESSION])), 0, 0)]
        step = min(size, MOST_DATA) or MOST_DATA
        count = 1 if opcode == READ else MOST_BURST
        places = range(offset, min(len(self._open), offset + count * step), step)
        if not places:
            return [(NAK, bytes(bytearray([END_OF_FILE])), offset, 0)]
        parts = [(ACK, self._open[at : at + step], at, 0) for at in places]
        if opcode == BURST:
            parts[-1] = parts[-1][:3] + (1,)
        return parts


def checksum(data: bytes) -> int:
    """The CRC-32 of the protocol: without the inversions at begin and end that zlib's has."""
    return binascii.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF
