"""What a reader takes of a file or stream that others made, before a library sees more of it."""

from typing import NamedTuple

from hotpath.runtime.errors import BadSource

MEGA, MIB = 1000000, 1 << 20
# of a frame: 16000x11000. Pillow refuses to decode more, and so do we for all kinds of files.
PIXELS = 178 * MEGA


class Budget(NamedTuple):
    """What one reader takes.

    Attributes:
        mebibytes: of a file or a part that is read into memory as a whole; 0: none is.
        pages: pictures in one file; 0 if they are read one after another without a count.
        cpu_s: seconds of the processor before the first frame.
    """

    mebibytes: int
    pages: int
    cpu_s: float


# No reader decodes a frame of more than PIXELS.
BUDGETS = {
    "picture": Budget(1024, 1, 10.0),
    "stack": Budget(1024, 20000, 5.0),
    "video": Budget(0, 0, 10.0),
    "pipe": Budget(0, 0, 10.0),
    "stream": Budget(0, 0, 10.0),
    "parts": Budget(32, 0, 10.0),
    "ros": Budget(0, 0, 10.0),
}
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


def check_bytes(name: str, reader: str, size: int) -> None:
    """Raise ``BadSource`` if a file has more bytes than its reader takes."""
    most = BUDGETS[reader].mebibytes
    if size > most * MIB:
        raise BadSource(
            f"{name}: {size // MIB} MiB are more than the {most} MiB that are read of such a file; "
            "cut it, or make it smaller",
            what="too large",
            where=name,
        )
