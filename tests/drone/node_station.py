"""A ground station that shares no code with pymavlink or MAVSDK: node-mavlink, over TCP.

npm install --prefix DIR node-mavlink
python -m tests.drone.node_station CLIPS --modules DIR [--sign WORD] --only otb-David
"""

import argparse
import hashlib
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time

from tests.drone.conversation import FRAMES, Clip, overlaps, without_truth
from tests.support.mavlink_client import Program
from tests.support.ports import free_port

STATION = pathlib.Path(__file__).with_suffix(".mjs")
ACTIVE = 1  # CAMERA_TRACKING_STATUS_FLAGS


def with_node(clip, folder, modules, word=""):
    """The conversation. Returns (boxes by frame, lines that were said, packets without signature).

    Args:
        modules: the folder that ``npm install --prefix`` filled.
        word: both sides sign with its SHA-256; "" for no signatures.
    """
    port = free_port(socket.SOCK_STREAM)
    arguments = ["--video", without_truth(clip, folder), "--link-delay", 0, "--captures", folder]
    arguments += ["--mavlink", f"tcpin:127.0.0.1:{port}"]
    if word:
        key = pathlib.Path(folder) / "key"
        key.write_text(hashlib.sha256(word.encode()).hexdigest())
        arguments += ["--mavlink-key", key]
    (width, height), (x, y, w, h) = clip.size, clip.boxes[0]
    shares = x / width, y / height, (x + w) / width, (y + h) / height
    with Program(arguments, os.path.join(folder, "log")) as program:
        _wait_for(port)
        station = ["node", STATION, modules, port, word, FRAMES] + list(shares)
        done = subprocess.run(
            [str(value) for value in station],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=90,
        )
        text = done.stdout.decode()
        assert done.returncode == 0, text + program.text()
        program.end()
    *lines, last = text.splitlines()
    told, boxes = json.loads(last), {}
    for frame, status, left, top, right, bottom in told["states"]:
        if status == ACTIVE:
            boxes[frame] = (
                left * width,
                top * height,
                (right - left) * width,
                (bottom - top) * height,
            )
    return boxes, lines, told["unsigned"]


def _wait_for(port, seconds=40.0):
    """Wait until a program listens at a port."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, f"nothing listens at port {port}"
            time.sleep(0.1)


def main():
    cli = argparse.ArgumentParser(description="A conversation with node-mavlink")
    cli.add_argument("clips", type=pathlib.Path)
    cli.add_argument("--modules", required=True, help="folder of npm install --prefix")
    cli.add_argument("--only", nargs="*", help="names of clips")
    cli.add_argument("--sign", default="", metavar="WORD")
    options = cli.parse_args()
    for path in sorted(options.clips.glob("*/boxes.csv")):
        if options.only and path.parent.name not in options.only:
            continue
        clip = Clip(path.parent)
        with tempfile.TemporaryDirectory() as folder:
            boxes, lines, unsigned = with_node(clip, folder, options.modules, options.sign)
            pictures = len(list(pathlib.Path(folder).glob("*.jpg")))
        print("\n".join(lines))
        values = overlaps(clip, boxes)
        line = (
            f"{clip.name}: {len(values)} frames, mean IoU {values.mean():.3f}, {pictures} pictures"
        )
        signed = f"; {unsigned} packets without a good signature" if options.sign else ""
        print(line + signed)


if __name__ == "__main__":
    main()
