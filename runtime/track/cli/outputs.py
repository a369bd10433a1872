"""The outputs of a run of ``hotpath.runtime.track``: results, video, window and page."""

import argparse
import json
import math
import os
import sys
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Set, Tuple

from hotpath.kernels import cpu
from hotpath.kernels.commands import counted
from hotpath.runtime import drawing as draw
from hotpath.runtime.directions import bearing
from hotpath.runtime.errors import BadOutput, HotpathError
from hotpath.runtime.pictures import AnyFrame, JpegFrame, bgr_of
from hotpath.runtime.track.cli.links import check_links, open_links, selects, wanted_links
from hotpath.runtime.track.cli.player import Player
from hotpath.runtime.track.cli.profile import Profile
from hotpath.runtime.track.cli.progress import say
from hotpath.runtime.track.cli.summary import Summary, lines_of, place_of
from hotpath.runtime.track.detect import Detector
from hotpath.runtime.track.selection import Selection
from hotpath.runtime.track.video import results, save, window
from hotpath.runtime.track.video.encoder import load_pyav
from hotpath.runtime.track.video.output_file import check_ending, check_folder, why_not
from hotpath.runtime.track.video.sources import reads
from hotpath.runtime.types import Box, Taken, Track, TrackedFrame

AGAIN_S = 60.0  # a failure is said as often
RECENT = 300  # frames of the latency that the page shows
COLUMNS = results.COLUMNS + (
    *("target", "lost", "state", "presence", "velocity_x", "velocity_y"),
    *("predicted_" + name for name in Box._fields),
)
CLASS_COLUMNS = ("class", "class_name")  # where a detector finds the targets
FOV_COLUMNS = ("bearing_right", "bearing_down")  # with --fov, degrees
FILE_COLUMN = ("file",)  # where each frame is a file


def check_outputs(options: argparse.Namespace) -> None:
    """Refuse impossible outputs before an older file of that name is touched.

    Raises:
        BadOutput: an unknown ending, no such folder, or a file that is also an input.
    """
    check_links(options)
    if options.show:
        window.check_window()
    if options.json and options.results == "-":
        raise BadOutput("--json and --results - both take standard output; give a file's name")
    inputs = reads(options.video) + ([options.boxes] if options.boxes else [])
    for path, kinds in ((options.results, results.KINDS), (options.save, save.KINDS)):
        if not path or path == "-":
            continue
        check_ending(path, kinds)
        check_folder(path)
        for other in inputs:
            if os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other):
                raise BadOutput(f"{path} is also an input of this run; name another file")
        inputs.append(path)
    if options.save:
        load_pyav(options.save)


