"""Print the messages of a run: a progress bar, and lines that do not break it."""

import contextlib
import os
import sys
import time
import warnings
from typing import TYPE_CHECKING, Callable, Optional, Sequence

import cv2

from hotpath.base.cli import wrap_for_terminal
from hotpath.base.progress_bar import tqdm
from hotpath.kernels.cpu import SlowKernels
from hotpath.runtime.tracker.first_box import DoubtfulBox
from hotpath.runtime.types import LOST, STATES, TRACKED, UNSURE, Track
from hotpath.video.base import TrackedFrame

if TYPE_CHECKING:
    from hotpath.video.base import Source

REDRAW_S = 0.2
COLOURS = {TRACKED: "32", UNSURE: "33", LOST: "31"}  # of a terminal: green, amber, red
# lines of 60 columns
NAME_LETTERS = 12  # of the source
BAR = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix} {remaining} left"
STATUS = "{desc} frames: {n_fmt}{postfix}"


def say(text: str) -> None:
    """Print a line on standard error, above the progress bar; a closed one is no error."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # the terminal is gone
            tqdm.write(wrap_for_terminal(text, sys.stderr), file=sys.stderr)


class Progress:
    """A bar for recordings, a status line for live sources; silent if there is no terminal.

    Args:
        source: the source of the run.
        frames: how many of them are tracked; None for all.
        quiet: whether nothing is shown.
        recent_fps: function that gives the frames a second of the last frames, or None.

    Attributes:
        shown: whether there is a terminal to show it on.
    """

    def __init__(
        self,
        source: "Source",
        frames: Optional[int],
        quiet: bool,
        recent_fps: Callable[[], Optional[float]],
    ) -> None:
        self._source, self._recent_fps = source, recent_fps
        total = None
        if not source.live and source.frames is not None:
            total = max(1, source.frames - source.given + 1)
            total = min(total, frames or total)
        self._live = source.live
        self._bar = tqdm(
            total=total,
            desc=_short(source.name),
            bar_format=STATUS if total is None else BAR,
            # None: where there is no terminal
            disable=True if quiet or sys.stderr is None else None,
            leave=False,
            dynamic_ncols=True,
            mininterval=REDRAW_S,
        )
        self.shown = not self._bar.disable
        self._coloured = self.shown and "NO_COLOR" not in os.environ
        self._next = 0.0

    def write(self, tracked: TrackedFrame) -> None:
        """Count one more frame."""
        self._bar.update()
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + REDRAW_S
        tracks = tracked.tracks
        fps = self._recent_fps()
        texts = [] if fps is None else [f"{fps:.0f} FPS"]
        if tracks:
            texts.append(self._word_of(list(tracks.values())))
        if self._live:
            texts.append(f"{self._source.dropped} dropped")
        self._bar.set_postfix_str(", ".join(texts))

    def _word_of(self, tracks: Sequence[Track]) -> str:
        """The gravest word and its presence, coloured as on the page; of several how many have it.

        The score stands for a presence that the network does not give.
        """
        word = max((track.state for track in tracks), key=STATES.index)
        those = [track for track in tracks if track.state == word]
        presence = min(
            (track.score if track.presence is None else track.presence) for track in those
        )
        of = f" {len(those)} of {len(tracks)}" if len(tracks) > 1 else ""
        text = f"{word}{of} {presence:.2f}"
        return f"\033[{COLOURS[word]}m{text}\033[0m" if self._coloured else text

    def wait(self) -> None:
        """Say that no frame came for a while."""
        if self.shown:
            self._bar.set_postfix_str("waiting for frames")

    def close(self) -> None:
        """Remove it from the terminal."""
        self._bar.close()


def _short(name: str) -> str:
    """The end of a source's name: of a path the file's name, of a long one its last letters."""
    name = os.path.basename(name.rstrip("/")) or name
    return name if len(name) <= NAME_LETTERS else "..." + name[-(NAME_LETTERS - 3) :]


def quiet() -> None:
    """Silence OpenCV's warnings, FFmpeg's messages and ours of boxes in this process.

    This changes the state of the process, so only programs may call it, before they open a source.
    The variables ``OPENCV_LOG_LEVEL`` and ``OPENCV_FFMPEG_LOGLEVEL`` of the user are respected.
    FFmpeg in OpenCV before 4.6 has no such switch and still prints.
    """
    for warning in (DoubtfulBox, SlowKernels):  # the run says them in lines of its own
        warnings.simplefilter("ignore", warning)
    # OpenCV reads it when it opens the first FFmpeg capture; -8 is AV_LOG_QUIET
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if "OPENCV_LOG_LEVEL" in os.environ:  # OpenCV read it when it was imported
        return
    if hasattr(cv2, "setLogLevel"):
        cv2.setLogLevel(0)
    elif hasattr(cv2, "utils") and hasattr(cv2.utils, "logging"):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
