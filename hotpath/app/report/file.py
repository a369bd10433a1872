"""Write the file of a report when the run ends."""

import os
from typing import Callable

from hotpath.app.report.document import ReportFacts, document
from hotpath.app.report.history import RunHistory
from hotpath.runtime.errors import BadOutput
from hotpath.video.base import Output, TrackedFrame
from hotpath.video.output_file import OLDER_STAYS, NewFile, check_ending, why_not

KINDS = (".html", ".htm")


class Report(Output):
    """Remembers each frame, and writes the report when it is closed.

    Args:
        path: name of the file. An older one is replaced when the new one is whole.
        facts: function that says what else is known at the end of the run.
        log: function that gets one sentence if an older report stays, because there was no target.

    Attributes:
        history: the ``RunHistory``.

    Raises:
        BadOutput: another ending, no such folder, no permission, or another run writes the file.
    """

    def __init__(
        self,
        path: str,
        facts: Callable[[], ReportFacts],
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        check_ending(path, KINDS)
        self._path, self._facts, self._log = path, facts, log
        self._new = NewFile(path)
        self._closed = False
        self.history = RunHistory()

    def write(self, tracked: TrackedFrame) -> None:
        """Remember a frame."""
        if not self._closed:  # a recording that is played again is in the report already
            self.history.write(tracked)

    def write_late(self, tracked: TrackedFrame) -> None:
        """Remember a target that was selected on a frame of before."""
        if not self._closed:
            self.history.write_late(tracked)

    def close(self) -> None:
        """Write the file; may be called twice.

        Raises:
            BadOutput: the disk is full or the like; an older file then stays.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._new.replaces and not self.history.targets:
                self._log(OLDER_STAYS.format(self._path))
            elif self.history.frames:
                # the name of a source may hold bytes that are no UTF-8
                with os.fdopen(self._new.again(), "w", encoding="utf-8", errors="replace") as file:
                    file.write(document(self.history, self._facts()))
                self._new.keep()
                self.files = [self._path]
        except OSError as error:
            raise BadOutput(why_not(self._path, error)) from None
        finally:
            self._new.close()
