"""A video that a pipe or standard input gives."""

import os
from typing import Optional

from hotpath.base.commands import package
from hotpath.runtime.errors import BadSource
from hotpath.video import pyav
from hotpath.video.base import Log
from hotpath.video.recorded import Recording, why_no_frame


class Piped(Recording):
    """All frames of a video that a pipe or standard input gives, in order; it can't seek.

    Args:
        path: the pipe, or ``-``.
        log: not called.
        planes: whether frames may be ``Picture``s.
        depth: see ``Recording``.
    """

    def __init__(
        self, path: str, log: Log = None, planes: bool = False, depth: Optional[int] = None
    ) -> None:
        name = "standard input" if path == "-" else path
        if not pyav.pyav():
            raise BadSource(f"{name}: reading a pipe needs the package av; run `{package('av')}`")
        address = "pipe:0" if path == "-" else os.path.abspath(path)
        try:
            capture = pyav.open_recording(address, planes=planes, is_pipe=True)
        except BadSource as error:
            raise BadSource(f"{name}: {error}", what="index at the end") from None
        if capture is None:
            raise BadSource(f"{name}: {why_no_frame(None)}")
        super().__init__(name, capture, log, depth=depth)

    def seek(self, index: int) -> bool:
        """Return False: a pipe has only one direction."""
        return False

    def seek_time(self, time_s: float) -> bool:
        """Return False: a pipe has only one direction."""
        return False
