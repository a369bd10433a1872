"""H.264 over RTSP by GStreamer's server, as IP cameras send it.

Runs under the system's Python, which has GStreamer's bindings. On Debian:
``apt-get install --no-install-recommends gir1.2-gst-rtsp-server-1.0 python3-gi
gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly``.
"""

import sys
import threading
import time

from tests.support import run
from tests.support.streams.process import Sender

SYSTEM_PYTHON = "/usr/bin/python3"
WIDTH, HEIGHT, FPS, BITS, ROWS = 320, 240, 30, 16, 16
PIPELINE = (
    "( appsrc name=pictures is-live=true do-timestamp=true format=time "
    "caps=video/x-raw,format=GRAY8,width=320,height=240,framerate=30/1 ! videoconvert ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! "
    "rtph264pay config-interval=1 name=pay0 pt=96 )"
)
CHECK = (
    "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "assert Gst.ElementFactory.find('x264enc') and Gst.ElementFactory.find('rtph264pay')"
)


def missing():
    """Why RTSP can't be tested here, or None when it can."""
    from tests.support.needs import GSTREAMER, lacks, why_no_program  # not the sender's: no pytest

    why = why_no_program(SYSTEM_PYTHON)
    return why or (lacks(*GSTREAMER) if run([SYSTEM_PYTHON, "-c", CHECK]).returncode else None)


def make_server():
    """A ``Sender`` to every viewer of ``rtsp://127.0.0.1:PORT/t``."""
    return Sender("rtsp", "rtsp://127.0.0.1:{}/t", python=SYSTEM_PYTHON)


def main(port):
    """Serve until killed: pictures of a grey ramp with the clock of ``scene``."""
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    block = WIDTH // BITS
    ground = bytes((x + y) & 255 for y in range(HEIGHT - ROWS) for x in range(WIDTH))

    def push(source):
        while source.get_state(0).state != Gst.State.PLAYING:  # its clock has no start before
            time.sleep(0.01)
        start = time.monotonic()
        sent = 0
        flow = Gst.FlowReturn.OK
        while flow == Gst.FlowReturn.OK:
            time.sleep(max(0.0, start + sent / float(FPS) - time.monotonic()))
            sent += 1
            tick = int(time.monotonic() * FPS) % (1 << BITS)
            row = b"".join((b"\xff" if tick >> bit & 1 else b"\0") * block for bit in range(BITS))
            flow = source.emit("push-buffer", Gst.Buffer.new_wrapped(row * ROWS + ground))

    class Factory(GstRtspServer.RTSPMediaFactory):
        """Makes the pipeline when the first viewer comes."""

        def do_create_element(self, _url):
            return Gst.parse_launch(PIPELINE)

        def do_configure(self, media):
            source = media.get_element().get_by_name_recurse_up("pictures")
            threading.Thread(target=push, args=(source,), daemon=True).start()

    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = Factory()
    factory.set_shared(True)
    server.get_mount_points().add_factory("/t", factory)
    server.attach(None)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(sys.argv[1])
