"""Open and write the outputs of ``hotpath track``: results, video, window and links."""

import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from hotpath.app.cli.drawing_output import DrawingOutput
from hotpath.app.cli.option_parser import command_of
from hotpath.app.cli.other_programs import OtherPrograms
from hotpath.app.cli.profile import STEPS, Profile, title_of
from hotpath.app.cli.progress import Progress, say
from hotpath.app.cli.summary import Figures, Summary, lines_of, place_of, print_json
from hotpath.app.option_records import LinkOptions, OutputOptions, RunOptions
from hotpath.app.selection import Selection
from hotpath.kernels import cpu
from hotpath.runtime import __version__
from hotpath.runtime.errors import BadOutput, HotpathError
from hotpath.runtime.frames.pictures import AnyFrame, Picture
from hotpath.runtime.networks import DEFAULT_NETWORK, FASTER_PAIR, SHARE
from hotpath.runtime.types import Track
from hotpath.video import results
from hotpath.video.base import Output, TrackedFrame, drawn_states
from hotpath.video.output_file import check_ending, check_folder
from hotpath.video.sources import reads

if TYPE_CHECKING:
    from hotpath.app.cli.player import Player
    from hotpath.app.links.base import Link
    from hotpath.app.report.document import ReportFacts
    from hotpath.app.report.file import Report
    from hotpath.runtime.targets.targets import Targets
    from hotpath.video.base import Source
    from hotpath.video.desktop_window import DesktopWindow
    from hotpath.video.save import BackgroundVideo

AGAIN_S = 60.0  # a failure is said as often


def check_outputs(options: OutputOptions, links: LinkOptions, video: Any) -> None:
    """Refuse impossible outputs before an older file of that name is touched.

    ``video`` is what the run reads.

    Raises:
        BadOutput: an unknown ending, no such folder, or a file that is also an input.
    """
    if links.asks_link:
        from hotpath.app.cli.open_links import check_links

        check_links(links)
    if options.show:
        from hotpath.video import desktop_window

        desktop_window.check_window()
    if options.json and options.results == "-":
        raise BadOutput("--json and --results - both take standard output; give a file's name")
    inputs = reads(video)
    kinds_of_video: Sequence[str] = ()
    if options.save:
        from hotpath.video import encoder, save

        kinds_of_video = save.KINDS
    of_report = (".html", ".htm")
    written = (
        *((options.results, results.KINDS), (options.save, kinds_of_video)),
        (options.report, of_report),
    )
    for path, kinds in written:
        if not path or path == "-":
            continue
        check_ending(path, kinds)
        check_folder(path)
        for other in inputs:
            if os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other):
                raise BadOutput(f"{path} is also an input of this run; name another file")
        inputs.append(path)
    if options.save:
        encoder.load_pyav(options.save)


