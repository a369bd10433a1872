"""Motion JPEG in a fragmented MP4 file, written with nothing but ``struct`` and OpenCV's JPEG.

The index (``moov``) comes first and is empty. Every frame is a fragment of its own (``moof`` +
``mdat``, ISO/IEC 14496-12 section 8.8), written in one call. So the file is complete after each
frame, and a writer that is killed loses no frame.
"""

import os
import struct
from typing import Tuple

import cv2
import numpy as np

JPEG_QUALITY = 90
TRACK = 1
LARGEST_PX = 65500  # a side of a JPEG picture, the limit of libjpeg
MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)  # no rotation


class JpegMp4:
    """Writes frames of one size.

    Args:
        path: the file, replaced if it exists.
        fps: its inverse is the duration of a frame without a successor.
        size: (width, height) of every frame, pixels.
        clock_hz: ticks a second of the time stamps.

    Raises:
        ValueError: JPEG has no pictures of that size.
    """

    def __init__(self, path: str, fps: float, size: Tuple[int, int], clock_hz: int) -> None:
        if max(size) > LARGEST_PX:
            raise ValueError(f"JPEG has at most {LARGEST_PX} pixels a side")
        self._duration = max(1, int(round(clock_hz / fps)))
        self._frames = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._bytes = 0
        self._append(_box(b"ftyp", b"iso5", struct.pack(">I", 0x200), b"iso5iso6mp41"))
        self._append(_movie(size, clock_hz))

    def write(self, frame: np.ndarray, tick: int) -> None:
        """Append one frame, BGR ``uint8`` of the file's size, displayed from ``tick`` on."""
        good, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not good:
            raise ValueError("the frame can't be encoded as JPEG")
        self._frames += 1
        self._append(_fragment(self._frames, tick, self._duration, jpeg.tobytes()))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _append(self, data: bytes) -> None:
        """Write ``data`` completely, or cut the file back to its last whole fragment."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            os.ftruncate(self._file, self._bytes)
            os.lseek(self._file, self._bytes, os.SEEK_SET)
            raise
        self._bytes += len(data)


def _fragment(number: int, tick: int, duration: int, jpeg: bytes) -> bytes:
    """One frame: its time stamp, its duration, and its bytes."""
    header = _full_box(b"mfhd", 0, 0, struct.pack(">I", number))
    track = _full_box(b"tfhd", 0, 0x020000, struct.pack(">I", TRACK))  # offsets from the moof
    start = _full_box(b"tfdt", 1, 0, struct.pack(">Q", tick))
    # flags: data offset, and per sample its duration, size and flags (a key frame)
    flags = 0x000001 | 0x000100 | 0x000200 | 0x000400

    def moof(offset: int) -> bytes:
        sample = struct.pack(">IiIII", 1, offset, duration, len(jpeg), 0x02000000)
        return _box(
            b"moof", header, _box(b"traf", track, start, _full_box(b"trun", 0, flags, sample))
        )

    return moof(len(moof(0)) + 8) + _box(b"mdat", jpeg)


def _movie(size: Tuple[int, int], clock_hz: int) -> bytes:
    """The index: one video track without samples; the fragments hold them."""
    width, height = size
    header = struct.pack(">IIIIIH10x", 0, 0, clock_hz, 0, 0x10000, 0x100)
    header += MATRIX + bytes(24) + struct.pack(">I", TRACK + 1)
    track = struct.pack(">IIII4x8xhhhxx", 0, 0, TRACK, 0, 0, 0, 0)
    track += MATRIX + struct.pack(">II", width << 16, height << 16)
    media = struct.pack(">IIIIHH", 0, 0, clock_hz, 0, 0x55C4, 0)  # language: undetermined
    handler = struct.pack(">4x4s12x", b"vide") + b"video\0"
    reference = _full_box(b"dref", 0, 0, struct.pack(">I", 1), _full_box(b"url ", 0, 1))
    samples = _box(
        b"stbl",
        _full_box(b"stsd", 0, 0, struct.pack(">I", 1), _jpeg_entry(width, height)),
        _full_box(b"stts", 0, 0, bytes(4)),
        _full_box(b"stsc", 0, 0, bytes(4)),
        _full_box(b"stsz", 0, 0, bytes(8)),
        _full_box(b"stco", 0, 0, bytes(4)),
    )
    information = _box(
        b"minf", _full_box(b"vmhd", 0, 1, bytes(8)), _box(b"dinf", reference), samples
    )
    return _box(
        b"moov",
        _full_box(b"mvhd", 0, 0, header),
        _box(
            b"trak",
            _full_box(b"tkhd", 0, 3, track),  # 3: enabled, in the movie
            _box(
                b"mdia",
                _full_box(b"mdhd", 0, 0, media),
                _full_box(b"hdlr", 0, 0, handler),
                information,
            ),
        ),
        _box(b"mvex", _full_box(b"trex", 0, 0, struct.pack(">IIIII", TRACK, 1, 0, 0, 0))),
    )


def _jpeg_entry(width: int, height: int) -> bytes:
    """Sample description: ``mp4v`` whose decoder is JPEG (object type 0x6C, ISO/IEC 14496-1)."""
    decoder = b"\x04" + bytes([13]) + bytes([0x6C, 0x11]) + bytes(11)
    sync = b"\x06\x01\x02"
    descriptor = struct.pack(">HB", TRACK, 0) + decoder + sync
    esds = _full_box(b"esds", 0, 0, b"\x03" + bytes([len(descriptor)]) + descriptor)
    entry = struct.pack(">6xH16xHHIIIH", 1, width, height, 0x480000, 0x480000, 0, 1)
    return _box(b"mp4v", entry + bytes(32) + struct.pack(">Hh", 24, -1), esds)


def _box(kind: bytes, *parts: bytes) -> bytes:
    """A box: its length, its four letters, its content."""
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box that starts with a version and 24 flags."""
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)
