"""The picture out: H.264 as RTSP, as RTP over UDP, and into a file, by GStreamer.

``sender`` takes frames from the frame loop and feeds ``gst_process``, which runs in a process of
its own with the system's Python: GStreamer's Python binding comes from the system, and an encoder
that hangs can't hold the tracker up.
"""