class Outputs:
    """The outputs that the command line asks for, each an ``Output`` that is open when it is made.

    One that raises a ``HotpathError`` has failed for this frame; the others go on.

    Args:
        options: the ``RunOptions``.
        targets, source: what is followed, and where.
        stop: the ``StopRequest`` that ends the run.
        first_frame: the first frame, of any kind.
        first_window: ``DesktopWindow`` in which the first target was drawn, or None.

    Attributes:
        profile: ``Profile`` with the times of all frames.
        rows: ``Rows`` of the results.
        selection: ``Selection`` of the window and the links; None without any of them.
        controls: the ``Controls`` of the window, or ``control``; None without both.
        bar: the ``Progress``, once all is open.
        control: the ``Controller`` of the page and of a ground station, or None.
        failed: output -> the sentence that says why it could not be written.
    """

    def __init__(
        self,
        options: RunOptions,
        targets: "Targets",
        source: "Source",
        stop: Any,
        first_frame: AnyFrame,
        first_window: "Optional[DesktopWindow]" = None,
    ) -> None:
        self.profile = Profile()
        self.control: Any = None
        self.controls: Any = None
        self.bar: Any = None
        self.selection: Any = None
        self.failed: Dict[object, str] = {}
        self._failing: Set[object] = set()  # outputs whose last write failed
        self._told_s: Dict[object, float] = {}  # output -> when its failure was said
        self._run_options, self._source, self._stop = options, source, stop
        self._options, self._links_asked = options.outputs, options.links
        self._network, self._kernels = targets.title, targets.device.kernels_name
        self._engine = targets.engine.describe()
        self._left_out = 0  # frames
        # tracks of the frame before, and the states with which they are drawn
        self._before: Tuple[Mapping[int, Track], Mapping[int, str]] = ({}, {})
        self._window: Optional[DesktopWindow] = None
        self._player: Optional[Player] = None
        self._drawn: Optional[DrawingOutput] = None
        self._report: Optional[Report] = None
        self._files: List[Output] = []  # those that write a file
        self._links: List[Link] = []
        self._busy = OtherPrograms()
        self._summary = Summary(self._network, self._engine, self.profile, say)
        has_files = source.file_of(0) is not None
        self.rows = results.Rows(
            source.file_of if has_files else None, options.targets.asks_detector, options.links.fov
        )
        try:
            self._open(targets, first_frame, first_window)
        except HotpathError:
            self.close()
            raise
        # the order in which a frame is written; what draws it comes last, and notes its own times
        self._outputs: List[Any] = [self._summary]
        if options.outputs.results:
            self._outputs.append(self.rows)
        self._outputs += [output for output in (self._report, self.controls) if output]
        self._outputs += self._links
        frames, quiet = options.source.frames, options.outputs.quiet
        self.bar = Progress(source, frames, quiet, self.profile.recent_fps)
        if self.bar.shown:
            self._outputs.append(self.bar)

    def _open(
        self, targets: "Targets", first_frame: AnyFrame, first_window: "Optional[DesktopWindow]"
    ) -> None:
        """Open everything; results come last, so that what exists stays if something is refused."""
        options, source = self._options, self._source
        shows = wants_window(options, self._links_asked)
        if shows or self._links_asked.asks_link:
            self.selection = Selection()
        if self._links_asked.selects:
            from hotpath.app.links.run_controller import Controller

            self.control = self.controls = Controller(
                self._links_asked, targets, source, self._stop, self
            )
            self.rows.records = self._records
        video: Optional[BackgroundVideo] = None
        if options.save:
            from hotpath.video import save

            file = save.Video(options.save, source.fps, source.aspect, say, options.encoder)
            file.replaces = False  # until there is a target, see Drawn
            video = save.BackgroundVideo(
                file, source.live, lambda ms: self.profile.note("encoding", ms, "encoder")
            )
        if shows:
            from hotpath.app.cli.player import Player
            from hotpath.app.links.target_controls import Controls
            from hotpath.video import desktop_window

            self.controls = self.control or Controls(targets, self.selection, self.write_late)
            self._window = first_window or desktop_window.DesktopWindow(
                desktop_window.title_of(source.name)
            )
            self._player = Player(self._window, source, self.controls, say)
        elif first_window is not None:
            first_window.close()
        if video or self._player:
            self._drawn = DrawingOutput(self.profile, self._player, video, self._records)
            self._files += [self._drawn] if video else []
        if self._links_asked.asks_link:
            self._open_links(targets, first_frame)
        if options.results:
            self.rows.results = results.ResultsWriter(
                options.results, self.rows.columns, options.append, not source.live, say
            )
            self._files.insert(0, self.rows)
        if options.report:
            from hotpath.app.report.file import Report

            self._report = Report(options.report, self._facts, say)
            self._files.append(self._report)

    def _facts(self) -> "ReportFacts":
        """What the report says besides the history of its targets."""
        from hotpath.app.report.document import ReportFacts

        rows = []
        for step in STEPS:
            ms = self.profile.figures(step)
            if any(ms.values()):
                rows.append((title_of(step, self._source.live), ms["median"], ms["p95"]))
        assert self._report is not None, "it asks"
        targets = self._report.history.targets.values()
        box = next((past.events[0].box for past in targets if past.events), ())
        settings = [("network", self._network)]
        settings += [(str(name), str(value)) for name, value in self._engine.items() if value]
        settings += [("kernels", self._kernels), ("Hotpath", __version__)]
        settings.append(("written", time.strftime("%Y-%m-%d %H:%M:%S %z")))
        return ReportFacts(
            self._source.name,
            settings,
            command_of(self._run_options, box),
            self.profile.fps(),
            rows,
        )

    def _open_links(self, targets: "Targets", frame: AnyFrame) -> None:
        """Open the links of a run whose first frame this is."""
        from hotpath.app.cli.open_links import open_links
        from hotpath.app.links.base import Context

        options, source = self._links_asked, self._source
        self._links = open_links(
            Context(
                options,
                self.control,
                source.fps,
                (frame.shape[1], frame.shape[0]),
                self._network,
                say,
                live=source.live,
                can_lose=targets.can_lose,
                holds=self.control.holds if self.control else {},
                selection=self.selection,
            )
        )
        self._stop.has_links = bool(self._links)

    def write(self, tracked: TrackedFrame) -> None:
        """Write one frame, whose times are those of the source now, to every output."""
        began = time.perf_counter()
        frame = tracked.frame
        if self._source.decode_ms or self._source.live:
            self._note_source(tracked)
        if isinstance(frame, Picture) and frame.decode_ms:
            self.profile.note("jpeg", frame.decode_ms)
        if self.controls and self.controls.newest:  # with the answers of a person
            self._before = self.controls.newest.tracks, self.controls.newest.drawn
        tracked = tracked._replace(drawn=drawn_states(tracked.tracks, *self._before))
        self._before = tracked.tracks, tracked.drawn
        for output in self._outputs:
            self._attempt(output, output.write, tracked)
        self.profile.note("writing", (time.perf_counter() - began) * 1e3)
        if self._drawn:
            self._attempt(self._drawn, self._drawn.write, tracked)

    def _note_source(self, tracked: TrackedFrame) -> None:
        """Add the times of capture and decoding of a frame, and its latency, to the profile."""
        source, note = self._source, self.profile.note
        capture_ms = (source.arrived_s - source.captured_s) * 1e3 - source.decode_ms
        if source.live and tracked.index:
            if capture_ms > 0:
                note("capture", capture_ms, "")
            if tracked.captured_s:
                note("latency", (time.monotonic() - tracked.captured_s) * 1e3, "")
        if source.decode_ms:
            note("decode", source.decode_ms, "source")

    def leave_out(self, index: int, error: HotpathError) -> None:
        """Count a frame in which nothing could be computed, and report the first one."""
        if not self._left_out:
            say(f"hotpath track: frame {index} is skipped: {error}")
        self._left_out += 1

    @property
    def open(self) -> bool:
        """False once the user closed the window, or where a recording has no output that works."""
        if self._window is not None:
            return self._window.open
        works = not self._failing or set(self._files) - self._failing or self._links
        return bool(works) or not self._files or self._source.live

    def invite(self) -> None:
        """Say where the user may select the first target."""
        where = " or ".join(self._links_asked.places)
        if where and not self._options.quiet:
            wait = "no target yet" if self._source.live else "waiting for a target"
            say(f"{wait}: select one {where}, or end this run with Ctrl-C")

    def hold(self) -> None:
        """Hold the last frame of a recording that has ended; the files are whole before."""
        if self._player and not self.control and not self._source.live:
            self._close_files()
            self._player.hold(self._stop, sys.stderr is not None and sys.stderr.isatty())

    def notice(self, sentences: List[str]) -> None:
        """Print sentences, and let them stand in the window for a while."""
        for sentence in sentences:
            say(sentence)
        if self._player and sentences:
            self._player.notice(*sentences)

    def next_frame_is_due(self) -> bool:
        """Wait until the page or the window wants the next frame; False: ask again.

        Raises:
            BrokenLink: a link works no more, so that the run must end.
        """
        for link in self._links:
            link.check()
        if self._player and self.control:  # the page sets the pace
            self._player.take_keys()
        if self.control:
            return self.control.next_frame_is_due()
        return self._player is None or self._player.next_frame_is_due()

    def write_late(self, tracked: TrackedFrame) -> None:
        """Write a target that was selected on a frame of before."""
        self._summary.write_late(tracked)
        self._attempt(self.rows, self.rows.write, tracked)
        if self._report:
            self._report.write_late(tracked)

    def _records(self) -> bool:
        """Whether frames go to the files now; the page can switch it."""
        return self.control is None or self.control.recording

    def summary(self) -> None:
        """Print a summary on standard error, and with --json on standard output.

        Raises:
            BadOutput: standard output takes no JSON, as on a full disk.
        """
        working = [output for output in (*self._files, *self._links) if output not in self.failed]
        files = [path for output in working for path in output.files]
        figures = self._summary.figures(self._source, files, list(self.failed.values()))
        if not self._options.quiet:
            for line in self._lines(figures):
                say(line)
        for output, sentence in self.failed.items():
            self._say_failure(output, sentence)
        if self._options.json:
            print_json(figures)

    def _lines(self, figures: Figures) -> List[str]:
        """The lines of the summary."""
        options, live = self._options, self._source.live
        lines = lines_of(figures, live)
        lines += filter(None, [self._busy.text(), self._faster(figures)])
        if self._kernels == cpu.NUMPY:
            cpu.load(lines.append)  # it says why
        if self._left_out:
            lines.append(f"frames skipped, because nothing could be computed: {self._left_out}")
        lines += [line for output in (*self._files, *self._links) for line in output.lines()]
        if not (options.results or options.save or self._window or self.control):
            # nothing tells where it was
            lines += [place_of(target) for target in figures["targets"]]
        lines += [f"wrote {path}" for path in figures["files"]]
        if options.profile and self.profile.frames:
            lines.append(self.profile.table(live))
        return lines

    def _faster(self, figures: Figures) -> str:
        """Name a faster pair of networks, where the default one is slower than the source."""
        network, fps, ms = self._run_options.network, self._source.fps, figures["ms"]
        is_default = self._network.startswith(DEFAULT_NETWORK)
        if network.network or network.witness or not (is_default and fps and ms):
            return ""
        if ms["median"] * fps <= 1000.0:
            return ""
        slow = f"a frame takes longer than the source's {1000 / fps:.0f} ms"
        return f"{slow}; {FASTER_PAIR} takes {SHARE:g} of the time"

    def close(self) -> None:
        """Finish every file; what fails is in ``failed``."""
        if self.control:
            self.control.end()  # the page's last state says that the run has ended
        for output in self._links:  # what is steered must stop before anything is written
            self._attempt(output, output.close)
        if self.bar:
            self.bar.close()
        if self._window:
            self._attempt(self._window, self._window.close)
        self._close_files()

    def _close_files(self) -> None:
        for output in self._files:
            self._attempt(output, output.close)

    def _attempt(self, output: object, write: Callable[..., None], *values: object) -> None:
        """Write to one output, or close it. Where that fails, everything else goes on."""
        try:
            write(*values)
        except HotpathError as error:
            self._say_failure(output, str(error))
            self.failed[output] = str(error)
            self._failing.add(output)
        else:
            self._failing.discard(output)

    def _say_failure(self, output: object, sentence: str) -> None:
        """Say why an output can't be written, every minute."""
        now = time.monotonic()
        if now >= self._told_s.get(output, -math.inf) + AGAIN_S:
            self._told_s[output] = now
            say(f"hotpath track: {sentence}")

    def __enter__(self) -> "Outputs":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def wants_window(options: OutputOptions, links: LinkOptions) -> bool:
    """Whether to open a window: when asked for, or where nothing else would be seen."""
    elsewhere = [
        options.results,
        options.save,
        options.report,
        links.selects,
        links.stream.addresses,
    ]
    if options.show is not None or any(elsewhere):
        return bool(options.show)
    from hotpath.video import desktop_window

    return desktop_window.no_window() is None
