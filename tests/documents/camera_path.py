"""python -m tests.documents.camera_path: what frames in planes of a camera save.

Processor time is that of all threads, on one core. "before" converts every frame to BGR by OpenCV;
"now" is what runtime.track does. Of a camera, what its emulation takes is measured alone and is
left out.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

import cv2
import numpy as np

from hotpath.boards.fps.place import CHECKOUT
from hotpath.runtime import load_tracker
from hotpath.runtime.track.video.sources import WAITING, open_source
from tests.support import run
from tests.support.streams.camera import FakeCamera

SKIPPED = 20  # frames before the clock starts
CAMERAS = (("MJPG", 1920, 1080), ("YUYV", 1280, 720))
WAYS = ("emulation", "before", "now")
STAGES = {"read": "frame", "crop": "network's input", "track": "box"}
BOX = (800, 400, 160, 160)  # of the target in the first picture


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m tests.documents.camera_path",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=120, help="of a round")
    parser.add_argument("--loop", metavar="SOURCE", help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if options.loop:
        print(loop(options))
    else:
        measure(options)
    return 0


def loop(options):
    """Read a camera as a process of its own; returns processor milliseconds a frame."""
    if options.way == "emulation":
        return _grab(options)
    with open_source(options.loop, planes=options.way == "now") as source:
        tracker = None
        if options.stage != "read":
            tracker = load_tracker("kestrel", precision="auto", threads=1)
        count, began_s, dropped = 0, 0.0, 0
        while count < options.frames + SKIPPED:
            if count == SKIPPED:
                began_s, dropped = time.process_time(), source.dropped
            frame = source.read()
            if frame is WAITING:
                continue
            if tracker is not None and count == 0:
                tracker.init(frame, BOX)
            elif options.stage == "track":
                tracker.update(frame)
            elif options.stage == "crop":
                tracker.device.aim(frame, tracker.state, 1.0)
            count += 1
        spent_s = time.process_time() - began_s
        return spent_s * 1e3 / max(1, count - SKIPPED + source.dropped - dropped)


def _grab(options):
    """Take a camera's buffers and do nothing with them."""
    capture = cv2.VideoCapture(options.loop, cv2.CAP_V4L2)
    for index in range(SKIPPED + options.frames):
        if index == SKIPPED:
            began_s = time.process_time()
        capture.grab()
    return (time.process_time() - began_s) * 1e3 / options.frames


def measure(options):
    """Print the processor time of each camera, before and now."""
    with tempfile.TemporaryDirectory(prefix="hotpath-camera-path-") as name:
        for kind, width, height in CAMERAS:
            place = pathlib.Path(name) / kind
            place.mkdir()
            shown = [cv2.resize(picture, (width, height)) for picture in pictures()]
            fake = FakeCamera(place, shown + shown[-2:0:-1], kind=kind)
            for stage in STAGES:
                _measure_stage(options, fake, stage)


def pictures():
    """Pictures of a textured square that moves, as a camera's lens and sensor give them."""
    random = np.random.RandomState(7)
    ground = random.randint(0, 255, (135, 240, 3)).astype(np.uint8)
    ground = cv2.resize(ground, (1920, 1080), interpolation=cv2.INTER_CUBIC)
    target = np.kron(random.randint(0, 255, (8, 8, 3)), np.ones((20, 20, 1)))
    noise = random.randint(0, 12, (1080, 1920, 1)).astype(np.uint8)
    for index in range(8):
        x, y = BOX[0] + 8 * index, BOX[1] + 6 * index
        picture = ground.copy()
        picture[y : y + BOX[3], x : x + BOX[2]] = target
        yield cv2.add(cv2.GaussianBlur(picture, (0, 0), 5), np.repeat(noise, 3, axis=2))


def _measure_stage(options, fake, stage):
    found = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way in WAYS:
            command = [sys.executable, "-m", "tests.documents.camera_path", "--way", way, "--stage"]
            command += [stage, "--loop", f"/dev/video{fake.number}", "--frames", options.frames]
            done = run(command, cwd=CHECKOUT, env=fake.environment(), stderr=None, check=True)
            found[way].append(float(done.stdout.split()[-1]))
    spent = {way: float(np.median(values)) for way, values in found.items()}
    before, now = (spent[way] - spent["emulation"] for way in ("before", "now"))
    print(
        f"{fake.width}x{fake.height} {fake.kind} camera, processor ms a frame to the "
        f"{STAGES[stage]}: before {before:.3f}, now {now:.3f}, now / before {now / before:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
