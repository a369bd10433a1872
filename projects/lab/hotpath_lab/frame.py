"""python -m hotpath_lab.frame: the processor time of a whole frame, from the file to the row.

    taskset -c 1 python -m hotpath_lab.frame --video FILM --box X,Y,W,H --networks kestrel,lightfc

The film is encoded anew as H.264 of each size. ``hotpath track`` then follows the box in it in a
process of its own, in which the functions of each step are timed. Beside them stand FFmpeg's own
decoding and encoding of the same film, without anything drawn. Everything runs on one core, so that
each thread's time is that of its step. Rounds take turns, and each figure is the median of them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from hotpath.calib import command

SIZES = "640x480,1280x720,1920x1080"
WAYS = {"": [], "save": ["--save"], "show": ["--show"], "page": ["--page"]}
AHEAD = 20  # frames that are not counted, in which libraries set themselves up
DECODE, ENCODE = "decode", "encode"
FPS = 30.0


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath_lab.frame", __doc__)
    cli.add_argument("--video", required=True, metavar="FILM", help="any source of frames")
    cli.add_argument("--box", required=True, metavar="X,Y,W,H", help="box in its first frame")
    cli.add_argument("--networks", default="kestrel,lightfc", metavar="NAME,NAME")
    cli.add_argument("--sizes", default=SIZES, metavar="WxH,WxH", help="default: %(default)s")
    text = "outputs beside the rows: save, show (needs a display), page (default: save)"
    cli.add_argument("--with", dest="ways", default="save", metavar="NAME,NAME", help=text)
    cli.add_argument("--frames", type=int, default=200, help="default: %(default)s")
    cli.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    return cli


def run(options: argparse.Namespace) -> None:
    """Make the films, measure, and print a table for each size."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    box = [float(value) for value in options.box.split(",")]
    ways = ["", *filter(None, options.ways.split(","))]
    networks = options.networks.split(",")
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes.split(","):
            width, height = map(int, size.split("x"))
            path = os.path.join(folder, size + ".mp4")
            sides = film(options.video, path, (width, height), options.frames)
            scaled = [box[n] * (width, height)[n % 2] / sides[n % 2] for n in range(4)]
            runs: dict[tuple[str, str], list[dict[str, float]]] = {}
            own: list[dict[str, float]] = []
            for _ in range(options.rounds):
                for network in networks:
                    for way in ways:
                        got = _in_a_process(path, scaled, network, way, folder)
                        runs.setdefault((network, way), []).append(got)
                own.append(of_ffmpeg(path))
            print(table(size, runs, own), flush=True)


def film(place: str, path: str, size: tuple[int, int], count: int) -> tuple[int, int]:
    """Encode the first frames of a source in another size; returns its width and height."""
    from hotpath.video.encoder import Encoder, Settings
    from hotpath.video.save import X264
    from hotpath.video.sources import open_source

    settings = Settings("mp4", FPS, {}, X264, Fraction(1))
    with open_source(place) as source:
        first = frame = source.read()
        encoder = Encoder(path, settings, np.zeros((size[1], size[0], 3), np.uint8))
        for number in range(count):
            if frame is None:
                break
            encoder.write(cv2.resize(np.asarray(frame), size), number / FPS)
            frame = source.read()
        encoder.close()
    return first.shape[1], first.shape[0]


def of_ffmpeg(path: str) -> dict[str, float]:
    """Milliseconds a frame of FFmpeg's own decoding, and of encoding these frames as --save does.

    The encoder's input is what the decoder gave.
    """
    import av

    from hotpath.video.save import X264

    frames, encoding = 0, 0.0
    with av.open(path) as film, av.open(os.devnull, "w", format="mp4") as out:
        stream = film.streams.video[0]
        stream.thread_type = "AUTO"
        to = out.add_stream("libx264", rate=int(FPS))
        to.width, to.height, to.pix_fmt = stream.width, stream.height, "yuv420p"
        to.options = dict(X264, tune="zerolatency", g=str(int(FPS)))
        began = time.process_time()
        for frame in film.decode(stream):
            before = time.process_time()
            frames += 1
            to.encode(frame)
            encoding += time.process_time() - before
        decoding = time.process_time() - began - encoding
    return {DECODE: decoding / frames * 1e3, ENCODE: encoding / frames * 1e3}


