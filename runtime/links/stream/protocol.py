"""Messages from the tracker to the GStreamer process: a header, then its payload.

``gst_process`` states the same numbers, because it runs without Hotpath; a test compares them.
"""

import struct

HEADER = struct.Struct("<4sIqqqIIII")
MAGIC = b"HPS1"
FRAME, RECORD, STOP_RECORDING, END = 1, 2, 3, 4
