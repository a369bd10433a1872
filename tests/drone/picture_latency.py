"""How old is the picture when a receiver has decoded it? A clock in the picture tells.

Each frame shows the milliseconds of the monotonic clock as black and white columns. FFmpeg and
GStreamer receive on the same computer; what they decode is compared with the clock then.

    python -m tests.drone.picture_latency
"""

import os
import shutil
import subprocess
import time

import numpy as np

from runtime.links.stream.sender import open_sender
from runtime.types import TrackedFrame
from tests.support.ports import free_port

SIZE = (640, 360)
BITS = 20
COLUMN = 32  # pixels a bit
FPS = 30.0
SECONDS = 8.0


def clock_ms():
    return int(time.monotonic() * 1e3) % (1 << BITS)


def frame_with_clock():
    """A frame, and when it was made."""
    frame = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    now = clock_ms()
    for bit in range(BITS):
        frame[100:200, bit * COLUMN : (bit + 1) * COLUMN] = 235 if now >> bit & 1 else 16
    return frame


def read_clock(picture):
    """The milliseconds that a decoded picture shows."""
    row = picture[130:170, :, 1].mean(axis=0)
    return sum(
        int(row[bit * COLUMN + 8 : (bit + 1) * COLUMN - 8].mean() > 125) << bit
        for bit in range(BITS)
    )


def ages_ms(command, sender, seconds=SECONDS):
    """Ages of the pictures that a program writes raw (BGR) to its standard output."""
    size, data, ages, index = SIZE[0] * SIZE[1] * 3, bytearray(), [], 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
        os.set_blocking(program.stdout.fileno(), False)
        end, due = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end:
            now = time.monotonic()
            if now >= due:
                due = max(due + 1 / FPS, now - 1 / FPS)
                sender.show(TrackedFrame(frame_with_clock(), index, None, {}, now), False)
                index += 1
            data.extend(program.stdout.read() or b"")
            while len(data) >= size:
                picture = np.frombuffer(bytes(data[:size]), np.uint8).reshape(SIZE[1], SIZE[0], 3)
                del data[:size]
                ages.append((clock_ms() - read_clock(picture)) % (1 << BITS))
            time.sleep(0.001)
        program.kill()
    return np.array(ages[len(ages) // 4 :])  # without the beginning


def main():
    rtsp, rtp = free_port(), free_port()
    address = f"rtsp://127.0.0.1:{rtsp}/live"
    sender = open_sender([address, f"udp://127.0.0.1:{rtp}"], None, FPS, False, print)
    caps = "application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload=96"
    decode = "rtph264depay ! h264parse ! openh264dec ! videoconvert ! video/x-raw,format=BGR ! "
    decode += "fdsink fd=1 sync=false"
    ways = {
        "RTSP, FFmpeg": [
            "ffmpeg",
            "-v",
            "quiet",
            "-fflags",
            "nobuffer",
            "-flags",
            "low_delay",
            "-probesize",
            "32",
            "-analyzeduration",
            "0",
            "-rtsp_transport",
            "udp",
            "-threads",
            "1",
            "-i",
            address,
            "-f",
            "rawvideo",
            "-pix_fmt",
            "bgr24",
            "-fps_mode",
            "passthrough",
            "-",
        ],
        "RTSP, GStreamer": ("gst-launch-1.0 -q rtspsrc location={} latency=0 ! " + decode)
        .format(address)
        .split(),
        "RTP, GStreamer": ("gst-launch-1.0 -q udpsrc port={} caps={} ! " + decode)
        .format(rtp, caps)
        .split(),
    }
    try:
        for name, command in ways.items():
            if not shutil.which(command[0]):
                print(f"{name}: no {command[0]}")
                continue
            ages = ages_ms(command, sender)
            if not len(ages):
                print(f"{name}: no picture came")
                continue
            print(
                f"{name:<16} {len(ages)} pictures: median {np.median(ages):.0f} ms, p95 "
                f"{np.percentile(ages, 95):.0f} ms (encoder {sender.encoder})"
            )
    finally:
        sender.close()


if __name__ == "__main__":
    main()
