"""Senders for tests of live sources: real sockets and processes that can be killed and frozen.

| module     | what it sends                                      | needs                         |
|------------|----------------------------------------------------|-------------------------------|
| ``mjpeg``  | Motion JPEG over HTTP                              | nothing                       |
| ``mpegts`` | MPEG-4 in an MPEG transport stream over UDP        | nothing                       |
| ``rtsp``   | H.264 over RTSP                                    | Debian's gst-rtsp-server, gi  |
| ``camera`` | a V4L2 camera behind ``/dev/video7`` (preloaded C) | a C compiler, Linux           |
| ``scene``  | pictures of a moving target, with a clock in them  | nothing                       |

Every sender is a context manager with ``address``, ``start``, ``kill``, ``freeze`` and ``thaw``;
``watch`` reads a source in a process of its own and reports its events.
"""
