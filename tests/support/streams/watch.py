"""Read a source in a process of its own, for tests that interrupt the source.

It prints a line for each event (``open``, ``lost``, ``back``), and JSON when Ctrl-C ends it.
"""

import contextlib
import functools
import json
import queue
import signal
import subprocess
import sys
import threading
import time

from hotpath.video.base import WAITING
from hotpath.video.sources import open_source
from tests.support import ROOT


class Watcher:
    """Runs this module on a source and follows its lines."""

    def __init__(self, spec, env=None, planes=False):
        command = [sys.executable, "-m", "tests.support.streams.watch", spec]
        command += ["planes"] if planes else []
        out = {"stdout": subprocess.PIPE, "universal_newlines": True}
        self.process = subprocess.Popen(command, cwd=str(ROOT), env=env, **out)
        self._lines = queue.Queue()
        threading.Thread(target=self._follow, daemon=True).start()

    def wait_for(self, word):
        """Wait until one more line has the word in it."""
        line = ""
        while word not in line:
            line = self._lines.get(timeout=60.0)
            assert line, f"it ended before {word!r}"

    def interrupt(self):
        """Send Ctrl-C; return the last JSON, with ``exit_s``: seconds until the process ended."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        ended = {"exit_s": time.monotonic() - start, "exit_code": self.process.returncode}
        *_, last = iter(self._lines.get, "")
        return dict(json.loads(last), **ended)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def _follow(self):
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put("")


def main(spec, planes=False):
    """Read until Ctrl-C; see the module's docstring."""
    say = functools.partial(print, flush=True)
    waits = 0  # reads that gave no frame in half a second
    shape = None
    with open_source(spec, say, planes=planes) as source:
        say("open")
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                frame = source.read(timeout_s=0.5)
                waits += frame is WAITING
                shape = getattr(frame, "shape", shape)
    told = {"gaps": source.gaps, "given": source.given}
    say(json.dumps(dict(told, waits=waits, shape=shape)))


if __name__ == "__main__":
    main(sys.argv[1], "planes" in sys.argv[2:])
