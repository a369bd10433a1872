"""Decode the bytes of a picture file, whose size is read first."""

import re
import struct
from typing import List, Optional, Tuple

import cv2
import numpy as np

from hotpath.runtime.errors import BadSource
from hotpath.runtime.frames.jpeg_frames import WHOLE, jpeg_shape
from hotpath.video.limits import PNG, TIFF, check_size, is_animated_png, is_animated_webp

JPEG, JPEG_END = b"\xff\xd8", b"\xff\xd9"
KINDS = "JPEG, PNG, TIFF, WebP, BMP, PGM"
WIDTH, HEIGHT, DESCRIPTION = 256, 257, 270  # tags of TIFF
IMAGEJ = re.compile(rb"images=0*([2-9]|[1-9]\d)")  # pictures behind one head, in its description
_PNM = re.compile(rb"P[1-6](?:\s+#[^\n]*)*\s+(\d+)(?:\s+#[^\n]*)*\s+(\d+)")
# fill bytes, and start markers after the first: a marker's own ff stays
_EXTRA = re.compile(b"(?:\xff(?=\xff)|\xff\xd8)+")
# a marker with content: no stuffed byte, and none of TEM, RST0 to RST7, SOI
_JPEG_MARKER = re.compile(b"\xff[^\x00\x01\xd0-\xd8\xff]")


def decode_picture(data: bytes, name: str) -> np.ndarray:
    """The picture of a file, of 8 or 16 bits, as OpenCV decodes it.

    Args:
        data: the file.
        name: its name in messages.

    Raises:
        BadSource: it is too large, cut off, or no picture.
    """
    if is_cut_off(data):  # OpenCV would paint the missing part grey without a warning
        raise BadSource(f"{name}: the picture is cut off", what="cut off")
    size = size_of(data)
    if size is None:
        raise BadSource(f"{name}: not a picture of a kind that is read ({KINDS})")
    check_size(name, *size)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), WHOLE)
        if picture is None and data.startswith(TIFF):  # of floats, or of whole numbers of 32 bits
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            picture = None if picture is None else picture.astype(np.float32)
    except cv2.error as error:
        reason = str(error).strip().splitlines()[0]
        raise BadSource(f"{name}: OpenCV refuses this picture ({reason})") from None
    if picture is None:
        raise BadSource(f"{name}: not a picture that OpenCV can read")
    return np.asarray(picture)


def size_of(data: bytes) -> Optional[Tuple[int, int]]:
    """(width, height) that a picture file states; None for files of other kinds.

    Sources: W3C PNG 11.2.2, RFC 9649 2.5 to 2.7, TIFF 6.0 and BigTIFF, the headers of BMP, and of
    PBM, PGM and PPM.
    """
    try:
        if data[:8] == PNG:
            width, height = struct.unpack_from(">II", data, 16)
        elif data[:2] == JPEG:
            height, width, _ = jpeg_shape(np.frombuffer(plain_jpeg(data), np.uint8))
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            width, height = _size_of_webp(data)
        elif data.startswith(TIFF):
            width, height, _ = _head_of_tiff(data)
        elif data[:2] == b"BM":
            is_old = struct.unpack_from("<I", data, 14)[0] == 12
            width, height = struct.unpack_from("<HH" if is_old else "<ii", data, 18)
        else:
            header = _PNM.match(data[:4096])
            if header is None:
                return None
            width, height = map(int, header.groups())
    except (struct.error, ValueError, KeyError):  # cut off
        return None
    return abs(width), abs(height)


def holds_several(data: bytes) -> bool:
    """Whether a picture file states that it has more pictures than the first one."""
    if not data.startswith(TIFF):
        return is_animated_png(data) or is_animated_webp(data)
    try:
        return _head_of_tiff(data)[2]
    except (struct.error, KeyError):  # cut off, or a head behind the bytes that were read
        return False


def _head_of_tiff(data: bytes) -> Tuple[int, int, bool]:
    """Width and height of the first page, and whether there is another page or picture."""
    order, is_big = "<" if data[:2] == b"II" else ">", b"+" in data[2:4]
    number, count, wide, first = ("Q", "Q", 20, 8) if is_big else ("I", "H", 12, 4)
    (at,) = struct.unpack_from(order + number, data, first)
    (tags,) = struct.unpack_from(order + count, data, at)
    at += struct.calcsize(order + count)
    sides, text = {}, b""
    for entry in range(at, min(at + tags * wide, len(data)), wide):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (WIDTH, HEIGHT):
            form = order + {3: "H", 16: "Q"}.get(kind, "I")
            (sides[tag],) = struct.unpack_from(form, data, entry + (12 if is_big else 8))
        elif tag == DESCRIPTION:
            length, place = struct.unpack_from(order + 2 * number, data, entry + 4)
            text = data[place : place + length]
    (following,) = struct.unpack_from(order + number, data, at + tags * wide)
    is_stack = text.startswith(b"ImageJ=") and IMAGEJ.search(text) is not None
    return sides[WIDTH], sides[HEIGHT], bool(following) or is_stack


def _size_of_webp(data: bytes) -> Tuple[int, int]:
    if data[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if data[12:16] == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = (int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
    return width + 1, height + 1


def is_cut_off(data: bytes) -> bool:
    """Whether the bytes of a JPEG or PNG file end before its end marker; others: False."""
    if data[:2] == JPEG:
        # from marker to marker (ITU-T T.81 annex B), because a preview in EXIF has its own end
        marker = _JPEG_MARKER.search(data, 2)
        while marker and marker.group() != JPEG_END:
            at = marker.end()
            length = struct.unpack(">H", data[at : at + 2])[0] if at + 2 <= len(data) else 0
            marker = _JPEG_MARKER.search(data, at + length)
        return marker is None
    if data[:8] != PNG:
        return False
    at = 8  # then from chunk to chunk: length, name, content, four bytes of checksum
    while at + 12 <= len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        if name == b"IEND":
            return False
        at += 12 + length
    return True


def plain_jpeg(data: bytes) -> bytes:
    """The JPEG of a camera without what decoders stumble over.

    These are a second start marker, fill bytes before the markers of the headers (ITU-T T.81,
    section B.1.1.2, allows them), and a missing end marker, which is added.
    """
    parts: List[bytes] = []  # of the headers; one pass, however many bytes are left out
    start, at = 0, 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda":
        extra = _EXTRA.match(data, at)
        if extra:
            parts.append(data[start:at])
            start = at = extra.end()
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    plain = b"".join(parts) + data[start:] if parts else data
    return plain if data.find(JPEG_END, at) >= 0 else plain + JPEG_END
