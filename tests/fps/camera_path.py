"""python -m tests.fps.camera_path: what frames in planes save, and that the boxes stay.

    python -m tests.fps.camera_path [--networks-dir DIR]              processor time, in turns
    python -m tests.fps.camera_path --clips DIR [--networks-dir DIR]  boxes both ways

Processor time is that of all threads, on one core. "before" converts every frame to BGR by OpenCV;
"now" is what runtime.track does. Of a camera, what its emulation takes is measured alone and is
left out. Boxes are compared on clips that are encoded as H.264 and Motion JPEG, and on planes that
are made of their frames.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np

from calib.clips import find_clips
from calib.metrics import overlap
from runtime import load_tracker
from runtime.errors import HotpathError
from runtime.pictures import JpegFrame, PlanarFrame, bgr_of
from runtime.video.save import Video
from runtime.video.sources import WAITING, open_source
from tests.fps import programs
from tests.fps.place import CHECKOUT
from tests.support.pictures_in_planes import planes_of
from tests.support.streams.camera import FakeCamera

SKIPPED = 20  # frames before the clock starts
CAMERAS = (("MJPG", 1920, 1080), ("YUYV", 1280, 720))
WAYS = ("emulation", "before", "now")
JPEG_QUALITY = 90


def main(arguments=None):
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fps.camera_path",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--clips", metavar="DIR", help="compare boxes on these annotated clips")
    parser.add_argument("--network", default="kestrel")
    parser.add_argument("--networks-dir", default=os.environ.get("NETWORKS_DIR"), metavar="DIR")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=120, help="of a clip or a round")
    parser.add_argument("--loop", metavar="SOURCE", help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--stage", choices=("read", "crop", "track"), help=argparse.SUPPRESS)
    parser.set_defaults(threads=1, latency="normal")
    options = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity") and not options.clips:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    try:
        if options.loop:
            print(loop(options, options.loop, options.way, options.stage))
        elif options.clips:
            compare_boxes(options)
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
    box = programs.film_place(0) + (programs.FILM_SIDE,) * 2
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
        box = programs.make_film(film, options.frames + SKIPPED)
        _measure_file(options, film, box, folder)
        pictures = list(programs.film_frames(8))
        for kind, width, height in CAMERAS:
            shown = [_noisy(cv2.resize(picture, (width, height))) for picture in pictures]
            place = folder / kind
            place.mkdir()
            _measure_camera(options, FakeCamera(place, shown + shown[-2:0:-1], kind=kind))


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
    more = ["--precision", options.precision]
    words = [
        programs.run(programs.ours(film, box, options, folder / "boxes.csv", more + extra))
        for extra in (["--frames", str(SKIPPED)], [])
    ]
    frames = words[1]["frames"] - words[0]["frames"]
    return (words[1]["processor_s"] - words[0]["processor_s"]) * 1e3 / frames


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


def compare_boxes(options):
    """Print how far the boxes of both ways lie apart, clip by clip."""
    tracker = _tracker(options)
    rows = []
    print("clip                  truth: H.264 BGR, planes | JPEG whole, as needed | px: NV12 BGRx")
    with tempfile.TemporaryDirectory(prefix="hotpath-camera-path-") as name:
        for clip in find_clips([options.clips]):
            count = min(len(clip), options.frames)
            frames = [_even(clip[index]) for index in range(count)]
            path = str(pathlib.Path(name) / "clip.mp4")
            with Video(path, 25.0) as video:
                for frame in frames:
                    video.write(frame)
            truth, box = clip.boxes[:count], clip.boxes[0]
            jpegs = [_jpeg(frame) for frame in frames]
            row = [_overlap(tracker, _frames(path, planes), box, truth) for planes in (False, True)]
            whole = (cv2.imdecode(jpeg, cv2.IMREAD_COLOR) for jpeg in jpegs)
            row.append(_overlap(tracker, whole, box, truth))
            row.append(_overlap(tracker, map(JpegFrame, jpegs), box, truth))
            row += [_apart(tracker, frames, box, kind) for kind in ("NV12", "BGRx")]
            rows.append(row)
            print("{:22} {:.4f} {:.4f} | {:.4f} {:.4f} | {:.3f} {:.3f}".format(clip.name, *row))
    mean = np.mean(rows, axis=0)
    print("mean                   {:.4f} {:.4f} | {:.4f} {:.4f}".format(*mean))
    print(f"H.264: {mean[1] - mean[0]:+.4f}, JPEG: {mean[3] - mean[2]:+.4f}")


def _even(frame):
    """The frame with even sides, as the formats ask."""
    return np.ascontiguousarray(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2])


def _jpeg(frame):
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode(".jpg", frame, quality)[1].reshape(-1)


def _frames(path, planes):
    """The frames of a file, one by one."""
    with open_source(path, planes=planes) as source:
        frame = source.read()
        while frame is not None:
            yield frame
            frame = source.read()


def _boxes(tracker, frames, box):
    found = []
    for frame in frames:
        if found:
            found.append(tracker.update(frame).box)
        else:
            tracker.init(frame, box)
            found.append(tuple(box))
    return np.array(found)


def _overlap(tracker, frames, box, truth):
    """Mean overlap with the truth, over the frames that have one."""
    found = _boxes(tracker, frames, box)[1:]
    known = np.isfinite(truth[1:]).all(axis=1)
    return float(np.mean(overlap(found[known], truth[1:][known])))


def _apart(tracker, frames, box, kind):
    """Median distance of the sides of the boxes in planes and in the converted frames, pixels."""
    planar = [PlanarFrame(planes_of(frame, kind)) for frame in frames]
    ways = [_boxes(tracker, way, box) for way in (planar, [bgr_of(frame) for frame in planar])]
    return float(np.median(np.abs(ways[0] - ways[1])))


if __name__ == "__main__":
    sys.exit(main())
