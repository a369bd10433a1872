"""python -m tests.fps.programs: whole programs beside one another, ours and a loop of OpenCV's.

    python -m tests.fps.programs [--video FILE --box X,Y,W,H] --networks-dir DIR

The other program is what a tutorial shows: cv2.VideoCapture, cv2.TrackerNano, a line of CSV a
frame. Both are started as processes of their own, in turns: on the file, as fast as they can, and
on an emulated V4L2 camera that shows the file's frames at 30 a second. Told are frames a second,
processor time a frame (less that of a run of two frames), and for the camera the time from the
driver's stamp to the box. Without --video a film of 1920x1080 is made.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np

from runtime.errors import HotpathError
from runtime.networks import load_network
from runtime.video.save import Video
from runtime.video.sources import open_source
from tests.fps import peers
from tests.fps.place import CHECKOUT
from tests.support.streams import camera

PEER = "OpenCV: VideoCapture and TrackerNano"
FILM_SIZE, FILM_SIDE, FILM_FPS = (1920, 1080), 160, 30
SHOWN = 24  # frames of the file that the camera shows, forward and backward
RATE = re.compile(r"(\d+) frames in ([\d.]+) s: ")
LATENCY = re.compile(r"glass to box: ([\d.]+) ms \(median, p95 ([\d.]+), p99 ([\d.]+)\)")


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
    video = Video(str(path), FILM_FPS)
    for index, picture in enumerate(film_frames(count)):
        video.write(picture, index / FILM_FPS)
    video.close()
    return (*film_place(0), FILM_SIDE, FILM_SIDE)


def ours(source, box, options, out, extra=()):
    """The command of our program."""
    words = [sys.executable, "-m", "runtime.track", "--video", source]
    words += ["--box", ",".join(f"{v:g}" for v in box), "--results", str(out)]
    words += ["--network", options.network, "--threads", str(options.threads)]
    words += ["--latency", options.latency, "--profile", "--no-show"]
    if options.networks_dir:
        words += ["--networks-dir", options.networks_dir]
    return words + list(extra)


def theirs(source, box, options, out, extra=()):
    """The command of the other program: this module, with --peer."""
    words = [sys.executable, "-m", "tests.fps.programs", "--peer", source, "--out", str(out)]
    words += ["--box", ",".join(f"{v:g}" for v in box), "--threads", str(options.threads)]
    return words + ["--networks-dir", options.networks_dir or ""] + list(extra)


def run(words, environment=None):
    """Run a program: dict of frames, fps, processor_s (with its start), latency_ms or None."""
    before = os.times()
    done = subprocess.run(
        words,
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    after = os.times()
    rate = RATE.search(done.stdout)
    if done.returncode or not rate:
        raise HotpathError(
            "`{}` failed: {}".format(
                " ".join(words), (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
            )
        )
    frames = int(rate.group(1))
    spent_s = (after[2] + after[3]) - (before[2] + before[3])  # of children
    late = LATENCY.search(done.stdout)
    return {
        "frames": frames,
        "fps": frames / max(float(rate.group(2)), 1e-6),
        "processor_s": spent_s,
        "latency_ms": [float(v) for v in late.groups()] if late else None,
    }


def peer_loop(options, box):
    """The other program; prints what ``run`` looks for."""
    network = load_network("nanotrack_v2")
    tracker = peers.OpenCvNano(network, options.networks_dir or None, options.threads)
    is_camera = options.peer.startswith("/dev/")
    capture = cv2.VideoCapture(options.peer, cv2.CAP_V4L2 if is_camera else cv2.CAP_ANY)
    good, frame = capture.read()
    if not good:
        raise HotpathError(f"{options.peer}: OpenCV can't read it")
    tracker.init(frame, box)
    late_ms, count, began_s = [], 0, time.perf_counter()
    with open(options.out, "w") as results:
        while options.frames is None or count < options.frames - 1:
            good, frame = capture.read()
            if not good:
                break
            _, found = tracker.update(frame)
            if is_camera:
                stamp_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
                late_ms.append(time.monotonic() * 1e3 - stamp_ms)
            count += 1
            results.write("{},{},{},{},{}\n".format(count, *found))
    seconds = time.perf_counter() - began_s
    print(f"{count} frames in {seconds:.3f} s: OpenCV {cv2.__version__}")
    if late_ms:
        figures = np.percentile(late_ms, (50, 95, 99))
        print("glass to box: {:.1f} ms (median, p95 {:.1f}, p99 {:.1f})".format(*figures))


def measure(options, video, box, folder, say=print):
    """Run both programs in turns on the file and the camera: dict of (source, program) -> runs."""
    programs = [(f"hotpath, {options.network}", ours), (PEER, theirs)]
    shown = first_frames(video)
    fake = camera.FakeCamera(folder, shown + shown[-2:0:-1])
    extra = ["--frames", str(options.camera_frames)]
    found = {}
    for number in range(options.rounds):
        for name, command in programs[:: 1 if number % 2 == 0 else -1]:
            out = folder / "boxes.csv"
            start = run(command(video, box, options, out, ["--frames", "2"]))
            on_file = run(command(video, box, options, out))
            device = f"/dev/video{fake.number}"
            live = run(command(device, box, options, out, extra), fake.environment())
            for source, one in (("file", on_file), ("camera", live)):
                spent_s = one["processor_s"] - start["processor_s"]
                one["processor_ms"] = spent_s * 1e3 / max(1, one["frames"] - start["frames"])
                found.setdefault((source, name), []).append(one)
        say(f"round {number + 1} of {options.rounds}")
    return found


def first_frames(video):
    """The frames that the camera shows; of an even size, as its pixel format asks."""
    frames = []
    with open_source(video) as source:
        frame = source.read()
        while frame is not None and len(frames) < SHOWN:
            frames.append(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2].copy())
            frame = source.read()
    return frames


def table(found):
    """The medians of the runs as Markdown."""
    lines = [
        "| source | program | FPS | processor ms a frame | glass to box ms, median | p95 | p99 |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for (source, name), runs in sorted(found.items(), reverse=True):
        late = [each["latency_ms"] for each in runs if each["latency_ms"]]
        cells = [f"{v:.1f}" for v in np.median(late, axis=0)] if late else [""] * 3
        lines.append(
            "| {} | {} | {:.1f} | {:.2f} | {} |".format(
                source,
                name,
                np.median([each["fps"] for each in runs]),
                np.median([each["processor_ms"] for each in runs]),
                " | ".join(cells),
            )
        )
    return "\n".join(lines)


def main(arguments=None):
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fps.programs", description=__doc__)
    parser.add_argument("--video", metavar="FILE", help="default: a film of 1920x1080")
    parser.add_argument("--box", metavar="X,Y,W,H", help="target in its first frame")
    parser.add_argument("--network", default="nanotrack_v2", help="ours (default: %(default)s)")
    parser.add_argument("--networks-dir", default=os.environ.get("NETWORKS_DIR"), metavar="DIR")
    parser.add_argument("--latency", default="normal", help="ours (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of both programs' networks")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--film-frames", type=int, default=300, metavar="N")
    parser.add_argument("--camera-frames", type=int, default=150, metavar="N")
    parser.add_argument("--json", metavar="FILE", help="write all runs here")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        return _main(options)
    except HotpathError as error:
        print(f"tests.fps.programs: {error}", file=sys.stderr)
        return 2


def _main(options):
    box = tuple(float(v) for v in options.box.split(",")) if options.box else None
    if options.peer:
        peer_loop(options, box)
        return 0
    if options.video and not box:
        raise HotpathError("--video needs --box, the target in its first frame")
    if camera.compiler() is None:
        raise HotpathError("the emulated camera needs a C compiler; install gcc")
    with tempfile.TemporaryDirectory(prefix="hotpath-programs-") as name:
        folder, video = pathlib.Path(name), options.video
        if not video:
            video = str(folder / "film.mp4")
            box = make_film(video, options.film_frames)
        found = measure(options, video, box, folder)
    print(table(found))
    if options.json:
        with open(options.json, "w") as file:
            json.dump([dict(source=s, program=p, runs=r) for (s, p), r in found.items()], file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
