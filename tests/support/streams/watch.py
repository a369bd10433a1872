"""Read a source in a process of its own, for tests that interrupt the source.

It prints a line for each event (``open``, ``lost``, ``back``). Ctrl-C ends it. Then it prints one
line of JSON.
"""

import json
import subprocess
import sys
import threading
import time

from tests.support.streams.process import ROOT


class Watcher:
    """Runs this module on a source and follows its lines.

    Attributes:
        lines: what it printed so far.
    """

    def __init__(self, spec, env=None, planes=False):
        command = [sys.executable, "-m", "tests.support.streams.watch", spec]
        command += ["planes"] if planes else []
        self.process = subprocess.Popen(
            command, cwd=str(ROOT), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.lines = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._follow)
        self._thread.daemon = True
        self._thread.start()

    def wait_for(self, word, limit_s=20.0):
        """Wait until one more line has the word in it; return that line."""
        deadline = time.monotonic() + limit_s
        with self._news:
            seen = getattr(self, "_seen", 0)
            while True:
                for at in range(seen, len(self.lines)):
                    if word in self.lines[at]:
                        self._seen = at + 1
                        return self.lines[at]
                left = deadline - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and not self._thread.is_alive()):
                    raise AssertionError(f"no {word!r} in {self.lines}")
                self._news.wait(min(left, 0.2))

    def interrupt(self):
        """Send Ctrl-C; return the last JSON, with ``exit_s``: seconds until the process ended."""
        import signal

        start = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        exit_s = time.monotonic() - start
        self._thread.join(5)
        return dict(json.loads(self.lines[-1]), exit_s=exit_s, exit_code=self.process.returncode)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._thread.join(5)
        self.process.stdout.close()
        self.process.stderr.close()

    def _follow(self):
        """Collect the lines."""
        for line in iter(self.process.stdout.readline, b""):
            with self._news:
                self.lines.append(line.decode("utf-8").rstrip())
                self._news.notify_all()


def main(spec, planes=False):
    """Read until Ctrl-C; see the module's docstring."""
    from runtime.errors import HotpathError
    from runtime.video.sources import WAITING, open_source

    def say(text):
        print(text)
        sys.stdout.flush()

    longest_read_s, shape = 0.0, None
    try:
        with open_source(spec, say, planes=planes) as source:
            say("open")
            try:
                while True:
                    start = time.monotonic()
                    frame = source.read(timeout_s=0.5)
                    longest_read_s = max(longest_read_s, time.monotonic() - start)
                    if frame is None:
                        break
                    if frame is not WAITING:
                        shape = frame.shape
            except KeyboardInterrupt:
                pass
    except HotpathError as error:
        say(f"{type(error).__name__}: {error}")
        return 2
    say(json.dumps({"gaps": source.gaps, "longest_read_s": longest_read_s, "shape": shape}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "planes" in sys.argv[2:]))
