"""python -m runtime.track: follow an object in a video, a camera or a stream.

Reads from top to bottom: options, then ``run``: tracker, source, first box, then frame after frame.
"""

import argparse
import os
import signal
import sys
import time

import numpy as np
from tqdm import tqdm

from runtime import DEFAULT_NETWORK, engines, load_targets
from runtime.errors import BadBox, BadOutput, BadSource, HotpathError
from runtime.networks.__main__ import list_networks
from runtime.profile import Profile
from runtime.types import Track, checked_box
from runtime.video import draw, results, save, steering, window
from runtime.video.quiet import quiet
from runtime.video.sources import WAITING, list_cameras, open_source

COLUMNS = results.COLUMNS + ("target", "lost")
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
    cli.add_argument("--engine", default="auto", choices=("auto", "tensorrt") + engines.PREFERENCE)
    cli.add_argument("--bundle", metavar="DIR", help="what `make engine` wrote for this board")
    cli.add_argument("--threads", type=count, default=engines.THREADS, metavar="N",
                     help="of the network's execution (default: %(default)s)")  # fmt: skip
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
    steering.add_options(cli)
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
        options.network, options.engine, options.networks_dir, options.threads, say, options.bundle
    )
    with open_source(options.video, say) as source:
        frame = first_frame(source)
        boxes = first_boxes(options, source, frame)
        tracks = {targets.add(frame, box): Track(box, GIVEN) for box in boxes}
        with Stop() as stop, Outputs(options, targets, source, stop) as outputs:
            with Progress(source, options.frames) as bar:
                outputs.write(frame, source, tracks)
                bar.step(source, tracks, 0.0)
                broken = follow(options, targets, source, outputs, bar, stop)
    outputs.summary(source)
    if broken:
        raise broken
    return 0


def say(text):
    """Tell the user something, without breaking the progress bar."""
    if sys.stderr is not None:
        tqdm.write(text, file=sys.stderr)


def check_outputs(options):
    """Refuse outputs that can't be, before an older file of that name is touched.

    Raises:
        BadOutput: an ending nobody writes, no such folder, or the name of what is being read.
    """
    inputs = [options.video, options.boxes] if options.boxes else [options.video]
    for path, kinds in ((options.results, results.KINDS), (options.save, save.KINDS)):
        if not path or path == "-":
            continue
        if os.path.splitext(path)[1].lower() not in kinds:
            raise BadOutput("{}: there is no encoder for this ending; name the file {}".format(
                path, " or ".join(kinds)))  # fmt: skip
        results.check_folder(path)
        for other in inputs:
            if os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other):
                raise BadOutput("{} is what is being read; name another file".format(path))
        inputs.append(path)


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
    while not stop.asked and source.given != options.frames and outputs.open:
        if outputs.page and not outputs.page.turn():
            continue

        # wait for a frame
        started = time.perf_counter()
        try:
            frame = source.read(POLL_S)
        except BadSource as error:
            return error
        if frame is None:
            break
        if frame is WAITING:
            bar.wait()
            continue

        # find the targets in it
        came = time.perf_counter()
        tracks = targets.update(frame)
        total_ms = (time.perf_counter() - came) * 1e3
        outputs.profile.add((came - started) * 1e3, targets.step_ms, total_ms)

        # tell
        outputs.write(frame, source, tracks)
        bar.step(source, tracks, total_ms)
    return None


