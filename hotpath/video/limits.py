"""What a file or stream that others made is, by its first bytes, and how much of it is taken.

Both are known before a library sees more of it.
"""

from hotpath.runtime.errors import BadSource

MEGA, MIB = 1000000, 1 << 20
# of a frame: 16000x11000
PIXELS = 178 * MEGA
DECODER_LIMITS = {"max_pixels": str(PIXELS)}  # FFmpeg's own limit for the same
FILE_MIB, PART_MIB = 1024, 32  # of a picture; of a part of Motion JPEG over HTTP
PNG, TIFF = b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# kinds of HEIC files: a collection of pictures, or one in tiles, of which FFmpeg takes the first
COLLECTIONS = (b"heic", b"heix", b"heim", b"heis", b"mif1")
HEAD, LEAST = 1 << 20, 64  # bytes of a picture, of another file, that tell what it holds
GIF_ONE_TIME = b"GIF87a"  # without a block that times a picture; FFmpeg 8 ends after the first


def check_size(name: str, width: int, height: int) -> None:
    """Raise ``BadSource`` if a frame has more than ``PIXELS``."""
    if width * height > PIXELS:
        raise BadSource(
            f"{name}: a frame of {width}x{height} is larger than {PIXELS // MEGA} megapixels; "
            "scale it down or cut it first",
            what="too large",
            where=name,
        )


def check_bytes(name: str, size: int) -> None:
    """Raise ``BadSource`` if a picture has more than ``FILE_MIB``."""
    if size > FILE_MIB * MIB:
        raise BadSource(
            f"{name}: {size // MIB} MiB are more than the {FILE_MIB} MiB that are read of such a "
            "file; cut it, or make it smaller",
            what="too large",
            where=name,
        )


def is_collection(head: bytes) -> bool:
    """Whether a file that FFmpeg would open as a video holds pictures, of which it takes one."""
    is_heic = head[4:8] == b"ftyp" and head[8:12] in COLLECTIONS
    return is_heic or head.startswith(GIF_ONE_TIME)


def is_animated_png(data: bytes) -> bool:
    """Whether a PNG file states before its pixels that it is animated (PNG 3, section 11.3.6)."""
    pixels = data.find(b"IDAT")
    return data[:8] == PNG and 0 < data.find(b"acTL") < (pixels if pixels > 0 else len(data))


def is_animated_webp(data: bytes) -> bool:
    """Whether a WebP file is an animation (RFC 9649, section 2.7)."""
    return data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X" and bool(data[20] & 2)
