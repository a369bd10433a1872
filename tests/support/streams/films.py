"""Films of the scene that PyAV writes, and what a source gives of them."""

from fractions import Fraction

import av

from hotpath.runtime.frames.pictures import bgr_of
from tests.support.streams import scene

KINDS = {("uint8", 3): "bgr24", ("uint16", 2): "gray16le", ("uint16", 3): "bgr48le"}


def write(
    path,
    times_s,
    codec="libx264",
    options=None,
    form=None,
    changed=None,
    first=0,
    base=Fraction(1, 90000),
    pictures=None,
    **fields,
):
    """A video of the scene's pictures at their times, from a tick on; returns the path.

    ``changed`` is called for each packet before it is written. ``pictures`` take the place of the
    scene's: BGR, or 16 bits in grey or BGR. ``fields`` are set on the encoder.
    """
    pictures = pictures or [scene.picture_at(first + tick) for tick in range(len(times_s))]
    kind = KINDS[str(pictures[0].dtype), pictures[0].ndim]
    how = {"options": {"use_editlist": "1", **(form or {})}}
    with av.open(str(path), "w", **how) as container:
        stream = container.add_stream(codec, rate=scene.FPS)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = fields.pop("pix_fmt", "yuv420p")
        stream.options = {"g": "12", **(options or {})}
        stream.codec_context.time_base = base
        for name, value in fields.items():
            setattr(stream.codec_context, name, value)
        packets = []
        for picture, time_s in zip(pictures, times_s):
            frame = av.VideoFrame.from_ndarray(picture, format=kind)
            frame.pts, frame.time_base = int(round(time_s / base)), base
            packets += stream.encode(frame)
        for packet in packets + stream.encode():
            container.mux(changed(packet) if changed else packet)
    return str(path)


def even(count, fps=30.0):
    """The times of so many frames."""
    return [n / fps for n in range(count)]


def ticks_and_times(source):
    """[ticks of the pictures, times] of the frames that are left."""
    found = [(scene.tick_of(bgr_of(frame)), source.time_s) for frame in source]
    return [list(column) for column in zip(*found)]
