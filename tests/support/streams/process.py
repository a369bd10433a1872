"""A sender that runs as a process of its own, so that it can be killed and frozen for real."""

import os
import signal
import socket
import subprocess
import sys
import time

from tests.support import ROOT


class Sender:
    """Base of the senders: starts ``command()`` and waits until ``is_up()``.

    Use it with ``with``; it is killed at the end, frozen or not.
    """

    start_limit_s = 20.0

    def __init__(self):
        self.process = None

    def command(self):
        """The command line of the process."""
        raise NotImplementedError

    def is_up(self):
        """Whether the process is ready for a reader."""
        raise NotImplementedError

    def start(self):
        """Start the sender (again) and wait until it is ready."""
        self.process = subprocess.Popen(
            self.command(), cwd=str(ROOT), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + self.start_limit_s
        while not self.is_up():
            if self.process.poll() is not None:
                raise RuntimeError(f"the sender ended: {self.command()}")
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the sender did not come up: {self.command()}")
            time.sleep(0.02)
        return self

    def kill(self):
        """Send SIGKILL: the system closes the connection, without a last message."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self):
        """Send SIGSTOP: the connection stays open and silent."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        """Send SIGCONT: the sender continues."""
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


def python_module(name, *arguments):
    """Command line of a module of this repository under the running Python."""
    return [sys.executable, "-m", name] + [str(argument) for argument in arguments]


def answers(port):
    """Whether a port of the loopback accepts connections."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def environment(**more):
    """The process's environment with ``more`` added, for ``subprocess``."""
    return dict(os.environ, **more)
