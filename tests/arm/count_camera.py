"""Count the instructions that a Zynq-7000's processor executes to bring a camera's frame into BGR.

    python -m tests.arm.count_camera

The frame is a face in 640 x 480 pixels (``count_fpga``). Its ways into BGR run under QEMU on
Debian's armhf, with Debian's OpenCV and with C++ kernels compiled for the Cortex-A9. Milliseconds
follow from an assumed number of cycles an instruction and the clock of a PYNQ-Z2; they are
estimates, and leave out what the kernel does to receive a frame.
"""

import os
import re
import sys
import tempfile

import cv2
import numpy as np

import boards
from tests.arm.camera_frames import WAYS
from tests.arm.count import logged, plugin_for
from tests.arm.count_fpga import BOARD, clip
from tests.arm.machine import HOME, exit_code, open_machine

QUALITY = 85  # of the JPEG
CYCLES_AN_INSTRUCTION = 2.0  # assumed: up to two start in a cycle, and wait for memory


def main():
    """Run the command line; returns the exit code."""
    machine = open_machine("armhf")
    core = machine.table["cores"][0]
    frame = clip()[0][0]
    jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].reshape(-1)
    machine.run(core, ["-m", "kernels.cpu"], check=True)
    with tempfile.TemporaryDirectory(dir=str(HOME)) as folder:
        path = os.path.join(folder, "frame.npz")
        np.savez(path, frame=frame, jpeg=jpeg)
        command = ["-m", "tests.arm.camera_frames", path]
        text = logged(
            plugin_for(machine), lambda more: machine.run(core, command, more, check=True)
        )
    clock_mhz = boards.load_board(BOARD).cpu["clock_max_mhz"]
    counts = [int(count) for count in re.findall(r"mark \d+ (\d+)", text)]
    own = counts[1] - counts[0]
    print(f"| a frame of 640 x 480 | instructions | estimated ms on a {BOARD} |")
    print("| --- | ---: | ---: |")
    for number, way in enumerate(WAYS[1:], 1):
        found = counts[2 * number + 1] - counts[2 * number] - own
        took_ms = found * CYCLES_AN_INSTRUCTION / clock_mhz / 1e3
        print(f"| {way} | {found:,} | {took_ms:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code("count_camera", main))
