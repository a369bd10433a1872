"""Read what the bytes of a video file state, before a decoder reads the file."""

import codecs
import os
import struct
from typing import Iterator, Optional, Tuple

from hotpath.runtime.errors import BadSource

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # Matroska's elements
DV, PAL_BYTES, NTSC_BYTES = b"\x1f\x07\x00", 144000, 120000  # the first block; bytes of a frame
VIDEOS_AS_TEXT = (b"#EXTM3U", b"YUV4MPEG2 ")
_TEXT_BYTES = bytes([9, 10, 13, 27, *range(32, 127), *range(128, 256)])


# Boxes of an MP4 file that are read: FEW, and one more for so many bytes, but never above MOST.
# A fragment has two boxes and at least 100 bytes; MOST are 100 hours of quarter seconds.
FEW_BOXES, BYTES_PER_BOX, MOST_BOXES = 4096, 40, 3000000


def looks_like_text(path: str) -> bool:
    """Whether the file starts as plain text: FFmpeg would draw it like a terminal.

    A playlist is a video, and so is YUV4MPEG2 whose first picture looks like letters.
    """
    with open(path, "rb") as file:
        head = file.read(4096)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the block may end inside a letter
    except UnicodeDecodeError:
        return False
    return not (head.startswith(VIDEOS_AS_TEXT) or head.translate(None, _TEXT_BYTES))


def is_playlist(path: str) -> bool:
    """Whether a file is a list of segments (RFC 8216, section 4.3.1.1)."""
    with open(path, "rb") as file:
        return file.read(7) == b"#EXTM3U"


def is_cut_off(path: str) -> Optional[bool]:
    """Whether an MP4/MOV, AVI, Matroska or raw DV file is shorter than its own headers state.

    None for other containers, and where the headers do not tell. A fragmented MP4 that ends between
    two fragments can't be told from a whole one.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(4096)
    if head[:4] == b"RIFF" and len(head) >= 12 and head[8:12] == b"AVI ":
        stated = struct.unpack("<I", head[4:8])[0]
        # FFmpeg writes this number until the file is finished
        return None if stated == 0xFFFFFFFF else bool(stated + 8 > size)
    if head.startswith(DV):  # a sequence of frames of one size (IEC 61834-2)
        return bool(size % (PAL_BYTES if head[3] & 0x80 else NTSC_BYTES))
    if head.startswith(EBML):
        end = _matroska_end(head)
        return None if end is None else end > size
    if head[4:8] not in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
        return None
    has_moov, last, end = False, b"", 0
    for kind, _, stop in mp4_boxes(path):
        has_moov |= kind == b"moov"
        last, end = kind, stop
    return not has_moov or end != size or last == b"moof"  # its pictures would follow


def _matroska_end(head: bytes) -> Optional[int]:
    """Where the first bytes of a Matroska file say that it ends, RFC 8794 section 4; or None."""
    at = head.find(SEGMENT)
    if at < 0 or len(head) < at + 12 or not head[at + 4]:
        return None
    length = 9 - head[at + 4].bit_length()  # bytes of the number
    bits = 7 * length
    stated = int.from_bytes(head[at + 4 : at + 4 + length], "big") & ((1 << bits) - 1)
    unknown = (1 << bits) - 1  # a writer that did not finish leaves it so
    return None if stated == unknown else at + 4 + length + stated


def is_in_fragments(path: str) -> bool:
    """Whether a file is a fragmented MP4: it does not state its number of frames."""
    with open(path, "rb") as file:
        if file.read(8)[4:] != b"ftyp":
            return False
    return any(kind == b"moof" for kind, _, _ in mp4_boxes(path))


def mp4_boxes(path: str) -> Iterator[Tuple[bytes, int, int]]:
    """The top-level boxes of an MP4 file, ISO/IEC 14496-12 section 4.2.

    Yields:
        ``(kind, start, end)``: four bytes and two positions. If a file is cut off, its last box
        ends beyond the end of the file, or bytes follow that are no box.

    Raises:
        BadSource: the file has more boxes than any writer makes.
    """
    size = os.path.getsize(path)
    position = 0
    with open(path, "rb", buffering=0) as file:
        for _ in range(min(FEW_BOXES + size // BYTES_PER_BOX, MOST_BOXES)):
            if position + 8 > size:
                return
            file.seek(position)
            header = file.read(16)
            length, kind = struct.unpack(">I4s", header[:8])
            if length == 1 and len(header) == 16:
                length = struct.unpack(">Q", header[8:16])[0]
            elif length == 0:  # "to the end of the file"
                length = size - position
            if length < 8:
                return
            yield kind, position, position + length
            position += length
    if position + 8 <= size:
        raise BadSource(
            f"{path}: has more boxes than a recording needs, so it is not read",
            what="too many boxes",
        )


def states_no_rate(path: str) -> bool:
    """Whether a video states no frame rate, so that FFmpeg assumes 25.

    These are elementary streams (H.264, HEVC, MPEG-4, JPEG after JPEG) and AVI files whose headers
    hold zeros.
    """
    with open(path, "rb") as file:
        head = file.read(4096)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        stream = head.find(b"vids")
        scale, rate = struct.unpack("<II", head[stream + 20 : stream + 28].ljust(8, b"\0"))
        return stream >= 0 and (scale == 0 or rate == 0)
    ending = os.path.splitext(path)[1].lower()
    is_programme = head[:4] == b"\0\0\1\xba"  # an MPEG programme stream has time stamps
    starts = head.startswith((b"\0\0\1", b"\0\0\0\1")) and head[:4] != b"\0\0\1\xb3"  # MPEG-2
    return (starts and not is_programme) or (head[:3] == b"\xff\xd8\xff" and ending != ".jpg")
