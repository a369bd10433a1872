"""Where a run of ``runtime.track`` goes: results, video, window, page, and the terminal."""

import os
import sys
import time

import numpy as np
from tqdm import tqdm

from runtime.cli.profile import Profile
from runtime.errors import BadOutput, HotpathError
from runtime.page import control
from runtime.video import draw, results, save, window
from runtime.video.sources import reads

COLUMNS = results.COLUMNS + ("target", "lost")


def say(text):
    """Tell the user something, without breaking the progress bar."""
    if sys.stderr is not None:
        tqdm.write(text, file=sys.stderr)


def check_outputs(options):
    """Refuse outputs that can't be, before an older file of that name is touched.

    Raises:
        BadOutput: an ending nobody writes, no such folder, or the name of what is being read.
    """
    inputs = reads(options.video) + ([options.boxes] if options.boxes else [])
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
            self.page = control.open_page(options, targets, source, stop, self, COLUMNS, say)
        except HotpathError:
            self.close()
            raise

    def write(self, frame, index, time_s, tracks):
        """The rows of the frame of that index and time, one a target, and its picture."""
        for number, track in tracks.items():
            self.row(index, time_s, number, track)
        if self.page:
            self.page.show(frame, index, time_s, tracks)
        if self._video or self._window:
            picture = draw.draw(frame, list(tracks.values()), self._info(index, tracks))
            if self._video and self.recording:
                self._video.write(picture, time_s)
            if self._window and self.open:
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
