"""What the first bytes of a video file tell before any decoder sees it."""

import os
import struct

_TEXT_BYTES = frozenset(range(32, 127)) | {9, 10, 13, 27}


def looks_like_text(path):
    """Whether the file starts as plain text, which FFmpeg would draw as a terminal's picture.

    Playlists (``#EXTM3U``) are text and videos all the same.
    """
    with open(path, "rb") as file:
        head = file.read(4096)
    if head.startswith(b"#EXTM3U"):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else a letter cut in two by the end of the block
            return False
    return all(byte in _TEXT_BYTES or byte >= 128 for byte in head)


def is_cut_off(path):
    """Whether an MP4/MOV or AVI file is shorter than its own headers say.

    Other containers do not state their size in a way worth reading, and an MP4 in fragments is
    meant to be whole after each: False.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(16)
        if head[:4] == b"RIFF" and len(head) >= 12 and head[8:12] == b"AVI ":
            return struct.unpack("<I", head[4:8])[0] + 8 > size
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
            return _mp4_is_cut_off(file, size)
    return False


def _mp4_is_cut_off(file, size):
    """Walk the top-level boxes; cut off when one reaches beyond the end or there is no index."""
    position, has_index = 0, False
    while position + 8 <= size:
        file.seek(position)
        header = file.read(16)
        length, kind = struct.unpack(">I4s", header[:8])
        if kind == b"moof":
            return False
        has_index = has_index or kind == b"moov"
        if length == 1 and len(header) == 16:
            length = struct.unpack(">Q", header[8:16])[0]
        elif length == 0:  # "to the end of the file"
            return not has_index
        if length < 8:
            return True
        position += length
    return position != size or not has_index
