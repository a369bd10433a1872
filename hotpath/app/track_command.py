"""hotpath track: follow an object through a video, a camera or a stream.

This file is the program from top to bottom: ``run`` opens the source and the tracker, finds the
first box, then ``run_loop`` takes frame after frame. Options, boxes and outputs are in ``cli/``.
"""

import contextlib
import os
import signal
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, Dict, List, NoReturn, Optional, Tuple

from hotpath.app.cli.first_boxes import check_boxes, given_boxes, given_points
from hotpath.app.cli.open_detector import check_detector, open_detector, open_finder
from hotpath.app.cli.option_parser import parse, records_of
from hotpath.app.cli.outputs import Outputs, check_outputs
from hotpath.app.cli.progress import quiet, say
from hotpath.app.frames import MOST_FAILED, POLL_S, first_frame, opened_source
from hotpath.app.option_records import OutputOptions, RunOptions, SourceOptions, TargetOptions
from hotpath.app.service_manager import ServiceManager
from hotpath.base.cli import flush
from hotpath.base.gc_tuning import tuned_gc
from hotpath.runtime.errors import BadFrame, BadSource, HotpathError, NetworkFailed
from hotpath.runtime.frames.pictures import AnyFrame
from hotpath.runtime.types import Box, Track
from hotpath.video.base import TrackedFrame
from hotpath.video.sources import WAITING, check_camera, is_recorded, source_of

if TYPE_CHECKING:
    from hotpath.runtime.targets.finding import TargetFinder
    from hotpath.runtime.targets.targets import Targets
    from hotpath.video.base import Source

