"""How much a bag of ROS may unpack, and how long its database may compute.

The package rosbags unpacks a chunk, a message or a file whole, whatever it states, and asks SQLite
without a limit. Its tables of functions get bounded ones here.
"""

import contextlib
import functools
import time
from types import SimpleNamespace
from typing import Any, Callable, Iterator, List

from hotpath.runtime.errors import BadSource

UNPACKED_MIB = 96  # of a chunk or a message; a raw picture of 7680x4320 has 95
RATIO = 1000  # bytes of a compressed file's content for each of its own
QUERY_S = 10  # seconds of the processor that SQLite may compute for the next message
STEPS = 100000  # of SQLite's machine between two looks at the clock
PATTERN = 8  # letters of a LIKE, which rosbags does not use
MIB = 1 << 20


def unpacked(make: Callable[[], Any], data: bytes, size: int = 0) -> bytes:
    """Unpack frames that follow each other.

    Args:
        make: function that returns a decompressor of ``bz2``, ``lz4.frame`` or ``zstd``.
        data: the packed bytes.
        size: that they state; 0 if unknown.

    Raises:
        BadSource: there are, or it states, more than ``UNPACKED_MIB``.
    """
    most = UNPACKED_MIB * MIB
    _check(size)
    parts: List[bytes] = []
    left = most
    while data:
        decompressor = make()
        part = decompressor.decompress(data, left + 1)
        left -= len(part)
        _check(most - left)
        parts.append(part)
        if not decompressor.eof:
            break  # cut off; rosbags compares the length
        data = decompressor.unused_data or b""
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check(size: int) -> None:
    if size > UNPACKED_MIB * MIB:
        raise BadSource(
            f"a part of the bag unpacks to more than {UNPACKED_MIB} MiB; record it with smaller "
            "chunks",
            what="too large",
        )


class Budget:
    """Limits of one bag; ``renew`` them before each message."""

    def __init__(self) -> None:
        self._until_s = 0.0
        self.renew()
        _bound_unpacking()

    def renew(self) -> None:
        """Give SQLite its time once more."""
        self._until_s = time.thread_time() + QUERY_S

    @contextlib.contextmanager
    def opening(self) -> Iterator[None]:
        """While rosbags opens a bag: its connections to SQLite get the limits."""
        try:
            import apsw
        except ImportError:  # an older rosbags, with Python's own
            yield
            return
        apsw.connection_hooks.append(self._bound)
        self.renew()
        try:
            yield
        except apsw.InterruptError:
            raise BadSource(
                f"its database computes for more than {QUERY_S} s before the first picture; record "
                "the bag again",
                what="too slow",
            ) from None
        finally:
            apsw.connection_hooks.remove(self._bound)

    def _bound(self, connection: Any) -> None:
        import apsw

        connection.set_progress_handler(lambda: time.thread_time() > self._until_s, STEPS)
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, UNPACKED_MIB * MIB)
        connection.limit(apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN)


@functools.lru_cache(maxsize=1)
def _bound_unpacking() -> None:
    """Let rosbags unpack by ``unpacked``, and files by a class with a limit of ``RATIO``."""
    import bz2

    from lz4.frame import LZ4FrameDecompressor
    from rosbags.rosbag1 import reader as ros1
    from rosbags.rosbag2 import reader as ros2
    from rosbags.rosbag2 import storage_mcap as mcap

    zstd = mcap.zstd

    class ZstdFile(zstd.ZstdFile):  # type: ignore[name-defined]
        def __init__(self, packed: Any, mode: str) -> None:
            super().__init__(packed, mode)
            self._packed = packed

        def read(self, size: int = -1) -> bytes:
            data: bytes = super().read(size)
            if self.tell() > UNPACKED_MIB * MIB + RATIO * self._packed.tell():
                raise BadSource(
                    f"the file unpacks to more than {RATIO} times its size; unpack it yourself "
                    "with `zstd -d`",
                    what="too large",
                )
            return data

    def of(make: Callable[[], Any]) -> Callable[..., bytes]:
        return lambda data, size=0: unpacked(make, data, size)

    mcap.DECOMPRESSORS.update(lz4=of(LZ4FrameDecompressor), zstd=of(zstd.ZstdDecompressor))
    ros1.decompressors.update(bz2=of(bz2.BZ2Decompressor), lz4=of(LZ4FrameDecompressor))
    ros2.zstd = SimpleNamespace(decompress=of(zstd.ZstdDecompressor), open=ZstdFile)
