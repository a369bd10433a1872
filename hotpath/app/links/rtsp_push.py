"""Send MPEG-TS from standard input to an RTSP server, as a process of ``stream``.

It is a process, because PyAV keeps all threads waiting while it talks to a server. The variable
HOTPATH_PUSH has the address. The last line on standard error says why it ended. It ends with the
process that started it, and where a server takes nothing for ``MOST_S``: the kernel sees to both,
because no thread of Python runs meanwhile.
"""

import contextlib
import ctypes
import os
import signal
import sys
from typing import Any

MOST_S = 30  # for the server to take a packet
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent() -> None:
    """Let Linux end this process when the one that started it ends."""
    with contextlib.suppress(OSError, AttributeError):  # other systems have no such call
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ.get("HOTPATH_PARENT", os.getppid())):
        sys.exit(1)  # it ended before


def main() -> int:
    """Send packets as they come, until the input or the server ends."""
    end_with_parent()
    import av

    quick = {"probesize": "100000", "analyzeduration": "0", "fflags": "nobuffer"}
    address = os.environ["HOTPATH_PUSH"]
    try:
        with av.open(sys.stdin.buffer, format="mpegts", options=quick) as container:
            video = container.streams.video[0]
            with av.open(address, "w", format="rtsp", options={"rtsp_transport": "tcp"}) as server:
                stream = _like(server, video)
                is_first = True
                for packet in container.demux(video):
                    if packet.dts is not None:
                        packet.stream = stream
                        signal.alarm(MOST_S)
                        server.mux(packet)
                        signal.alarm(0)  # the next picture may be long in coming
                        if is_first:
                            print("sending", flush=True)
                        is_first = False
                signal.alarm(MOST_S)  # to say goodbye
    except (OSError, ValueError, IndexError, av.FFmpegError) as error:
        print(getattr(error, "strerror", None) or error, file=sys.stderr)
        return 1
    return 0


def _like(server: Any, video: Any) -> Any:
    """Add a stream with a video's settings; PyAV renamed the method."""
    if hasattr(server, "add_stream_from_template"):
        return server.add_stream_from_template(video)
    return server.add_stream(template=video)


if __name__ == "__main__":
    sys.exit(main())
