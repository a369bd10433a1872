"""A camera of the network sets its clock while it sends: times go on, and stay near the truth."""

import io
import socket
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from hotpath.runtime.frames.pictures import bgr_of
from hotpath.video.base import WAITING
from hotpath.video.sources import open_source
from tests.support.ports import free_port
from tests.support.streams import scene

av = pytest.importorskip("av")
FPS, BEFORE, AFTER, DATAGRAM = 30, 60, 60, 7 * 188
START_S = 20.0  # of the camera's clock


def chunks(first, count, start_s, codec):
    """The bytes of an MPEG transport stream, one entry for each frame."""
    file, found, base, at = io.BytesIO(), [], Fraction(1, FPS), 0
    how = {"muxdelay": "0", "muxpreload": "0"}
    with av.open(file, "w", format="mpegts", options=how) as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = scene.WIDTH, scene.HEIGHT, "yuv420p"
        stream.options = {"tune": "zerolatency"} if codec == "libx264" else {}
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 15, 0
        stream.codec_context.time_base = base
        for number in range(count):
            picture = scene.picture_at(first + number)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = round((start_s + number / FPS) / base), base
            container.mux(stream.encode(frame))
            data = file.getvalue()
            found.append(data[at:])
            at = len(data)
    return found


class RealTimeCamera:
    """Sends in real time; ``began_s`` is when the first frame went out, by the monotonic clock."""

    def __init__(self, port, parts):
        self.began_s, self._parts = None, parts
        self._address, self._thread = ("127.0.0.1", port), threading.Thread(target=self._send)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join()

    def _send(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            self.began_s = time.monotonic()
            for number, data in enumerate(self._parts):
                time.sleep(max(0.0, self.began_s + number / FPS - time.monotonic()))
                for at in range(0, len(data), DATAGRAM):
                    out.sendto(data[at : at + DATAGRAM], self._address)


@pytest.mark.parametrize(
    "step_s, codec", [(-0.3, "libx264"), (-0.6, "mpeg2video"), (0.8, "libx264"), (-7.0, "mpeg4")]
)
def test_times_never_fall_and_are_right_again_after_a_few_frames(step_s, codec):
    parts = chunks(0, BEFORE, START_S, codec)
    parts += chunks(BEFORE, AFTER, START_S + BEFORE / FPS + step_s, codec)
    port, told = free_port(socket.SOCK_DGRAM), []
    with RealTimeCamera(port, parts) as camera, open_source(f"udp://127.0.0.1:{port}") as source:
        ends_s = time.monotonic() + (BEFORE + AFTER) / FPS + 1
        while time.monotonic() < ends_s:
            frame = source.read(0.2)
            if frame is not WAITING:
                tick = scene.tick_of(bgr_of(frame))
                if tick < BEFORE + AFTER:  # else a datagram was lost, which damages the picture
                    off_s = source.captured_s - camera.began_s - tick / FPS
                    told.append((tick, source.time_s, off_s))
    ticks, times_s, off_s = map(np.array, zip(*told))
    assert (ticks > BEFORE + 20).sum() > 15, ticks  # it goes on behind the step
    assert (np.diff(times_s) >= 0).all()
    late = off_s[ticks > BEFORE + 10]
    off_s = np.abs(late - np.median(off_s[(ticks > 20) & (ticks < BEFORE)]))
    assert np.percentile(off_s, 75) < 0.1  # a busy computer sends some late
