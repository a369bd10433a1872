"""python -m runtime.track: follow an object in a video, a camera or a stream.

Reads from top to bottom: options, then ``run``: tracker, source, first box, then frame after frame.
"""

import argparse
import contextlib
import os
import signal
import sys
import time

from runtime import DEFAULT_NETWORK, engines, load_targets
from runtime.cli.outputs import Outputs, Progress, check_outputs, say
from runtime.errors import BadBox, BadSource, HotpathError
from runtime.multi.pipeline import Pipeline, Taken
from runtime.networks.__main__ import list_networks
from runtime.page import control
from runtime.types import Track, checked_box
from runtime.video import window
from runtime.video.quiet import quiet
from runtime.video.sources import WAITING, list_cameras, open_source

POLL_S = 0.2  # longest wait before a signal is looked at
GIVEN = 1.0  # score of the first box, which nobody computed
MAKE_A_BOX = "give --box X,Y,W,H in pixels of the first frame"


def main(arguments=None):
    """Run the command line; returns the exit code."""
    options = parser().parse_args(_whole_boxes(sys.argv[1:] if arguments is None else arguments))
    quiet()  # one sentence on standard error, not OpenCV's chatter
    try:
        if options.list_cameras:
            return print_cameras()
        if options.list_networks:
            return list_networks(options) or 0
        if not options.video:
            raise BadSource("nothing to track in; give --video FILE, FOLDER, cam0 or an address")
        return run(options)
    except HotpathError as error:
        print("runtime.track: {}".format(error), file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 2
    except KeyboardInterrupt:  # before the first frame, or a second time
        return 130


def _whole_boxes(arguments):
    """Join --box with a value that starts with a minus, which argparse takes for an option."""
    joined = []
    for argument in arguments:
        if joined and joined[-1] == "--box" and argument[:1] == "-":
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined


def parser():
    """The command line's options."""
    cli = argparse.ArgumentParser(prog="python -m runtime.track", description=__doc__)
    cli.add_argument(
        "--video", metavar="SOURCE",
        help="cam0, /dev/video2, csi0, rtsp:// http:// udp://, a video file, a folder of frames, "
        "or a VOT, OTB, GOT-10k or UAV123 sequence",
    )  # fmt: skip
    cli.add_argument(
        "--box", metavar="X,Y,W,H", action="append",
        help="target in the first frame, 0-based pixels; several times for several targets",
    )  # fmt: skip
    cli.add_argument("--boxes", metavar="FILE", help="a target a line, X,Y,W,H")
    cli.add_argument("--network", metavar="NAME|FILE.toml",
                     help="default: the bundle's, or {}".format(DEFAULT_NETWORK))  # fmt: skip
    cli.add_argument(
        "--networks-dir", default=os.environ.get("NETWORKS_DIR"), metavar="DIR",
        help="folder with the networks' files (default: the environment's NETWORKS_DIR)",
    )  # fmt: skip
    cli.add_argument("--engine", default="auto",
                     choices=("auto", "tensorrt", "overlay") + engines.PREFERENCE)  # fmt: skip
    cli.add_argument("--bundle", metavar="DIR", help="what `make engine` wrote for this board")
    cli.add_argument("--board", metavar="NAME", help="use the bundle of this board")
    cli.add_argument("--simulate", choices=("model", "rtl"),
                     help="an FPGA --board that is not there: its model or its RTL")  # fmt: skip
    cli.add_argument("--threads", type=count, default=engines.THREADS, metavar="N",
                     help="of the network's execution (default: %(default)s)")  # fmt: skip
    cli.add_argument("--pipeline", type=int, choices=(1, 2), default=1, metavar="1|2",
                     help="frames on their way at a time; 2 on a GPU alone")  # fmt: skip
    cli.add_argument("--results", metavar="FILE", help=".csv or .jsonl; - is standard output")
    cli.add_argument("--save", metavar="FILE.mp4", help="the video with the box drawn")
    show = cli.add_mutually_exclusive_group()
    show.add_argument(
        "--show", dest="show", action="store_true", default=None,
        help="a window (default: where a display is and nothing is written)",
    )  # fmt: skip
    show.add_argument("--no-show", dest="show", action="store_false")
    cli.add_argument("--frames", type=count, metavar="N", help="stop after N frames")
    cli.add_argument("--profile", action="store_true", help="a table of ms per step at the end")
    cli.add_argument("--list-cameras", action="store_true")
    cli.add_argument("--list-networks", action="store_true")
    control.add_options(cli)
    return cli


def count(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def print_cameras():
    """One line a camera; exit code 0 also where there is none."""
    for number, title in list_cameras():
        print("cam{}  {}".format(number, title))
    if not list_cameras():
        print("no camera")
    return 0


def run(options):
    """Track through a whole source; returns the exit code."""
    check_outputs(options)
    targets = load_targets(
        options.network, options.engine, options.networks_dir, options.threads, say, options.bundle,
        options.pipeline, options.board, options.simulate,
    )  # fmt: skip
    with contextlib.closing(targets), open_source(options.video, say) as source:
        frame = first_frame(source)
        boxes = first_boxes(options, source, frame)
        tracks = {targets.add(frame, box): Track(box, GIVEN) for box in boxes}
        with Stop() as stop, Outputs(options, targets, source, stop) as outputs:
            with Progress(source, options.frames) as bar:
                outputs.write(frame, source.given - 1, source.time_s, tracks)
                bar.step(source, tracks, 0.0)
                broken = follow(options, targets, source, outputs, bar, stop)
    outputs.summary(source)
    if broken:
        raise broken
    return 0


class Stop:
    """Ctrl-C and SIGTERM ask the loop to end; a second Ctrl-C ends at once."""

    def __init__(self):
        self.asked = False
        self._before = {}

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number, _):
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)


