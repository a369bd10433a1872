"""The index of a recording: where its frames are, by the time stamps of all packets.

``pyav_capture.py`` makes it when a frame is looked for by its number or its time.
"""

import bisect
from typing import Any, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from hotpath.video.stamps import LONGEST_S

SHOWN = 0x10  # the bit of a VP8 frame that is not only a reference
REORDERED = 17  # positions by which a packet may come before those that are shown earlier


class KeyFrame(NamedTuple):
    """A key frame. All times are in ticks of the stream's clock.

    Attributes:
        ticks: the time of its frame.
        dts: when it is decoded.
        mark: time, number of bytes and position of its packet, which tell it from the others.
    """

    ticks: int
    dts: int
    mark: Tuple[int, int, int]


class FrameIndex(NamedTuple):
    """Where the frames of a recording are, in ticks of the stream's clock.

    Attributes:
        ticks: the time of each frame, in the order of the times.
        keys: the key frames in the same order.
        in_order: whether times tell a place. They do not where the clock goes back, as in joined
            recordings, or where a stamp is far off.
    """

    ticks: List[int]
    keys: List[KeyFrame]
    in_order: bool


def index_of(
    packets: Iterable[Any],
    stream: Any,
    by_dts: bool,
    step: int,
    first: int,
    errors: Tuple[Any, ...],
) -> FrameIndex:
    """Make the index from all packets of a recording.

    Args:
        packets: those from its begin on.
        stream: PyAV's stream.
        by_dts: whether frames have the times at which they are decoded.
        step: ticks from frame to frame at the rate that the file states.
        first: ticks of the first frame that was decoded.
        errors: of PyAV, where the file is cut off or damaged.
    """
    stamps: List[Optional[int]] = []
    keys = []
    is_vp8 = stream.codec_context.name == "vp8"
    longest = max(REORDERED * step, LONGEST_S / float(stream.time_base))
    in_order, before = True, None
    try:
        for packet in packets:
            if not packet.size or (is_vp8 and not bytes(packet)[0] & SHOWN):
                continue
            stamp = packet.dts if by_dts else packet.pts
            if packet.dts is not None:
                in_order &= before is None or packet.dts >= before
                in_order &= stamp is None or abs(stamp - packet.dts) <= longest
                before = packet.dts
            if not getattr(packet, "is_discard", False):
                stamps.append(stamp)
            if packet.is_keyframe and stamp is not None:
                dts = stamp if packet.dts is None else packet.dts
                keys.append(KeyFrame(stamp, dts, mark_of(packet)))
    except errors:  # what came before it
        pass
    ticks = sorted(stamp for stamp in stamps if stamp is not None)
    if not in_order:
        return FrameIndex(ticks, [], False)
    if not ticks:  # an elementary stream
        ticks = [n * step for n in range(len(stamps))] or [0]
    # a decoder gives the first frame after it has read some more
    delay = first - ticks[0] if by_dts else 0
    # packets before the first frame need a key frame that is not there
    ticks = [t + delay for t in ticks if t + delay >= first]
    keys = [key._replace(ticks=key.ticks + delay) for key in keys]
    return FrameIndex(ticks or [first], sorted(keys), True)


def starts(index: FrameIndex, target: int) -> Iterator[Optional[KeyFrame]]:
    """Where to begin decoding for a frame: at key frames before it, then at the file's start."""
    at = bisect.bisect_right([key.ticks for key in index.keys], target) - 1
    back = 1
    while at > 0:
        yield index.keys[at]
        at, back = at - back, back * 2
    yield None


def mark_of(packet: Any) -> Tuple[int, int, int]:
    """See ``KeyFrame``; -1 if the packet has no time."""
    ticks = packet.dts if packet.pts is None else packet.pts
    return -1 if ticks is None else ticks, packet.size, packet.pos or 0
