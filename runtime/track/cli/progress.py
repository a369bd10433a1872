"""The messages of a run: one progress bar, and lines of text that do not break it."""

import argparse
import contextlib
import os
import sys
import time
from typing import Any, Dict, Optional

import cv2

from hotpath.runtime.progress_bar import tqdm
from hotpath.runtime.types import Track

REDRAW_S = 0.2
# lines of 60 columns
NAME_LETTERS = 12  # of the source
BAR = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix} {remaining} left"
STATUS = "{desc} frames: {n_fmt}{postfix}"


def say(text: str) -> None:
    """Print a line on standard error, above the progress bar; a closed one is no error."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # the terminal is gone
            tqdm.write(text, file=sys.stderr)


class Progress:
    """A bar for recordings, a status line for live sources; silent if there is no terminal."""

    def __init__(self, source: Any, options: argparse.Namespace) -> None:
        total = None
        if not source.live and source.frames is not None:
            total = max(1, source.frames - source.given + 1)
            total = min(total, options.frames or total)
        self._live = source.live
        self._bar = tqdm(
            total=total,
            desc=_short(source.name),
            bar_format=STATUS if total is None else BAR,
            # None: where there is no terminal
            disable=True if options.quiet or sys.stderr is None else None,
            leave=False,
            dynamic_ncols=True,
            mininterval=REDRAW_S,
        )
        self._next = 0.0

    def step(self, source: Any, tracks: Dict[int, Track], fps: Optional[float] = None) -> None:
        """Count one more frame; ``fps`` is that of the last frames."""
        self._bar.update()
        now = time.monotonic()
        if self._bar.disable or now < self._next:
            return
        self._next = now + REDRAW_S
        texts = [] if fps is None else [f"{fps:.0f} FPS"]
        if tracks:
            of = f" of {len(tracks)}" if len(tracks) > 1 else ""
            texts.append(f"score {min(track.score for track in tracks.values()):.2f}{of}")
        if self._live:
            texts.append(f"{source.dropped} dropped")
        self._bar.set_postfix_str(", ".join(texts), refresh=False)

    def wait(self) -> None:
        """Say that no frame came for a while."""
        if not self._bar.disable:
            self._bar.set_postfix_str("waiting for frames")

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.close()


def _short(name: str) -> str:
    """The end of a source's name: of a path the file's name, of a long one its last letters."""
    name = os.path.basename(name.rstrip("/")) or name
    return name if len(name) <= NAME_LETTERS else "..." + name[-(NAME_LETTERS - 3) :]


def quiet() -> None:
    """Silence OpenCV's warnings and FFmpeg's messages in this process.

    This changes the state of the process, so only programs may call it, before they open a source.
    The variables ``OPENCV_LOG_LEVEL`` and ``OPENCV_FFMPEG_LOGLEVEL`` of the user are respected.
    FFmpeg in OpenCV before 4.6 has no such switch and still prints.
    """
    # OpenCV reads it when it opens the first FFmpeg capture; -8 is AV_LOG_QUIET
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if "OPENCV_LOG_LEVEL" in os.environ:  # OpenCV read it when it was imported
        return
    if hasattr(cv2, "setLogLevel"):
        cv2.setLogLevel(0)
    elif hasattr(cv2, "utils") and hasattr(cv2.utils, "logging"):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
