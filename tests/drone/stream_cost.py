"""What do the picture stream and the MAVLink link cost the tracker? With and without, in turns.

python -m tests.drone.stream_cost --video CLIP --rounds 5
"""

import argparse
import os
import re
import tempfile

import numpy as np

from tests.support.mavlink_client import Program
from tests.support.ports import free_port


def measured(video, box, frames, more):
    """(frames a second of tracking by the median, milliseconds a frame) of one run."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--video", video, "--box", box, "--frames", frames, "--threads", "1"]
        with Program(arguments + more(folder), os.path.join(folder, "log")) as program:
            program.process.wait(300)
            text = program.text()
    found = re.search(r"([0-9.]+) ms a frame", text)
    assert found, text
    return 1e3 / float(found.group(1))


def main():
    cli = argparse.ArgumentParser(description="Speed with and without streams")
    cli.add_argument("--video", required=True)
    cli.add_argument("--box", required=True, metavar="X,Y,W,H")
    cli.add_argument("--frames", type=int, default=250)
    cli.add_argument("--rounds", type=int, default=5)
    options = cli.parse_args()

    # with a link the recording is played at its own speed; without one the same is needed
    def paced(folder):
        return ["--mavlink", f"udpout:127.0.0.1:{free_port()}"]

    def streamed(folder):
        return paced(folder) + [
            "--stream",
            f"udp://127.0.0.1:{free_port()}",
            "--record",
            os.path.join(folder, "a.mkv"),
            "--publish",
            f"udp://127.0.0.1:{free_port()}",
        ]

    ratios = []
    for n in range(options.rounds):
        pair = {}
        for name, more in (("without", paced), ("with", streamed))[:: 1 if n % 2 else -1]:
            pair[name] = measured(options.video, options.box, options.frames, more)
        ratios.append(pair["with"] / pair["without"])
        print("without {without:.0f} FPS, with {with:.0f} FPS".format(**pair))
    print(f"ratio: median {np.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    main()
