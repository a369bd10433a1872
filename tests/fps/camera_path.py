"""python -m tests.fps.camera_path: what frames in planes save.

Processor time is that of all threads, on one core. "before" converts every frame to BGR by OpenCV;
"now" is what runtime.track does. Of a camera, what its emulation takes is measured alone and is
left out.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np

from runtime import load_tracker
from runtime.errors import HotpathError
from runtime.video.save import Video
from runtime.video.sources import WAITING, open_source
from tests.fps.place import CHECKOUT
from tests.support.streams.camera import FakeCamera

SKIPPED = 20  # frames before the clock starts
CAMERAS = (("MJPG", 1920, 1080), ("YUYV", 1280, 720))
WAYS = ("emulation", "before", "now")
FILM_SIZE, FILM_SIDE, FILM_FPS = (1920, 1080), 160, 30
RATE = re.compile(r"(\d+) frames in ([\d.]+) s: ")


def main(arguments=None):
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fps.camera_path",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--network", default="kestrel")
    parser.add_argument("--networks-dir", default=os.environ.get("NETWORKS_DIR"), metavar="DIR")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=120, help="of a round")
    parser.add_argument("--loop", metavar="SOURCE", help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--stage", choices=("read", "crop", "track"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    try:
        if options.loop:
            print(loop(options, options.loop, options.way, options.stage))
        else:
            measure(options)
    except HotpathError as error:
        print(f"tests.fps.camera_path: {error}", file=sys.stderr)
        return 2
    return 0


def loop(options, spec, way, stage="track"):
    """Read a source and track in it; returns processor milliseconds a frame.

    Args:
        stage: "read", "crop" (write the network's input) or "track".
    """
    if way == "emulation":
        return _grab(options, spec)
    box = film_place(0) + (FILM_SIDE,) * 2
    with open_source(spec, planes=way == "now") as source:
        tracker, count, began_s, dropped = _tracker(options) if stage != "read" else None, 0, 0.0, 0
        while count < options.frames + SKIPPED:
            if count == SKIPPED:
                began_s, dropped = time.process_time(), source.dropped
            frame = source.read()
            if frame is WAITING:
                continue
            if frame is None:
                break
            if tracker is not None and count == 0:
                tracker.init(frame, box)
            elif stage == "track":
                tracker.update(frame)
            elif stage == "crop":
                tracker.device.aim(frame, tracker.state, 1.0)
            count += 1
        spent_s = time.process_time() - began_s
        return spent_s * 1e3 / max(1, count - SKIPPED + source.dropped - dropped)


def _grab(options, device):
    """Take a camera's buffers and do nothing with them."""
    capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
    for _ in range(SKIPPED):
        capture.grab()
    began_s = time.process_time()
    for _ in range(options.frames):
        capture.grab()
    spent_s = time.process_time() - began_s
    capture.release()
    return spent_s * 1e3 / options.frames


def _tracker(options):
    return load_tracker(
        options.network,
        precision=options.precision,
        networks_dir=options.networks_dir or None,
        threads=1,
    )


def measure(options):
    """Print the processor time of a file and of cameras, before and now."""
    with tempfile.TemporaryDirectory(prefix="hotpath-camera-path-") as name:
        folder = pathlib.Path(name)
        film = str(folder / "film.mp4")
        box = make_film(film, options.frames + SKIPPED)
        _measure_file(options, film, box, folder)
        pictures = list(film_frames(8))
        for kind, width, height in CAMERAS:
            shown = [_noisy(cv2.resize(picture, (width, height))) for picture in pictures]
            place = folder / kind
            place.mkdir()
            _measure_camera(options, FakeCamera(place, shown + shown[-2:0:-1], kind=kind))


def film_frames(count):
    """Pictures of a textured square that moves over a textured ground, one after the other."""
    random, (width, height) = np.random.RandomState(7), FILM_SIZE
    ground = random.randint(0, 255, (height // 8, width // 8, 3)).astype(np.uint8)
    ground = cv2.resize(ground, FILM_SIZE, interpolation=cv2.INTER_CUBIC)
    target = random.randint(0, 255, (8, 8, 3)).astype(np.uint8)
    target = cv2.resize(target, (FILM_SIDE, FILM_SIDE), interpolation=cv2.INTER_NEAREST)
    for index in range(count):
        x, y = film_place(index)
        picture = ground.copy()
        picture[y : y + FILM_SIDE, x : x + FILM_SIDE] = target
        yield picture


def film_place(index):
    """The left upper corner of the square."""
    return int(800 + 500 * np.sin(index / 60.0)), int(400 + 250 * np.sin(index / 45.0))


def make_film(path, count):
    """Write the film as H.264; returns its first box."""
    with Video(str(path), FILM_FPS) as video:
        for index, picture in enumerate(film_frames(count)):
            video.write(picture, index / FILM_FPS)
    return (*film_place(0), FILM_SIDE, FILM_SIDE)


def _noisy(picture):
    """The picture as a camera's lens and sensor give it."""
    noise = np.random.RandomState(3).randint(0, 12, picture.shape[:2] + (1,)).astype(np.uint8)
    return cv2.add(cv2.GaussianBlur(picture, (0, 0), 5), np.repeat(noise, 3, axis=2))


def _measure_file(options, film, box, folder):
    """1080p H.264: decoding alone, tracking alone, whole programs."""
    found = {}
    for _ in range(options.rounds):
        alone = {
            "decode alone": loop(options, film, "now", "read"),
            "decode and convert": loop(options, film, "before", "read"),
            "tracking alone": _tracking_alone(options, film, box),
            "read and track, before": loop(options, film, "before"),
            "read and track, now": loop(options, film, "now"),
            "runtime.track": _program(options, film, box, folder),
        }
        for what, spent_ms in alone.items():
            found.setdefault(what, []).append(spent_ms)
    medians = {what: float(np.median(values)) for what, values in found.items()}
    print("1920x1080 H.264, processor ms a frame:")
    for what, value in medians.items():
        print(f"  {what:24} {value:6.3f}")
    limit = medians["decode alone"] + 1.1 * medians["tracking alone"]
    print(f"  limit: decode + 1.1 x tracking {limit:.3f}")
    for what in ("read and track, now", "runtime.track"):
        print(f"  {what} / limit: {medians[what] / limit:.3f}")


def _tracking_alone(options, film, box):
    """BGR frames in memory: processor milliseconds of ``update``."""
    frames = []
    with open_source(film) as source:
        while len(frames) < 40:
            frames.append(source.read())
    tracker = _tracker(options)
    tracker.init(frames[0], box)
    order = frames[1:] + frames[-2:0:-1]
    for frame in order[:SKIPPED]:
        tracker.update(frame)
    tracker.init(frames[0], box)
    began_s, count = time.process_time(), 0
    while count < options.frames:
        tracker.update(order[count % len(order)])
        count += 1
    return (time.process_time() - began_s) * 1e3 / count


def _program(options, film, box, folder):
    """The command line with results and no other output, less a run of the skipped frames."""
    words = [sys.executable, "-m", "runtime.track", "--video", film, "--threads", "1"]
    words += ["--box", ",".join(f"{v:g}" for v in box), "--results", str(folder / "boxes.csv")]
    words += ["--network", options.network, "--precision", options.precision, "--profile"]
    if options.networks_dir:
        words += ["--networks-dir", options.networks_dir]
    (few, start_s), (frames, spent_s) = (
        _run(words + more) for more in (["--frames", str(SKIPPED)], [])
    )
    return (spent_s - start_s) * 1e3 / (frames - few)


def _run(words):
    """Run our program: (frames, processor seconds)."""
    before = os.times()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(words, cwd=CHECKOUT, universal_newlines=True, **pipes)
    after = os.times()
    rate = RATE.search(done.stdout)
    if done.returncode or not rate:
        said = (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
        raise HotpathError(f"`{' '.join(words)}` failed: {said}")
    return int(rate.group(1)), sum(after[2:4]) - sum(before[2:4])  # of children


def _measure_camera(options, fake):
    """A camera's frames read and tracked, in processes of their own."""
    for stage in ("read", "crop", "track"):
        _measure_stage(options, fake, stage)


def _measure_stage(options, fake, stage):
    found = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way in WAYS:
            command = [sys.executable, "-m", "tests.fps.camera_path", "--way", way, "--loop"]
            command += [f"/dev/video{fake.number}", "--network", options.network]
            command += ["--stage", stage]
            command += ["--precision", options.precision, "--frames", str(options.frames)]
            command += ["--networks-dir", options.networks_dir or ""]
            out = subprocess.check_output(command, cwd=CHECKOUT, env=fake.environment())
            found[way].append(float(out.decode().split()[-1]))
    spent = {way: float(np.median(values)) for way, values in found.items()}
    before, now = (spent[way] - spent["emulation"] for way in ("before", "now"))
    print(
        "{}x{} {} camera, processor ms a frame to the {}: before {:.3f}, now {:.3f}, "
        "now / before {:.2f} (the emulation's {:.3f} left out)".format(
            fake.width,
            fake.height,
            fake.kind,
            {"read": "frame", "crop": "network's input", "track": "box"}[stage],
            before,
            now,
            now / before,
            spent["emulation"],
        )
    )


if __name__ == "__main__":
    sys.exit(main())
