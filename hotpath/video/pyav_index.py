"""The index of a recording: where its frames are, by the time stamps of all packets.

``pyav_capture.py`` makes it when a frame is looked for by its number or its time.
"""

import bisect
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from hotpath.video.stamps import JoinedPackets
from hotpath.video.strays import REORDERED, mended

SHOWN = 0x10  # the bit of a VP8 frame that is not only a reference


class Key(NamedTuple):
    """A key frame. All times are in ticks of the stream's clock.

    Attributes:
        ticks: the time of its frame.
        dts: when it is decoded.
        mark: time, number of bytes and position of its packet, which tell it from the others. The
            time is that of the file.
        offset: ticks that were added to the file's times (see ``JoinedPackets``).
    """

    ticks: int
    dts: int
    mark: Tuple[int, int, int]
    offset: int


class Index(NamedTuple):
    """Where the frames of a recording are, in ticks of the stream's clock.

    Attributes:
        ticks: the time of each frame, in the order of the times.
        keys: the key frames in the same order.
        offset: ticks that were added to the times of the last packet (see ``JoinedPackets``).
        restarts: whether the file's clock goes back, so that times do not tell a place.
    """

    ticks: List[int]
    keys: List[Key]
    offset: int
    restarts: bool


def index_of(
    packets: JoinedPackets,
    stream: Any,
    form: str,
    by_dts: bool,
    step: int,
    first: int,
    errors: Tuple[Any, ...],
) -> Tuple[Index, Dict[int, int]]:
    """Make the index from all packets of a recording.

    Args:
        packets: those from its begin on.
        stream: PyAV's stream.
        form: name of the container's format.
        by_dts: whether frames have the times at which they are decoded.
        step: ticks from frame to frame at the rate that the file states.
        first: ticks of the first frame that was decoded.
        errors: of PyAV, where the file is cut off or damaged.

    Returns:
        (the index; dict of the ticks of a stray stamp -> those of its place).
    """
    stamps: List[Optional[int]] = []
    keys = []
    is_vp8 = stream.codec_context.name == "vp8"
    try:
        for packet in packets:
            if not packet.size or (is_vp8 and not bytes(packet)[0] & SHOWN):
                continue
            stamp = packet.dts if by_dts else packet.pts
            if not getattr(packet, "is_discard", False):
                stamps.append(stamp)
            if packet.is_keyframe and stamp is not None:
                dts = stamp if packet.dts is None else packet.dts
                keys.append(Key(stamp, dts, mark_of(packet, packets.offset), packets.offset))
    except errors:  # what came before it
        pass
    if packets.restarts and form != "mpegts":
        keys = []  # neither a time nor a position tells a place, as in HLS
    # what the decoder says is of the first part
    may_reorder = packets.offset != 0 or getattr(stream.codec_context, "has_b_frames", True)
    stated = [stamp for stamp in stamps if stamp is not None]
    reordered = REORDERED if may_reorder and not by_dts else 0
    values, strays = mended(stated, step, 1 / float(stream.time_base), reordered)
    values = np.rint(values).astype(np.int64)
    places = {stated[place]: int(values[place]) for place in strays}
    first = places.get(first, first)
    ticks = sorted(values.tolist())
    if not ticks:  # an elementary stream
        ticks = [n * step for n in range(len(stamps))] or [0]
    # a decoder gives the first frame after it has read some more
    delay = first - ticks[0] if by_dts else 0
    # packets before the first frame need a key frame that is not there
    ticks = [t + delay for t in ticks if t + delay >= first]
    keys = [key._replace(ticks=places.get(key.ticks, key.ticks) + delay) for key in keys]
    return Index(ticks or [first], sorted(keys), packets.offset, packets.restarts), places


def starts(index: Index, target: int) -> Iterator[Optional[Key]]:
    """Where to begin decoding for a frame: at key frames before it, then at the file's start."""
    at = bisect.bisect_right([key.ticks for key in index.keys], target) - 1
    back = 1
    while at > 0:
        yield index.keys[at]
        at, back = at - back, back * 2
    yield None


def mark_of(packet: Any, offset: int = 0) -> Tuple[int, int, int]:
    """See ``Key``; -1 if the packet has no time."""
    ticks = packet.dts if packet.pts is None else packet.pts
    return -1 if ticks is None else ticks - offset, packet.size, packet.pos or 0
