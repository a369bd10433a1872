"""A sender that runs as a process of its own, so that it can be killed and frozen for real."""

import signal
import socket
import subprocess
import sys
import time

from tests.support import ROOT
from tests.support.ports import free_port


class Sender:
    """A module of this folder that sends at ``address``; ``with`` starts it, and kills it."""

    def __init__(self, module, address, *more, python=sys.executable, kind=socket.SOCK_STREAM):
        self.port = free_port(kind)
        self.address = address.format(self.port)
        command = [python, "-m", "tests.support.streams." + module, self.port, *more]
        self._command = [str(word) for word in command]

    def is_up(self):
        """Whether somebody listens."""
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self):
        """Start the sender (again) and wait until it is ready."""
        self.process = subprocess.Popen(
            self._command, cwd=str(ROOT), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60.0
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the sender did not come up: {self._command}")
            time.sleep(0.02)

    def kill(self):
        """Send SIGKILL: the system closes the connection, without a last message."""
        self.thaw()
        self.process.kill()
        self.process.wait()

    def freeze(self):
        """Send SIGSTOP: the connection stays open and silent."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        """Send SIGCONT: the sender continues."""
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
