"""Send an encoded picture to an RTSP server: MPEG-TS from standard input, for ``stream``.

It is a process, because PyAV keeps all threads waiting while it talks to a server. The variable
HOTPATH_PUSH has the address. The last line on standard error says why it ended.
"""

import os
import sys
from typing import Any


def main() -> int:
    """Send packets as they come, until the input or the server ends."""
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
                        server.mux(packet)
                        if is_first:
                            print("sending", flush=True)
                        is_first = False
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