class Meter:
    """The processor time of functions, each without that of the others that it calls.

    Attributes:
        spent: dict of step -> seconds, of all threads.
        frames: how many were written.
    """

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.frames = 0
        self._inner = threading.local()
        self._begin: tuple[float, dict[str, float]] = 0.0, {}
        self._end = self._begin

    def time(self, owner: Any, name: str, step: str) -> None:
        """Add the time of a function or a method to a step from now on."""
        function = getattr(owner, name)
        inner, spent = self._inner, self.spent

        def timed(*given: Any, **more: Any) -> Any:
            outer, inner.seconds = getattr(inner, "seconds", 0.0), 0.0
            began = time.thread_time()
            try:
                return function(*given, **more)
            finally:
                took = time.thread_time() - began
                spent[step] = spent.get(step, 0.0) + took - inner.seconds
                inner.seconds = outer + took

        setattr(owner, name, timed)

    def count(self, owner: Any, name: str) -> None:
        """Take a function whose end is that of a frame."""
        function: Callable[..., Any] = getattr(owner, name)

        def counted(*given: Any, **more: Any) -> Any:
            result = function(*given, **more)
            self.frames += 1
            self._end = time.process_time(), dict(self.spent)
            if self.frames == AHEAD:
                self._begin = self._end
            return result

        setattr(owner, name, counted)

    def ms(self) -> dict[str, float]:
        """Milliseconds a frame of each step, of all together, and of what no step has."""
        frames = max(1, self.frames - AHEAD)
        (began_s, before), (ended_s, after) = self._begin, self._end
        values = {s: (v - before.get(s, 0.0)) / frames * 1e3 for s, v in after.items()}
        whole = (ended_s - began_s) / frames * 1e3
        return dict(values, other=whole - sum(values.values()), frame=whole)


def watch(meter: Meter) -> None:
    """Time every step of ``hotpath track`` on a processor."""
    from hotpath.app.cli import drawn, outputs, player
    from hotpath.app.links import control
    from hotpath.runtime.devices.base import Device
    from hotpath.runtime.engines.shared.cpu import CpuEngine
    from hotpath.runtime.frames.geometry import KernelCrops
    from hotpath.runtime.targets.targets import Targets
    from hotpath.video import encoder, pyav_capture, results, save

    meter.time(pyav_capture.AvCapture, "_next", DECODE)
    meter.time(pyav_capture, "upright", "convert")
    meter.time(KernelCrops, "around", "crop")
    meter.time(CpuEngine, "search", "network")
    meter.time(Device, "result", "select")
    meter.time(Targets, "update", "state")
    meter.time(results.Rows, "write", "rows")
    meter.time(control.Controller, "write", "page")
    meter.time(drawn.Drawn, "write", "draw")
    meter.time(player.Player, "show", "show")
    meter.time(save.Video, "write", "save")
    meter.time(encoder.Encoder, "write", "save")
    meter.time(encoder.Encoder, "_encoded", ENCODE)
    meter.time(outputs.Outputs, "write", "outputs")
    meter.count(outputs.Outputs, "write")


def _in_a_process(
    path: str, box: list[float], network: str, way: str, folder: str
) -> dict[str, float]:
    """Milliseconds of each step of a run."""
    track = ["--video", path, "--box", ",".join(map(str, box)), "--network", network]
    track += ["--results", os.path.join(folder, "rows.csv"), "--quiet"]
    track += WAYS[way] + ([os.path.join(folder, "saved.mp4")] if way == "save" else [])
    track += ["--no-show"] if way != "show" else []
    words = [sys.executable, "-c", "from hotpath_lab.frame import child; child()", *track]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)
    values: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return values


def child() -> None:
    """Run ``hotpath track`` with the arguments, and print the milliseconds of each step."""
    from hotpath.app.__main__ import main

    meter = Meter()
    watch(meter)
    code = main(sys.argv[1:])
    if code:
        sys.exit(code)
    print(json.dumps(meter.ms()))


def table(
    size: str,
    runs: dict[tuple[str, str], list[dict[str, float]]],
    own: list[dict[str, float]],
) -> str:
    """Rows of steps, a column for each run. ``ours``: all but network and FFmpeg's own work."""
    ffmpeg = {step: statistics.median(each[step] for each in own) for step in own[0]}
    columns = {key: _medians(rounds) for key, rounds in runs.items()}
    steps = list(dict.fromkeys(step for values in columns.values() for step in values))
    steps = [step for step in steps if step not in ("other", "frame")] + ["other", "frame"]
    heads = " | ".join(network + (f" --{way}" if way else "") for network, way in columns)
    lines = [f"| {size}, ms | FFmpeg alone | {heads} |", "|---" * (len(columns) + 2) + "|"]
    for step in [*steps, "ours"]:
        cells = list(_cells(step, columns, ffmpeg))
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {s: statistics.median(each.get(s, 0.0) for each in rounds) for s in rounds[0]}


def _cells(
    step: str, columns: dict[tuple[str, str], dict[str, float]], ffmpeg: dict[str, float]
) -> Iterator[str]:
    yield f"{ffmpeg[step]:.2f}" if step in ffmpeg else ""
    for values in columns.values():
        if step == "ours":
            theirs = ffmpeg[DECODE] + values["network"] + values.get(ENCODE, 0.0)
            yield f"{values['frame'] - theirs:.2f}"
        else:
            yield f"{values[step]:.2f}" if step in values else ""


main = command.main("hotpath_lab.frame", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
