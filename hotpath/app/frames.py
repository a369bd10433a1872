"""Read the frames of a source, for ``hotpath track`` and ``hotpath.track``."""

import contextlib
import time
from typing import TYPE_CHECKING, Any, Callable, Optional

from hotpath.app.option_records import SourceOptions
from hotpath.runtime.errors import BadSource
from hotpath.video.base import WAITING
from hotpath.video.sources import open_source

if TYPE_CHECKING:
    from hotpath.video.base import Source

POLL_S = 0.2  # longest wait for a frame before signals are looked at
PATIENCE_S = 2.0  # seconds without a first frame before a message says so
MOST_FAILED = 30  # frames in succession in which nothing may be computed


def opened_source(
    options: SourceOptions, log: Callable[[str], None], cleanup: contextlib.ExitStack
) -> "Source":
    """Open the source that the options name, until ``cleanup`` closes it."""
    how = options.fps, options.depth, True, options.decoder, options.insecure
    return cleanup.enter_context(open_source(options.video, log, *how))


def first_frame(source: "Source", start_s: Optional[float] = None) -> Any:
    """The first frame of a source, or of a recording the first one from a time on."""
    name = source.name
    if start_s is not None and source.live:
        raise BadSource(f"{name} is a live source, so --start has no meaning; omit it")
    if start_s is not None and not source.fps:
        raise BadSource(f"{name}: has no frame rate, which --start needs; pass --fps N")
    if start_s and not source.seek_time(start_s):
        raise BadSource(f"{name}: can't seek to a time; leave --start out")
    frame = WAITING
    unsaid, began_s = True, time.monotonic()
    while frame is WAITING:
        frame = source.read(POLL_S)
        if frame is WAITING and unsaid and time.monotonic() - began_s > PATIENCE_S:
            source.log(f"{name}: waiting for its first frame; Ctrl-C ends the run")
            unsaid = False
    if frame is None:
        if start_s:
            raise BadSource(f"{name}: ends before {start_s:g} s; give --start an earlier time")
        raise BadSource(f"{name} has no frames; pass another --video")
    if start_s and source.time_s is not None and source.time_s + source.period_s < start_s:
        raise BadSource(f"{name}: ends at {source.time_s:.1f} s; give --start an earlier time")
    return frame
