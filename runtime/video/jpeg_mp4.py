"""Motion JPEG in a fragmented MP4 file, written with nothing but ``struct`` and OpenCV's JPEG.

The index (``moov``) comes first and is empty; every frame is a fragment of its own (``moof`` +
``mdat``, ISO/IEC 14496-12 section 8.8) that goes out in one write. So the file is complete after
each frame, and a writer that is killed loses nothing it was given.
"""

import os
import struct

import cv2

JPEG_QUALITY = 90
TRACK = 1
MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)  # no rotation


class JpegMp4:
    """Writes frames of one size.

    Args:
        path: the file, replaced if it exists.
        fps: for how long the last frame is shown, and every other that has no successor yet.
        size: (width, height) of every frame, pixels.
        clock_hz: unit of the time stamps.
    """

    def __init__(self, path, fps, size, clock_hz):
        self._duration = max(1, int(round(clock_hz / fps)))
        self._frames = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._bytes = 0
        self._append(_box(b"ftyp", b"iso5", struct.pack(">I", 0x200), b"iso5iso6mp41"))
        self._append(_movie(size, clock_hz))

    def write(self, frame, tick):
        """Append one frame, BGR ``uint8`` of the file's size, to be shown from ``tick`` on."""
        good, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not good:
            raise ValueError("the frame can't be made a JPEG")
        self._frames += 1
        self._append(_fragment(self._frames, tick, self._duration, jpeg.tobytes()))

    def close(self):
        """Close the file."""
        os.close(self._file)

    def _append(self, data):
        """Write ``data`` wholly, or cut the file back to what was whole before."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            os.ftruncate(self._file, self._bytes)
            os.lseek(self._file, self._bytes, os.SEEK_SET)
            raise
        self._bytes += len(data)


def _fragment(number, tick, duration, jpeg):
    """One frame: where it belongs on the clock, how long it is shown, and its bytes."""
    header = _full_box(b"mfhd", 0, 0, struct.pack(">I", number))
    track = _full_box(b"tfhd", 0, 0x020000, struct.pack(">I", TRACK))  # offsets from the moof
    start = _full_box(b"tfdt", 1, 0, struct.pack(">Q", tick))
    # flags: data offset, and per sample its duration, size and flags (a key frame)
    flags = 0x000001 | 0x000100 | 0x000200 | 0x000400

    def moof(offset):
        sample = struct.pack(">IiIII", 1, offset, duration, len(jpeg), 0x02000000)
        return _box(
            b"moof", header, _box(b"traf", track, start, _full_box(b"trun", 0, flags, sample))
        )

    return moof(len(moof(0)) + 8) + _box(b"mdat", jpeg)


def _movie(size, clock_hz):
    """The index: one video track without samples, to be continued by fragments."""
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


def _jpeg_entry(width, height):
    """Sample description: ``mp4v`` whose decoder is JPEG (object type 0x6C, ISO/IEC 14496-1)."""
    decoder = b"\x04" + bytes([13 + 0]) + bytes([0x6C, 0x11]) + bytes(11)
    sync = b"\x06\x01\x02"
    descriptor = struct.pack(">HB", TRACK, 0) + decoder + sync
    esds = _full_box(b"esds", 0, 0, b"\x03" + bytes([len(descriptor)]) + descriptor)
    entry = struct.pack(">6xH16xHHIIIH", 1, width, height, 0x480000, 0x480000, 0, 1)
    return _box(b"mp4v", entry + bytes(32) + struct.pack(">Hh", 24, -1), esds)


def _box(kind, *parts):
    """A box: its length, its four letters, its content."""
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _full_box(kind, version, flags, *parts):
    """A box that starts with a version and 24 flags."""
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)
