"""What to say of an address that gives no stream."""

import re

from hotpath.runtime.errors import LoginRefused

KEY_FRAMES = (
    "if it is H.264 or H.265, let the sender repeat the parameter sets (SPS, PPS) with each key "
    "frame, and send one every second (GStreamer: x264enc key-int-max=30 ! h264parse "
    "config-interval=-1; ffmpeg: -g 30 -bsf:v dump_extra)"
)
TRANSPORT_STREAM = (
    "send an MPEG transport stream (GStreamer: h264parse config-interval=-1 ! mpegtsmux ! udpsink; "
    "ffmpeg: -f mpegts)"
)
RTP = (
    "RTP packets arrive at this port, but no picture of H.264 or H.265 could be decoded from them; "
    "install PyAV (pip install av), let the sender repeat the parameter sets (SPS, PPS) with each "
    f"key frame, or {TRANSPORT_STREAM}"
)
REFUSED = (401, 403)  # codes of HTTP and RTSP
LOGIN = re.compile(r"\b40[13] \(?(Unauthorized|Forbidden)", re.IGNORECASE)  # in FFmpeg's words


def why_no_stream(address: str, waited_s: float, reason: str = "") -> str:
    """The reason in words, and what to do.

    Args:
        address: address of the stream.
        waited_s: for how long it was tried.
        reason: what FFmpeg said, or "".
    """
    within = f" within {waited_s:.0f} s" if waited_s >= 1 else ""
    if address.lower().startswith(("udp:", "rtp:")):  # nobody can refuse datagrams
        return f"no picture came{within}; check the port; {TRANSPORT_STREAM}; {KEY_FRAMES}"
    check = "check the address, its user and password, and that the sender runs"
    if reason:
        return f"FFmpeg says: {reason}; {check}"
    return f"no picture came{within}; {check}; {KEY_FRAMES}"


def login_refused(name: str, answer: str) -> LoginRefused:
    """The error to raise for a sender that answered so, such as "401 Unauthorized"."""
    return LoginRefused(
        f"{name}: the sender refuses the user or the password ({answer}); check them in the "
        "address, and how many viewers it allows",
        what="wrong login",
    )