def first_frame(source):
    """The first frame of a source."""
    frame = WAITING
    while frame is WAITING:
        frame = source.read(POLL_S)
    if frame is None:
        raise BadSource("{} holds no frame; name another --video".format(source.name))
    return frame


def first_boxes(options, source, frame):
    """The targets: from --box and --boxes, else the ground truth, else drawn with the mouse; with
    --page there may be none at first.

    Returns:
        list of (x, y, w, h).

    Raises:
        BadBox: none of them gives one, or one that no target can have.
    """
    given = [_parsed_box("--box", text) for text in options.box or ()]
    if options.boxes:
        given += _boxes_in(options.boxes)
    if not given and source.first_box is not None:
        given = [source.first_box]
    if not given and not options.page:
        reason = window.no_window()
        if reason:
            raise BadBox("no target: {} has no ground truth and {}; {}".format(
                source.name, reason, MAKE_A_BOX))  # fmt: skip
        given = [window.Window().select_box(frame)]
    return [checked_box(box, frame.shape) for box in given]


def _boxes_in(path):
    """The boxes of a file, one a line."""
    try:
        with open(path) as file:
            lines = [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadBox("--boxes {}: can't be read: {}".format(path, error)) from None
    if not lines:
        raise BadBox("--boxes {}: holds no box; write one a line, X,Y,W,H".format(path))
    return [_parsed_box("--boxes " + path, line) for line in lines]


def _parsed_box(where, text):
    try:
        box = [float(value) for value in text.split(",")]
    except ValueError:
        box = []
    if len(box) != 4:
        raise BadBox("{} {}: not four numbers; {}".format(where, text, MAKE_A_BOX))
    return box


def follow(options, targets, source, outputs, bar, stop):
    """The loop. Returns the error with which the source broke half-way, or None."""

    def tell(taken, tracks, total_ms):
        outputs.profile.add(taken.wait_ms, targets.step_ms, total_ms)
        outputs.write(taken.frame, taken.index, taken.time_s, tracks)
        bar.step(source, tracks, total_ms)

    broken, pipeline = None, Pipeline(targets, tell)
    while not stop.asked and source.given != options.frames and outputs.open:
        if outputs.page and not outputs.page.turn():
            pipeline.empty()
            continue

        # wait for a frame; with one on its way see only whether the next is there already
        started = time.perf_counter()
        try:
            frame = source.read(0.0 if pipeline.on_the_way else POLL_S)
        except HotpathError as error:
            broken = error
            break
        if frame is None:
            break
        if frame is WAITING:
            if not pipeline.empty():
                bar.wait()
            continue

        # find the targets in it, and tell
        wait_ms = (time.perf_counter() - started) * 1e3
        pipeline.take(Taken(frame, source.given - 1, source.time_s, wait_ms))
    pipeline.empty()
    return broken


if __name__ == "__main__":
    sys.exit(main())
