"""What a reader takes of a file or stream that others made, before a library sees more of it."""

from hotpath.runtime.errors import BadSource

MEGA, MIB = 1000000, 1 << 20
# of a frame: 16000x11000. Pillow refuses to decode more, and so do we for all kinds of files.
PIXELS = 178 * MEGA
FILE_MIB, PART_MIB = 1024, 32  # of a picture or a stack; of a part of Motion JPEG over HTTP
PAGES, PAGES_S = 20000, 5  # of a stack; seconds of the processor to count them
# A stack of more pixels than this has at least a byte for so many of them, as Deflate and LZW do
STACK_PIXELS, PIXELS_PER_BYTE = 1000 * MEGA, 1100


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
    """Raise ``BadSource`` if a picture or a stack has more than ``FILE_MIB``."""
    if size > FILE_MIB * MIB:
        raise BadSource(
            f"{name}: {size // MIB} MiB are more than the {FILE_MIB} MiB that are read of such a "
            "file; cut it, or make it smaller",
            what="too large",
            where=name,
        )