class Outputs:
    """Where a run goes: results, video, window and page; each only if asked for."""

    def __init__(self, options, targets, source, stop):
        self.profile = Profile()
        self.open = True  # False once the window was closed
        self.recording = True  # whether frames go to the files now
        self.network = targets.network.name
        self.page = None
        self._options = options
        self._engine = targets.engine.describe()
        self._scores = np.zeros(2)  # how many, and their sum
        self._results = self._video = self._window = None
        try:
            if options.results:
                self._results = results.open_results(options.results, COLUMNS)
            if options.save:
                self._video = save.open_video(options.save, source.fps)
            if wants_window(options):
                self._window = window.Window(self.network)
            self.page = steering.open_page(options, targets, source, stop, self, COLUMNS, say)
        except HotpathError:
            self.close()
            raise

    def write(self, frame, source, tracks):
        """One frame's rows, one a target, and its picture."""
        index = source.given - 1
        for number, track in tracks.items():
            self.row(index, source.time_s, number, track)
        if self.page:
            self.page.show(frame, index, source.time_s, tracks)
        if self._video or self._window:
            picture = draw.draw(frame, list(tracks.values()), self._info(index, tracks))
            if self._video and self.recording:
                self._video.write(picture, source.time_s)
            if self._window:
                self.open = self._window.show(picture)

    def row(self, index, time_s, number, track):
        """One target in one frame."""
        row = (index, time_s) + tuple(track.box) + (track.score, number, track.lost)
        if index:
            self._scores += (1, track.score)
        if self.page:
            self.page.note(row)
        if self._results and self.recording:
            self._results.write(row)

    def _info(self, index, tracks):
        steps = self.profile.recent_ms() if self.profile.frames else {"total": None}
        steps.pop("wait", None)
        return {
            "network": self.network,
            "engine": self._engine["engine"],
            "fps": 1e3 / steps["total"] if steps["total"] else None,
            "steps": steps,
            "frame": index,
            "names": list(tracks) if len(tracks) > 1 else None,
            "lost": [track.lost for track in tracks.values()],
        }

    def summary(self, source):
        """What was done, on standard error."""
        ms = self.profile.figures()
        say("{}: {} frames of {} on {engine} {version}".format(
            self.network, source.given, source.name, **self._engine))  # fmt: skip
        if ms:
            total, (count, score) = ms["total"], self._scores
            say("{median:.2f} ms a frame (median, p95 {p95:.2f}), {fps:.0f} FPS of tracking, "
                "mean score {score:.2f}".format(
                    fps=1e3 / total["median"], score=score / max(count, 1), **total
                ))  # fmt: skip
        if source.live:
            say("{} frames dropped, {} gaps of {:.1f} s in all".format(
                source.dropped, len(source.gaps), sum(s for _, s in source.gaps)))  # fmt: skip
        for what in (self._options.results, self._options.save):
            if what and what != "-":
                say("wrote {}".format(what))
        if self._options.profile and ms:
            say(self.profile.table())

    def close(self):
        """Finish every file."""
        for sink in (self._results, self._video, self._window, self.page):
            if sink:
                sink.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wants_window(options):
    """A window is shown when asked for, or by default where nothing else would be seen."""
    if options.show is None:
        elsewhere = options.results or options.save or options.page
        return not elsewhere and window.no_window() is None
    return options.show


class Progress:
    """A bar for recordings, a status line for streams; silent where there is no terminal."""

    REDRAW_S = 0.2

    def __init__(self, source, frames):
        total = source.frames if source.frames is None else min(source.frames, frames or 1 << 62)
        self._live = source.live
        self._bar = tqdm(
            total=None if source.live else total, unit=" frames", disable=None, leave=False,
            desc=source.name, dynamic_ncols=True, mininterval=self.REDRAW_S,
        )  # fmt: skip
        self._next = 0.0

    def step(self, source, tracks, total_ms):
        """One more frame."""
        self._bar.update()
        now = time.monotonic()
        if self._bar.disable or now < self._next:
            return
        self._next = now + self.REDRAW_S
        scores = " ".join("{:.2f}".format(track.score) for track in tracks.values())
        text = "{:.2f} ms, score {}".format(total_ms, scores)
        if self._live:
            text += ", {} dropped".format(source.dropped)
        self._bar.set_postfix_str(text, refresh=False)

    def wait(self):
        """No frame came for a while."""
        if not self._bar.disable:
            self._bar.set_postfix_str("waiting for frames")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()


if __name__ == "__main__":
    sys.exit(main())