class Outputs:
    """The outputs that the command line asks for.

    Attributes:
        columns: columns of the results.
        profile: ``Profile`` with the times of all frames.
        control: the ``Controller`` of the page and of a ground station, or None.
        failed: output -> the sentence that says why it could not be written.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        targets: Any,
        source: Any,
        stop: Any,
        first_frame: AnyFrame,
        detector: Optional[Detector] = None,
    ) -> None:
        self.profile = Profile()
        self.control: Any = None
        self.failed: Dict[Any, str] = {}
        self._failing: Set[Any] = set()  # outputs whose last write failed
        self._told_s: Dict[Any, float] = {}  # output -> when its failure was said
        self._options, self._file_of = options, source.file_of
        self.columns = COLUMNS + (CLASS_COLUMNS if detector else ())
        self.columns += FOV_COLUMNS if options.fov else ()
        self._size = first_frame.shape[1], first_frame.shape[0]
        if self._file_of(0) is not None:
            self.columns += FILE_COLUMN
        self._network = targets.network.name
        self._engine = targets.engine.describe()
        self._kernels = targets.device.kernels_name
        self._summary = Summary(self._network, self._engine, self.profile, say)
        self._live = source.live
        self._before: Optional[AnyFrame] = None  # the last frame
        self._lost: Dict[int, Tuple[int, Optional[float]]] = {}  # target -> frame, time of its loss
        self._left_out = 0  # frames
        self._trails: Dict[int, Deque[Tuple[float, float]]] = {}
        self._results: Any = None
        self._video: Optional[save.BackgroundVideo] = None
        self._window: Optional[window.Window] = None
        self._player: Optional[Player] = None
        self._links: List[Any] = []
        self._selection = Selection()
        try:
            if options.save:
                how = options.save_crf, options.save_width, source.aspect
                video = save.Video(options.save, source.fps, *how)
                self._video = save.BackgroundVideo(
                    video, source.live, lambda ms: self.profile.note("encoding", ms, "encoder")
                )
            if _wants_window(options):
                self._window = window.Window(self._network)
                self._player = Player(self._window, source, targets, say, self._selection)
            if wanted_links(options):
                self._open_links(targets, source, stop, first_frame, detector)
            if options.results:  # last: what exists is not touched before all else is open
                self._results = results.Results(
                    options.results, self.columns, options.append, waits=not source.live, log=say
                )
        except HotpathError:
            self.close()
            raise

    def _open_links(self, targets: Any, source: Any, stop: Any, *given: Any) -> None:
        """Open the links; ``given`` are the first frame and the detector."""
        from hotpath.runtime.track.links.base import Context
        from hotpath.runtime.track.links.control import Controller

        options, (frame, detector) = self._options, given
        if selects(options):
            self.control = Controller(
                targets,
                source,
                stop,
                write_row=self.write_row,
                recent_ms=self.profile.recent_ms,
                recent_fps=self.profile.recent_fps,
                latency_ms=lambda: self.profile.figures("latency", RECENT),
                columns=self.columns,
                can_record=any((options.results, options.save)),
                selection=self._selection,
                fov=options.fov,
            )
        self._links = open_links(
            Context(
                options,
                self.control,
                source.fps,
                (frame.shape[1], frame.shape[0]),
                self._network,
                say,
                detector,
                live=source.live,
                can_lose=targets.network.lost_below > 0,
                holds=self.control.holds if self.control else {},
                selection=self._selection,
            )
        )

    def note_source(self, source: Any) -> None:
        """Add the times of capture and decoding of a frame to the profile."""
        capture_ms = (source.arrived_s - source.captured_s) * 1e3 - source.decode_ms
        if source.live and capture_ms > 0:
            self.profile.note("capture", capture_ms, "")
        if source.decode_ms:
            self.profile.note("decode", source.decode_ms, "source")

    def write(self, taken: Taken, tracks: Dict[int, Track]) -> None:
        """Write the rows of one frame, one a target, and its picture."""
        frame, index, time_s = taken.frame, taken.index, taken.time_s
        began = time.perf_counter()
        if isinstance(self._before, JpegFrame):  # its windows are read no more
            self._before.rest()
        self._before, self._size = frame, (frame.shape[1], frame.shape[0])
        if self._live and taken.captured_s is not None and index:
            self.profile.note("latency", (time.monotonic() - taken.captured_s) * 1e3, "")
        if isinstance(frame, JpegFrame) and frame.decode_ms:  # where it was looked at
            self.profile.note("jpeg", frame.decode_ms, "loop", is_work=False)
        self._summary.add_frame(index, tracks, frame.shape)
        for number, track in tracks.items():
            self.write_row(index, time_s, number, track)
        tracked = TrackedFrame(frame, index, time_s, dict(tracks), taken.captured_s or 0.0)
        if self.control:
            self.control.publish(tracked)
        for link in self._links:
            self._attempt(link, link.show, tracked, self._recording)
        began = self._note("writing", began)
        video = self._video if self._recording else None
        if video and video in self.failed:  # for good
            self._attempt(video, video.check)
            video = None
        if not (video or self._player):
            return
        captions = self._captions(index, time_s, tracks)
        picture = draw.draw(bgr_of(frame), tracks, captions)
        began = self._note("drawing", began)
        if self._player:
            self._player.show(frame, picture, index)
            self._note("window", began)
        if video:
            self._attempt(video, video.write, picture, time_s)

    def _note(self, step: str, began: float) -> float:
        """Add the time of a step that began then; returns the time now."""
        now = time.perf_counter()
        self.profile.note(step, (now - began) * 1e3)
        return now

    def leave_out(self, index: int, error: HotpathError) -> None:
        """Count a frame in which nothing could be computed, and report the first one."""
        if not self._left_out:
            say(f"hotpath track: frame {index} is left out: {error}")
        self._left_out += 1

    def check(self) -> None:
        """Raise ``BrokenLink`` where a link works no more, so that the run must end."""
        for link in self._links:
            link.check()

    @property
    def open(self) -> bool:
        """False once the user closed the window, or where a recording has no output that works."""
        files = {output for output in (self._results, self._video) if output}
        left = files - self._failing
        useless = files and not (left or self._window or self._links or self._live)
        return not useless and (self._window is None or self._window.open)

    def stays(self) -> bool:
        """Whether the run goes on at the end of its source: the page may play it again."""
        stays = self.control is not None and self.control.finish()
        if self._player and not self.control:
            self._player.hold()
        if stays:  # nothing more is written, and the page may download the files whole
            self._close_files()
        return stays

    def next_frame_is_due(self) -> bool:
        """Wait until the page or the window wants the next frame; False: ask again."""
        if self._player and self.control:  # the page sets the pace
            self._player.take_keys()
        if self.control:
            return self.control.next_frame_is_due()
        return self._player is None or self._player.next_frame_is_due()

    def write_row(self, index: int, time_s: Optional[float], number: int, track: Track) -> None:
        """Write one target in one frame."""
        values: Dict[str, Any] = dict(
            zip("xywh", track.box), frame=index, time_s=time_s, score=track.score
        )
        values.update(target=number, lost=track.lost, state=track.state, presence=track.presence)
        values.update({"class": track.class_id}, class_name=track.class_name)
        values.update(zip(("velocity_x", "velocity_y"), track.velocity or (None, None)))
        predicted = track.predicted or (None,) * 4
        values.update(("predicted_" + name, v) for name, v in zip(Box._fields, predicted))
        if self._options.fov and all(map(math.isfinite, track.box)):
            there = bearing(track.box, self._size, self._options.fov)
            values.update(zip(FOV_COLUMNS, there))
        values["file"] = self._file_of(index)
        row = [values.get(column) for column in self.columns]
        self._summary.add_row(index, number, track)
        if self.control:
            self.control.rows.append(row)
        if self._results and self._recording:
            self._attempt(self._results, self._results.write, row)

    @property
    def _recording(self) -> bool:
        """Whether frames go to the files now; the page can switch it."""
        return self.control is None or self.control.recording

    def _captions(
        self, index: int, time_s: Optional[float], tracks: Dict[int, Track]
    ) -> Dict[str, Any]:
        """What is written onto the picture."""
        marks = {
            "since": self._times_since_loss(index, time_s, tracks),
            "trails": self._extended_trails(tracks) if self._options.trail else {},
        }
        if not self._options.overlay:
            return marks
        steps: Dict[str, Any] = self.profile.recent_ms() or {"total": None}
        steps.pop("wait", None)
        return dict(
            marks,
            network=self._network,
            engine=self._engine["engine"],
            fps=self.profile.recent_fps(),
            steps=steps,
            frame=index,
        )

    def _times_since_loss(
        self, index: int, time_s: Optional[float], tracks: Dict[int, Track]
    ) -> Dict[int, str]:
        """For how long each lost target has been lost."""
        lost = {number: (index, time_s) for number, track in tracks.items() if track.lost}
        self._lost = {number: self._lost.get(number, now) for number, now in lost.items()}
        texts = {}
        for number, (frame, began_s) in self._lost.items():
            texts[number] = counted(index - frame, "frame")
            if time_s is not None and began_s is not None:
                texts[number] = f"{max(0.0, time_s - began_s):.1f} s"
        return texts

    def _extended_trails(self, tracks: Dict[int, Track]) -> Dict[int, List[Tuple[float, float]]]:
        """Each target's centres over the last frames, without frames where it was lost."""
        self._trails = {
            number: self._trails.get(number) or deque(maxlen=self._options.trail)
            for number in tracks
        }
        for number, track in tracks.items():
            if not track.lost:
                x, y, w, h = track.box
                self._trails[number].append((x + w / 2, y + h / 2))
        return {number: list(points) for number, points in self._trails.items()}

    def summary(self, source: Any) -> None:
        """Print a summary on standard error, and with --json on standard output.

        Raises:
            BadOutput: standard output takes no JSON, as on a full disk.
        """
        options = self._options
        failed = list(self.failed.values())
        pairs = ((options.results, self._results), (options.save, self._video))
        files = [path for path, to in pairs if path not in (None, "-") and to not in self.failed]
        links = [link for link in self._links if link not in self.failed]
        files += [path for link in links for path in link.files]
        figures = self._summary.figures(source, files, failed)
        if not options.quiet:
            for line in self._summary_lines(source, figures):
                say(line)
        for sentence in failed:
            say(f"hotpath track: {sentence}")
        if options.json:
            print_json(figures)

    def _summary_lines(self, source: Any, figures: Dict[str, Any]) -> List[str]:
        options = self._options
        lines = lines_of(figures, source.live)
        if self._kernels == "numpy":
            cpu.load(lines.append)  # it says why
        if self._left_out:
            lines.append(f"frames left out, because the network gave no number: {self._left_out}")
        if self._results and self._results.dropped:
            lost = counted(self._results.dropped, "row")
            lines.append(f"left out of the results, because their reader was late: {lost}")
        if self._video and self._video.dropped:
            lost = counted(self._video.dropped, "frame")
            lines.append(f"left out of the video, because the encoder was late: {lost}")
        lines += [line for link in self._links for line in link.lines()]
        if not (options.results or options.save or self._window or self.control):
            # nothing tells where it was
            lines += [place_of(target) for target in figures["targets"]]
        lines += [f"wrote {path}" for path in figures["files"]]
        if options.profile and self.profile.frames:
            paced = bool(self._player or self.control) and not source.live
            lines.append(self.profile.table(source.live))
            lines.append(self.profile.program_line(source.live, paced))
        return lines

    def close(self) -> None:
        """Finish every file; what fails is in ``failed``."""
        if self.control:
            self.control.end()
        for output in self._links + [self._window]:  # first what is steered must stop
            if output:
                self._attempt(output, output.close)
        self._close_files()

    def _close_files(self) -> None:
        for output in (self._results, self._video):
            if output:
                self._attempt(output, output.close)

    def _attempt(self, output: Any, write: Callable[..., None], *values: Any) -> None:
        """Write to one output. Where that fails, say so every minute; everything else goes on."""
        try:
            write(*values)
        except HotpathError as error:
            now = time.monotonic()
            if now >= self._told_s.get(output, 0.0) + AGAIN_S or output not in self.failed:
                self._told_s[output] = now
                say(f"hotpath track: {error}")
            self.failed[output] = str(error)
            self._failing.add(output)
        else:
            self._failing.discard(output)

    def __enter__(self) -> "Outputs":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def print_json(figures: Dict[str, Any]) -> None:
    """Print one line on standard output; raises ``BadOutput``, ``BrokenPipeError``."""
    try:
        print(json.dumps(figures), flush=True)
    except OSError as error:
        # what Python still holds would fail again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise BadOutput(why_not("standard output", error)) from None


def _wants_window(options: argparse.Namespace) -> bool:
    """Whether to open a window: when asked for, or where nothing else would be seen."""
    if options.show is None:
        elsewhere = options.results or options.save or selects(options)
        elsewhere = elsewhere or options.stream
        return not elsewhere and window.no_window() is None
    return bool(options.show)