FORGIVEN_ERRORS = 1  # of a video's decoder: a recording often ends within a frame


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line; returns the exit code."""
    quiet()  # our sentences on standard error, without OpenCV's warnings
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        if options.list_cameras:
            return print_cameras()
        if not options.video:
            raise BadSource("no source is given; add a file, a folder, cam0 or an address")
        options.video = source_of(options.video)
        return run(records_of(options, say))
    except HotpathError as error:
        say(f"hotpath track: {error}")
        return 2
    except BrokenPipeError:
        return 2
    except KeyboardInterrupt:  # before the first frame, or a second time
        return 130


def print_cameras() -> int:
    """Print one line a camera; no camera is not an error."""
    from hotpath.video.cameras import list_cameras

    lines = [f"cam{number}  {title}" for number, title in list_cameras()]
    print("\n".join(lines or ["no camera"]))
    return 0


def run(options: RunOptions) -> int:
    """Track through a whole source; returns the exit code."""
    with StopRequest() as stop:
        try:
            return run_until(options, stop)
        except KeyboardInterrupt:  # before the first frame
            unwritten = unwritten_files_text(options.outputs)
            say(f"hotpath track: stopped before tracking began{unwritten}")
            return stop.exit_code or 130


def unwritten_files_text(options: OutputOptions) -> str:
    """The rest of a sentence: which files were not written."""
    outputs = options.results, options.save, options.report
    paths = [path for path in outputs if path and path != "-"]
    if not paths:
        return ", so nothing was written"
    return f"; {' and '.join(paths)} {'were' if len(paths) > 1 else 'was'} not written"


def run_until(options: RunOptions, stop: "StopRequest") -> int:
    """The same, with the request that ends it."""
    source_options, target_options, network, output_options, links = options[:5]
    check_boxes(target_options)
    if target_options.asks_detector:
        check_detector(target_options)
    check_outputs(output_options, links, source_options.video)
    check_camera(source_options.video)
    from hotpath.runtime.targets.targets import open_targets  # which loads the tracker

    manager = None
    if "NOTIFY_SOCKET" in os.environ:
        manager = ServiceManager(os.environ)
    with contextlib.ExitStack() as cleanup:
        # files first: a wrong name must not wait for the network, which takes seconds to load
        recorded = is_recorded(source_options.video)
        read = source_options, target_options, links.selects, cleanup
        opened = open_input(*read) if recorded else None
        detector = open_detector(target_options, network) if target_options.detector else None
        targets = cleanup.enter_context(contextlib.closing(open_targets(network)))
        source, frame, boxes = opened or open_input(*read)
        targets.device.is_live = source.live
        window = None
        if boxes is None:
            from hotpath.app.cli.mouse import first_target

            window, frame = first_target(frame, source, targets, target_options.snug)
            cleanup.callback(window.close)
        at_s = source.time_s
        tracks = first_tracks(target_options, targets, frame, boxes or [], at_s)
        finder = open_finder(target_options, detector, targets, source.live) if detector else None
        if finder:
            cleanup.callback(finder.close)
            tracks = finder.first(frame, tracks, at_s)
        stop.begin()
        with Outputs(options, targets, source, stop, frame, window) as outputs:
            first = TrackedFrame(
                frame, source.given - 1, at_s, tracks, source.captured_s, source.header
            )
            outputs.write(first)
            if not tracks:
                outputs.invite()
            outputs.notice(doubts_of(targets, tracks))
            if manager:
                manager.ready(f"tracking in {source.name}")
            with tuned_gc():
                broken = run_loop(
                    source_options.frames, targets, source, outputs, stop, manager, finder
                )
    if manager:
        manager.stopping()
    outputs.summary()
    if broken:
        raise broken
    forgiven = FORGIVEN_ERRORS if source.file_of(0) is None else 0
    damaged = not source.live and source.errors + source.skipped > forgiven
    return 2 if outputs.failed or damaged else stop.exit_code


def open_input(
    options: SourceOptions, targets: TargetOptions, selects: bool, cleanup: contextlib.ExitStack
) -> Tuple[Any, Any, Optional[List[Box]]]:
    """Open the source; returns it, its first frame, and the given boxes; None: one is drawn."""
    source = opened_source(options, say, cleanup)
    if not source.live and not source.fps and source.frames != 1:
        say(f"{source.name}: has no frame rate, so times are left empty; pass --fps N")
    frame = first_frame(source, options.start)
    if targets.by_detector:
        return source, frame, []
    return source, frame, given_boxes(targets, selects, source, frame)


def first_tracks(
    options: TargetOptions,
    targets: "Targets",
    frame: AnyFrame,
    boxes: List[Box],
    time_s: Optional[float],
) -> Dict[int, Track]:
    """Start the targets of the boxes and of --point; returns the tracks of all targets."""
    for box in boxes:
        targets.add(frame, box, time_s=time_s, snug=options.snug)
    for point in given_points(options, frame):
        targets.add(frame, time_s=time_s, point=point)
    return {number: targets.first(number) for number in targets.numbers}


def doubts_of(targets: "Targets", tracks: Dict[int, Track]) -> List[str]:
    """Return a sentence for each target that can hardly be followed; it names one of several."""
    doubts = [(number, targets.doubt(number)) for number in tracks]
    name = "target {}: " if len(tracks) > 1 else ""
    return [name.format(number) + doubt for number, doubt in doubts if doubt]


class StopRequest:
    """A signal that would end the process asks the loop to end; a second one ends the process.

    Until ``begin`` the first one raises KeyboardInterrupt. A library that is being loaded may take
    that for a fault of its own, and a callback of the interpreter can only print it, which it does
    not here, so ``begin`` raises it again.

    A signal that stops the process, such as Ctrl-Z, does so ``REST_S`` later where a link is open:
    without new frames, what is steered comes to rest until then.

    Attributes:
        requested: whether the loop is to end.
        exit_code: 128 + the signal's number, as shells do; 0 without a signal.
        has_links: whether a link is open.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    # these are handled only where nobody, such as a profiler, handles or ignores them; an abort of
    # a library ends the process all the same
    OTHERS = "USR1 USR2 ALRM VTALRM PROF XCPU PWR IO ABRT".split()
    STOPS = "TSTP TTIN TTOU".split()
    REST_S = 1.0  # longer than what steers takes to stand still without new frames

    def __init__(self) -> None:
        self.requested = self.has_links = False
        self.exit_code = 0
        self._handlers: Dict[int, Any] = {}
        self._is_loading = True
        self._hook = getattr(sys, "unraisablehook", None)  # Python 3.8

    def begin(self) -> None:
        """The loop begins, which looks at ``requested``; raises KeyboardInterrupt if it is set."""
        self._is_loading = False
        if self.requested:
            raise KeyboardInterrupt

    def __enter__(self) -> "StopRequest":
        for number in self.SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                self._handlers[number] = signal.signal(number, self._request)
        for names, handler in ((self.OTHERS, self._request), (self.STOPS, self._pause)):
            for other in [getattr(signal, "SIG" + name, None) for name in names]:
                if other is not None and signal.getsignal(other) == signal.SIG_DFL:
                    self._handlers[other] = signal.signal(other, handler)
        if self._hook:
            sys.unraisablehook = self._report
        return self

    def _report(self, fault: Any) -> None:
        if self._hook and fault.exc_type is not KeyboardInterrupt:
            self._hook(fault)

    def _request(self, number: int, _: Optional[FrameType]) -> None:
        for other in self._handlers:  # a second one ends the process, whatever hangs
            if signal.getsignal(other) == self._request:
                signal.signal(other, signal.SIG_DFL)
        self.requested = True
        self.exit_code = 128 + number
        if self._is_loading:
            raise KeyboardInterrupt

    def _pause(self, number: int, _: Optional[FrameType]) -> None:
        """Stop the process, as the signal would have done; it goes on from here."""
        if self.has_links:
            time.sleep(self.REST_S)
        if not self.requested:  # by a signal that came meanwhile
            os.kill(os.getpid(), signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._hook:
            sys.unraisablehook = self._hook


def run_loop(
    frames: Optional[int],
    targets: "Targets",
    source: "Source",
    outputs: Outputs,
    stop: StopRequest,
    manager: "Optional[ServiceManager]",
    finder: "Optional[TargetFinder]",
) -> Optional[HotpathError]:
    """The loop over that many frames. Returns the error with which the source broke, or None."""
    broken = None
    failed = 0
    last = frames and source.given - 1 + frames
    while not stop.requested and source.given != last and outputs.open:
        if manager:
            manager.alive()

        # wait for a frame
        try:
            if not outputs.next_frame_is_due():
                continue
            started, next_index = time.perf_counter(), source.given
            frame = source.read(POLL_S)
        except HotpathError as error:
            broken = error
            break
        if frame is None:
            outputs.hold()
            break
        if frame is WAITING:
            outputs.bar.wait()
            continue
        if last and next_index < last < source.given:  # damaged pictures were skipped
            break
        read = time.perf_counter()
        wait_ms = (read - started) * 1e3
        taken = TrackedFrame(
            frame, source.given - 1, source.time_s, {}, source.captured_s, source.header
        )

        # find the targets in it
        try:
            tracks = targets.update(frame, taken.time_s)
            failed = 0
        except (BadFrame, NetworkFailed) as error:  # one of 2 x 2, or one that overflows numbers
            failed += 1
            outputs.leave_out(taken.index, error)
            if failed < MOST_FAILED:
                continue
            broken = error
            break
        if stop.requested:  # it may have been a long time ago
            break
        total_ms = (time.perf_counter() - read) * 1e3
        outputs.profile.add(wait_ms, targets.step_ms, total_ms, bool(tracks))
        if finder:
            started = time.perf_counter()
            tracks = finder.step(frame, tracks, taken.time_s)
            outputs.profile.note("finding", (time.perf_counter() - started) * 1e3)

        # write them
        outputs.write(taken._replace(tracks=dict(tracks)))
    return broken


def run_as_program() -> NoReturn:
    """Run ``main``, and end the process with its exit code."""
    code = main()
    live = sys.modules.get("hotpath.video.live")  # where there is no memory, no import works
    if live is not None:
        live.end_program(code)
    sys.exit(code if flush() else 2)


if __name__ == "__main__":
    run_as_program()
