"""What a run says while it works: one progress bar, and lines of text that do not break it."""

import sys
import time
from typing import Any, Dict, Optional

from runtime.progress_bar import tqdm
from runtime.types import Track

REDRAW_S = 0.2


def say(text: str) -> None:
    """Print a line on standard error, above the progress bar; a closed one is no error."""
    if sys.stderr is not None:
        tqdm.write(text, file=sys.stderr)


class Progress:
    """A bar for recordings, a status line for live sources; silent where there is no terminal."""

    def __init__(self, source: Any, most_frames: Optional[int]) -> None:
        total = None
        if not source.live and source.frames is not None:
            total = min(source.frames, most_frames or source.frames)
        self._live = source.live
        self._bar = tqdm(
            total=total,
            unit=" frames",
            desc=source.name,
            disable=True if sys.stderr is None else None,  # None: where there is no terminal
            leave=False,
            dynamic_ncols=True,
            mininterval=REDRAW_S,
        )
        self._next = 0.0

    def step(self, source: Any, tracks: Dict[int, Track], total_ms: float) -> None:
        """Count one more frame."""
        self._bar.update()
        now = time.monotonic()
        if self._bar.disable or now < self._next:
            return
        self._next = now + REDRAW_S
        scores = " ".join("{:.2f}".format(track.score) for track in tracks.values())
        text = "{:.2f} ms, score {}".format(total_ms, scores)
        if self._live:
            text += ", {} dropped".format(source.dropped)
        self._bar.set_postfix_str(text, refresh=False)

    def wait(self) -> None:
        """Say that no frame came for a while."""
        if not self._bar.disable:
            self._bar.set_postfix_str("waiting for frames")

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.close()
