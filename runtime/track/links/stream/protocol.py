"""Messages from the tracker to the GStreamer process: a header, then its payload.

Both import this file; ``gst_process`` does so without the rest of Hotpath.
"""

import struct

# magic, kind, capture time (ns, monotonic), the same (us since 1970), frame index, width, height,
# frames a second times 1000, time in the source (ns), bytes that follow
HEADER = struct.Struct("<4sIqqqIIIqI")
MAGIC = b"HPS1"
FRAME, RECORD, STOP_RECORDING, END = 1, 2, 3, 4
